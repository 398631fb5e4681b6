"""What can be asked of the measurements that a host keeps, of itself and of its guests."""

from collections.abc import Mapping
from typing import Protocol

from cardume.core.rrd import SourceNow
from cardume.hostops.errors import HostError


class NotMeasured(HostError):
    """Nothing is measured here under this name."""


class Meter(Protocol):
    """The measurements of one host. An owner is `host:` or `vm:` and a uuid; a VM's are where it runs."""

    async def sources(self, owner: str) -> tuple[SourceNow, ...]:
        """All that is measured of the owner at present; NotMeasured when that is nothing."""
        ...

    async def record(self, owner: str, name: str) -> None:
        """Keep the history of a source from now on; NotMeasured when there is none of this name."""
        ...

    async def forget(self, owner: str, name: str) -> None:
        """Throw the history of a source away; NotMeasured when there is none of this name."""
        ...

    async def history(self, owner: str) -> bytes | None:
        """The owner's archives (`core/rrd_file.py`), also of a VM that does not run any more; None: none here."""
        ...

    async def kept(self) -> frozenset[str]:
        """The VMs that do not run here, whose history is here."""
        ...

    async def take(self, vm: str, history: bytes) -> None:
        """Have a VM's history from another host; what is here of it already stays."""
        ...

    async def drop(self, vm: str) -> None:
        """Forget the history of a VM that does not run here; one that runs keeps it."""
        ...

    async def know_disks(self, seats: Mapping[str, Mapping[str, str]]) -> None:
        """By VM and userdevice, the uuid of the SR that a disk is in: for the sums of each SR."""
        ...
