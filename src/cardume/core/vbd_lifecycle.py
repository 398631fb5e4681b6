"""What may be done with a drive now, whether a disk may be opened, and the reason when not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy, why_wrong_state
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vbd import VBDOperation as Op
from cardume.datamodel.vbd import VBDType
from cardume.datamodel.vdi import OF_THE_POOL, VDIOperation, VDIType
from cardume.datamodel.vm_enums import VMOperation, VMPowerState


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A disk that a drive would open, with what others do with it."""

    ref: str
    sr: str
    type: VDIType = VDIType.USER
    managed: bool = True
    missing: bool = False
    read_only: bool = False
    sharable: bool = False
    open_elsewhere: bool = False  # another drive has it open, or is about to
    written_elsewhere: bool = False  # … and may write to it
    held_by_other_host: bool = False  # this very drive has it open there, as far as is known
    sr_has_pbds: bool = True
    sr_attached: bool = True  # on the host that would open it
    current_operations: Mapping[str, VDIOperation] = field(default_factory=dict)  # task to operation


@dataclass(frozen=True, slots=True)
class VBDFacts:
    """A drive as these rules see it, with its VM, and the disk in it (None: empty)."""

    ref: str
    vm: str
    type: VBDType = VBDType.DISK
    writable: bool = True
    currently_attached: bool = False
    unpluggable: bool = True
    power_state: VMPowerState = VMPowerState.HALTED
    vm_operations: Mapping[str, VMOperation] = field(default_factory=dict)  # task to operation
    current_operations: Mapping[str, Op] = field(default_factory=dict)
    disk: DiskFacts | None = None

    @property
    def is_cdrom(self) -> bool:
        return self.type is not VBDType.DISK

    @property
    def writes(self) -> bool:
        """True when the guest can write to the disk: never to a CD."""
        return self.writable and not self.is_cdrom


IMPLEMENTED_VBD_OPERATIONS = frozenset({Op.ATTACH, Op.PLUG, Op.UNPLUG, Op.UNPLUG_FORCE, Op.INSERT, Op.EJECT})

_UNPLUGGING = frozenset({Op.UNPLUG, Op.UNPLUG_FORCE})
_OPENING = frozenset({Op.ATTACH, Op.PLUG})
_HARMLESS_TO_DRIVES = frozenset(
    {VMOperation.CHANGING_VCPUS_LIVE, VMOperation.CHANGING_DYNAMIC_RANGE, VMOperation.ASSERT_OPERATION_VALID}
)


def assert_can(vbd: VBDFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a drive."""
    if (reason := why_not(vbd, operation)) is not None:
        raise reason


def allowed_operations(vbd: VBDFacts) -> tuple[Op, ...]:
    """The operations that a drive's clients may offer now."""
    return tuple(op for op in Op if why_not(vbd, op) is None)


def why_not(vbd: VBDFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a drive; None when it may."""
    if operation not in IMPLEMENTED_VBD_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"VBD.{operation}")
    return (
        why_busy("VBD", vbd.ref, vbd.current_operations)
        or _why_not_this_drive(vbd, operation)
        or _why_not_its_vm(vbd, operation)
        or (why_not_open(vbd.disk, writes=vbd.writes) if operation in _OPENING and vbd.disk is not None else None)
    )


def assert_can_open(disk: DiskFacts, *, writes: bool) -> None:
    """Raise the reason why a disk may not be opened, e.g. a CD that is to be inserted."""
    if (reason := why_not_open(disk, writes=writes)) is not None:
        raise reason


def why_not_open(disk: DiskFacts, *, writes: bool) -> ApiError | None:
    """The first reason why a disk may not be opened; None when it may."""
    if not disk.managed:
        return errors.VDI_NOT_MANAGED(disk.ref)
    if disk.type in OF_THE_POOL:
        return errors.VDI_INCOMPATIBLE_TYPE(disk.ref, disk.type)
    if disk.missing:
        return errors.VDI_MISSING(disk.sr, disk.ref)
    if not disk.sr_has_pbds:
        return errors.SR_HAS_NO_PBDS(disk.sr)
    if not disk.sr_attached:
        return errors.SR_NOT_ATTACHED(disk.sr)
    if writes and disk.read_only:
        return errors.VDI_READONLY(disk.ref)
    if not disk.sharable and (disk.written_elsewhere or (writes and disk.open_elsewhere)):
        return errors.VDI_IN_USE(disk.ref, "attach")
    if disk.held_by_other_host:
        return errors.VDI_IN_USE(disk.ref, "attach")
    # A copy only reads, and so may who opens the disk for reading.
    return why_busy("VDI", disk.ref, disk.current_operations, () if writes else (VDIOperation.COPY,))


def _why_not_this_drive(vbd: VBDFacts, operation: Op) -> ApiError | None:
    if operation in _UNPLUGGING and not vbd.unpluggable:
        return errors.VBD_NOT_UNPLUGGABLE(vbd.ref)
    if operation in (Op.INSERT, Op.EJECT) and not vbd.is_cdrom:
        return errors.VBD_NOT_REMOVABLE_MEDIA(vbd.ref)
    if operation is Op.EJECT and vbd.disk is None:
        return errors.VBD_IS_EMPTY(vbd.ref)
    if operation is Op.INSERT and vbd.disk is not None:
        return errors.VBD_NOT_EMPTY(vbd.ref)
    return None


def _why_not_its_vm(vbd: VBDFacts, operation: Op) -> ApiError | None:
    if operation is Op.ATTACH:
        return None  # is part of starting the VM, which has its own rules
    if operation in (Op.INSERT, Op.EJECT):
        # The memory of a suspended guest remembers the disc that was in the drive.
        expected = frozenset(VMPowerState) - {VMPowerState.SUSPENDED}
        wrong = why_wrong_state(vbd.vm, expected, vbd.power_state)
    else:
        wrong = why_wrong_state(vbd.vm, {VMPowerState.RUNNING}, vbd.power_state) or _why_not_plugged(vbd, operation)
    return wrong or why_busy("VM", vbd.vm, vbd.vm_operations, _HARMLESS_TO_DRIVES)


def _why_not_plugged(vbd: VBDFacts, operation: Op) -> ApiError | None:
    if vbd.is_cdrom:
        return errors.OPERATION_NOT_ALLOWED("a CD drive stays in a running VM: insert or eject its disc instead")
    if operation is Op.PLUG and vbd.currently_attached:
        return errors.DEVICE_ALREADY_ATTACHED(vbd.ref)
    if operation in _UNPLUGGING and not vbd.currently_attached:
        return errors.DEVICE_ALREADY_DETACHED(vbd.ref)
    return None
