"""The interface of every SR type: what a repository and a volume are, what can be done with them on one host."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from cardume.hostops.guests.guest import DiskSource
from cardume.hostops.storage.found import Found

Progress = Callable[[float], None]
"""Called in the event loop with a fraction from 0.0 to 1.0."""

UNIT = 4096
"""Sizes are multiples of a sector of the largest kind, so that any guest can use all of its disk."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as its driver needs it: which one, and how this host reaches it."""

    uuid: str
    type: str  # ext, iso, nfs, lvmoiscsi
    content_type: str  # user, iso
    device_config: Mapping[str, str] = field(repr=False)  # passwords and all
    name_label: str = ""
    name_description: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume found in, or made in, a repository. Sizes in bytes."""

    uuid: str
    location: str  # unique in the repository; a file name for folders
    virtual_size: int
    physical_utilisation: int
    name_label: str = ""
    name_description: str = ""
    format: str = "qcow2"  # qcow2, raw, iso
    read_only: bool = False
    sm_config: Mapping[str, str] = field(default_factory=dict)


def rounded_up(size: int) -> int:
    """The size of the volume that is made when one of this size is asked for."""
    return -(-size // UNIT) * UNIT


@dataclass(frozen=True, slots=True)
class Space:
    """A repository's space in bytes."""

    physical_size: int
    physical_utilisation: int
    virtual_allocation: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A volume that goes on in a new place, with what it held until then left as it was."""

    volume: Volume  # as it is now
    source: DiskSource  # where a guest that has it open is to go on
    kept: str  # the driver's name of what is left as it was
    was_kept: bool = False  # it was left as it was before already: the volume was a snapshot


@dataclass(frozen=True, slots=True)
class Usage:
    """Who has volumes of a repository open, by their uuids, and what not to try now."""

    writers: frozenset[str] = frozenset()  # one guest of this host writes to it, and can be asked to merge layers
    others: frozenset[str] = frozenset()  # open in any other way
    avoid: frozenset[tuple[str, str]] = frozenset()  # (base, top) that failed a while ago


@dataclass(frozen=True, slots=True)
class Merge:
    """Two layers that are to become one: the blocks of `top` go into `base`, which nothing else needs."""

    base: str
    top: str
    volume: str  # the uuid of a volume that they belong to
    is_live: bool = False  # a guest has that volume open
    above: str = ""  # the layer of the guest's that stands on `top`; none: the guest writes to `top`


@dataclass(frozen=True, slots=True)
class LeftMerge:
    """A merge that a guest did for an earlier life of the daemon, or for a call that was given up on."""

    guest: str
    device: str
    base: str  # the path of the image that the guest goes on in when it has been moved


class GuestCommit(Protocol):
    """Lets a guest merge layers of a disk that it has open."""

    @property
    def guest(self) -> str: ...

    @property
    def device(self) -> str: ...

    async def __call__(
        self, base: str, top: str, active: str, settle: Callable[[], Awaitable[None]], progress: Progress
    ) -> None:
        """Merge by paths; `active` is what the guest writes to. `settle` records it, when it is done for sure."""
        ...


class StorageDriver(Protocol):
    """One SR type on one host.

    A change is made so that a crash at any moment leaves the old or the new state; leftovers are removed by `scan`.
    Cancelling a call (asyncio cancellation) ends its programs and removes what it had made.
    """

    type: str
    name_label: str
    name_description: str
    configuration: Mapping[str, str]  # device_config key → what it means
    capabilities: frozenset[str]  # SM.capabilities: VDI_CREATE, VDI_RESIZE …
    default_content_type: str

    def check_config(self, device_config: Mapping[str, str]) -> None:
        """Raise StorageConfigError when a key is missing or wrong."""
        ...

    async def create(self, repo: Repository, *, physical_size: int = 0) -> None:
        """Make an empty repository; never over one that holds something."""
        ...

    async def attach(self, repo: Repository, *, timeout_s: float = 30) -> None:
        """Make the repository usable on this host; again is no error. StorageUnreachable when it cannot be."""
        ...

    async def detach(self, repo: Repository) -> None: ...

    async def destroy(self, repo: Repository) -> None:
        """Remove the repository itself; StorageError when it still holds volumes."""
        ...

    async def scan(self, repo: Repository, *, known: frozenset[str] = frozenset()) -> tuple[Volume, ...]:
        """Every whole volume there; half-made ones are removed, unless another call is making them now.

        `known` are the uuids the pool knows: what a crash left that nobody was ever told about may go.
        """
        ...

    async def space(self, repo: Repository) -> Space: ...

    async def set_names(self, repo: Repository, volume: Volume | None, name_label: str, name_description: str) -> None:
        """Keep what people call a volume, or the repository itself, with it: another pool that finds it knows it then.

        A type that has no place for names keeps none.
        """
        ...

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        """Make a volume; the size may be rounded up. StorageFull when it does not fit."""
        ...

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        """Remove a volume; one that is gone already is no error. Without a location: whatever its uuid has there."""
        ...

    async def resize_volume(
        self, repo: Repository, volume: Volume, virtual_size: int, *, online: bool = False
    ) -> Volume:
        """Grow a volume that nobody has open.

        online: a guest has it open, perhaps on another host. Then there is made room for it, where that is the
        driver's to do, and whoever has the guest lets it see its disk grow.
        """
        ...

    async def clone_volume(self, repo: Repository, volume: Volume, uuid: str, progress: Progress) -> Volume:
        """A copy inside the repository, as cheap as the type allows; of a snapshot it may share what both hold."""
        ...

    async def fork_volume(self, repo: Repository, volume: Volume) -> Fork:
        """Begin a snapshot: keep what the volume holds, and let it go on in a new place, which is still the same.

        A guest that has it open may be moved there, or not, whatever happens: both are right, for as long as nobody
        moves there the volume is what the guest writes. End it by `keep_fork` when the guest was moved, or none has it.
        """
        ...

    async def keep_fork(self, repo: Repository, fork: Fork, uuid: str) -> Volume:
        """What a fork kept becomes a volume of its own: the snapshot. Nothing writes to it any more."""
        ...

    async def undo_fork(self, repo: Repository, fork: Fork) -> None:
        """The volume is where it was before; only when nobody was moved, nor opened it meanwhile."""
        ...

    async def stat_volume(self, repo: Repository, volume: Volume) -> Volume:
        """The volume with its sizes as they are now; VolumeNotFound when it is gone."""
        ...

    async def open(self, repo: Repository, volume: Volume, *, writable: bool) -> DiskSource:
        """Make the volume usable by a guest or a copy on this host; VolumeNotFound when it is gone."""
        ...

    async def close(self, repo: Repository, volume: Volume) -> None:
        """Undo `open`; closing what is not open is no error."""
        ...


@runtime_checkable
class Prober(Protocol):
    """A driver that can look for repositories; not every type can."""

    def missing_keys(self, device_config: Mapping[str, str]) -> tuple[str, ...]:
        """The keys that a repository cannot be made without, and that a probe helps to choose."""
        ...

    async def probe(self, device_config: Mapping[str, str]) -> Found:
        """What is there, as far as device_config leads; changes nothing. StorageConfigError when it leads nowhere."""
        ...


class DiskBytes(Protocol):
    """The bytes of an opened volume as a guest sees them, whatever the format of its file."""

    @property
    def size(self) -> int: ...

    async def read(self, offset: int, length: int) -> bytes:
        """So many bytes from there on, which must be inside the disk."""
        ...

    async def find_data(self, offset: int) -> int:
        """The first place from there on where there may be something else than zeros; the size when there is none."""
        ...

    async def find_hole(self, offset: int) -> int:
        """The first place from there on that is known to read as zeros; the size when there is none."""
        ...

    async def write(self, offset: int, data: bytes) -> None: ...

    async def zero(self, offset: int, length: int) -> None:
        """Make a part of the disk read as zeros, and give its room back where the volume can; a GiB at most."""
        ...

    async def flush(self) -> None:
        """All that was written is on the disk when this returns."""
        ...


@runtime_checkable
class LayerMerger(Protocol):
    """A driver whose volumes have layers: merging them keeps chains short, and gives room back."""

    async def next_merge(self, repo: Repository, usage: Usage) -> Merge | None:
        """The next two layers that may become one now; None: nothing to do."""
        ...

    async def merge_layers(
        self, repo: Repository, merge: Merge, commit: GuestCommit | None, progress: Progress
    ) -> tuple[Volume, ...]:
        """Do it, by `commit` where a guest has them open; the repository's volumes as they are now.

        Any call that wants a volume of these layers stops it: MergeStopped. A crash, a stop or a failure at any
        moment leaves volumes that read as before, and nothing that a later merge, or a scan, does not put right.
        """
        ...

    async def left_merge(self, repo: Repository) -> LeftMerge | None:
        """A merge by a guest that was not seen to its end; what another left is put right here."""
        ...

    async def end_merge(self, repo: Repository, *, moved: bool) -> None:
        """End what `left_merge` told of; nothing goes on in its guest. `moved`: the guest's disk is in the base."""
        ...


class Copier(Protocol):
    """Copies between opened volumes of any two drivers, and opens the bytes of one."""

    async def copy(
        self, source: DiskSource, target: DiskSource, progress: Progress, *, target_is_zero: bool = False
    ) -> None:
        """Copy the whole of `source` into `target`, which exists and is at least as large; sparse stays sparse.

        target_is_zero: nothing was ever written to it; then zeros need not be.
        """
        ...

    def opened(self, source: DiskSource, *, writable: bool) -> AbstractAsyncContextManager[DiskBytes]:
        """The bytes of an opened volume, as long as the block lasts."""
        ...
