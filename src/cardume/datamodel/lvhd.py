"""LVHD: the switch to thin disks for SRs on a LUN of XenServer's old kind; there are never objects of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, message, xenclass
from cardume.datamodel.refs import Ref

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.sr import SR


@xenclass(get_all=False)
class LVHD:
    """The switch to thin disks for SRs on a LUN of XenServer's old kind; there are never objects of it."""

    uuid: str = field(RO, "the object's unique identifier")

    @message()
    @staticmethod
    def enable_thin_provisioning(host: Ref[Host], SR: Ref[SR], initial_allocation: int, allocation_quantum: int) -> str:
        """Let the disks of an SR take space as they are written to, in steps of the given size."""
