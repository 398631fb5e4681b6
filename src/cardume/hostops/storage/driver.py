"""The interface of every SR type: what a repository and a volume are, what can be done with them on one host."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from cardume.hostops.guests.guest import DiskSource

Progress = Callable[[float], None]
"""Called in the event loop with a fraction from 0.0 to 1.0."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as its driver needs it: which one, and how this host reaches it."""

    uuid: str
    type: str  # ext, iso, nfs, lvmoiscsi
    content_type: str  # user, iso
    device_config: Mapping[str, str]


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

    async def create_volume(
        self, repo: Repository, uuid: str, virtual_size: int, *, name_label: str = "", format: str | None = None
    ) -> Volume:
        """Make a volume; the size may be rounded up. StorageFull when it does not fit."""
        ...

    async def destroy_volume(self, repo: Repository, volume: Volume) -> None:
        """Remove a volume; one that is gone already is no error. Without a location: whatever its uuid has there."""
        ...

    async def resize_volume(self, repo: Repository, volume: Volume, virtual_size: int) -> Volume:
        """Grow a volume that nobody has open."""
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


@dataclass(frozen=True, slots=True)
class FoundRepository:
    """A repository that is there, whether the pool knows it or not."""

    uuid: str
    location: str
    size: int  # bytes, of all that lies under it


@runtime_checkable
class Prober(Protocol):
    """A driver that can look for repositories; not every type can."""

    async def probe(self, device_config: Mapping[str, str]) -> tuple[FoundRepository, ...]:
        """The repositories where device_config leads; changes nothing. StorageConfigError when it leads nowhere."""
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

    async def write(self, offset: int, data: bytes) -> None: ...

    async def flush(self) -> None:
        """All that was written is on the disk when this returns."""
        ...


class Copier(Protocol):
    """Copies between opened volumes of any two drivers, and opens the bytes of one."""

    async def copy(self, source: DiskSource, target: DiskSource, progress: Progress) -> None:
        """Copy the whole of `source` into `target`, which exists and is at least as large; sparse stays sparse."""
        ...

    def opened(self, source: DiskSource, *, writable: bool) -> AbstractAsyncContextManager[DiskBytes]:
        """The bytes of an opened volume, as long as the block lasts."""
        ...
