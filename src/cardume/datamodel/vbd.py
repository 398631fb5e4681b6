"""VBD: how a disk or CD reaches a VM."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import vdi, vm


@named("vbd_mode")
class VBDMode(StrEnum):
    """Whether the guest may write."""

    RO = "RO"
    RW = "RW"


@named("vbd_type")
class VBDType(StrEnum):
    """What the guest sees."""

    CD = "CD"
    DISK = "Disk"
    FLOPPY = "Floppy"


@named("vbd_operations")
class VBDOperation(StrEnum):
    """What may be done with a drive."""

    ATTACH = "attach"
    EJECT = "eject"
    INSERT = "insert"
    PLUG = "plug"
    UNPLUG = "unplug"
    UNPLUG_FORCE = "unplug_force"
    PAUSE = "pause"
    UNPAUSE = "unpause"


@xenclass(role=Role.VM_ADMIN, constructor=True)
class VBD:
    """How a disk or CD reaches a VM: the drive that a VDI sits in."""

    uuid: str = field(RO, "the object's unique identifier")
    VM: Ref[vm.VM] = field(STATIC_RO, "the VM that has the drive")
    VDI: Ref[vdi.VDI] = field(STATIC_RO, "the disk or CD image in the drive; null while it is empty")
    device: str = field(STATIC_RO, "the drive's name in the guest, for instance xvda; set when it is attached", "")
    userdevice: str = field(RW, "the drive's position, a number as text; autodetect takes the first free one")
    bootable: bool = field(RW, "true when the VM may boot from the drive")
    mode: VBDMode = field(STATIC_RO, "whether the guest may write to the disk")
    type: VBDType = field(RW, "whether the guest sees a disk or a CD drive")
    unpluggable: bool = field(RW, "true when the drive may be taken out of a running VM", True)
    empty: bool = field(STATIC_RO, "true when nothing is in the drive; only CD drives can be empty")
    currently_attached: bool = field(STATIC_RO, "true while the drive is attached to a running or paused VM", False)
    storage_lock: bool = field(
        RO, "true while the disk is locked for this drive; kept for clients, Cardume locks by activation records"
    )
    status_code: int = field(RO, "the code of the last attempt to attach it; 0 when all is well")
    status_detail: str = field(RO, "the text of the last attempt to attach it")
    runtime_properties: Mapping[str, str] = field(RO, "facts about the attached device, for clients to read")
    qos_algorithm_type: str = field(RW, "the way in which its input and output are limited, for instance ionice")
    qos_algorithm_params: Mapping[str, str] = field(RW, "the limit's settings; keys depend on the way")
    qos_supported_algorithms: Set[str] = field(RO, "the ways of limiting that this drive supports")
    other_config: Mapping[str, str] = field(
        RW, "more facts, for clients to keep; the key owner says that the disk goes when the VM goes"
    )
    allowed_operations: Set[VBDOperation] = field(RO, "what may be done with the drive now", volatile=True)
    current_operations: Mapping[str, VBDOperation] = field(
        RO, "what is being done with the drive, by task reference", volatile=True
    )

    @message()
    def plug(self) -> None:
        """Attach the drive to its running VM at once."""

    @message(errors=("DEVICE_DETACH_REJECTED", "DEVICE_ALREADY_DETACHED"))
    def unplug(self) -> None:
        """Take the drive out of its running VM; the guest is asked and may refuse."""

    @message()
    def unplug_force(self) -> None:
        """Take the drive out of its running VM without asking the guest."""

    @message(role=Role.VM_OPERATOR, errors=("VBD_NOT_REMOVABLE_MEDIA", "VBD_NOT_EMPTY"))
    def insert(vbd, vdi: Ref[vdi.VDI]) -> None:
        """Put a CD image into an empty CD drive; a running guest sees it at once."""

    @message(role=Role.VM_OPERATOR, errors=("VBD_NOT_REMOVABLE_MEDIA", "VBD_IS_EMPTY"))
    def eject(vbd) -> None:
        """Take the CD image out of the drive; a running guest sees it at once."""

    @message()
    def set_mode(self, value: VBDMode) -> None:
        """Choose whether the guest may write to the disk; only while the drive is not attached."""

    @message()
    def assert_attachable(self) -> None:
        """Succeed when the drive could be attached now, else fail with the reason."""
