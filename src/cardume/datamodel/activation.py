"""activation: that a disk is open, or about to be, on a host. The database's own: XenAPI has no such class.

It is written before QEMU opens the disk and removed after the process is gone, so that nobody opens it elsewhere, also
when the host that has it cannot be asked: no lock on the disk itself would tell.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.vbd import VBDMode

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.vbd import VBD
    from cardume.datamodel.vdi import VDI


@xenclass(name="activation", events=False, implied=False, internal=True)
class Activation:
    """One drive's hold on the disk in it."""

    VBD: Ref[VBD] = field(RO, "the drive")
    VDI: Ref[VDI] = field(RO, "the disk in it")
    host: Ref[Host] = field(RO, "where it is open")
    mode: VBDMode = field(RO, "whether it is open for writing", VBDMode.RW)
    since: datetime = field(RO, "when it was opened")
