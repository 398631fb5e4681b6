"""What may be done with a disk now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vdi import OF_THE_POOL, VDIType
from cardume.datamodel.vdi import VDIOperation as Op


@dataclass(frozen=True, slots=True)
class VDIFacts:
    """A disk as these rules see it, with what they need to know of its SR and of those who use it."""

    ref: str
    sr: str
    type: VDIType = VDIType.USER
    managed: bool = True
    missing: bool = False
    attached: bool = False  # a VBD has it open, or is about to
    attached_writable: bool = False  # … and may write to it
    sr_has_pbds: bool = True
    sr_attached: bool = True  # on some host
    capabilities: frozenset[str] = frozenset()  # of the SR's driver: VDI_CLONE, VDI_RESIZE …
    ha_enabled: bool = False
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation


CAPABILITIES: Mapping[Op, str | None] = {
    Op.CLONE: "VDI_CLONE",
    Op.SNAPSHOT: "VDI_SNAPSHOT",
    Op.COPY: None,
    Op.MIRROR: "VDI_DELETE",
    Op.RESIZE: "VDI_RESIZE",
    Op.RESIZE_ONLINE: "VDI_RESIZE_ONLINE",
    Op.DESTROY: "VDI_DELETE",
    Op.FORGET: None,
    Op.UPDATE: None,
    Op.DATA_DESTROY: None,
}
"""What an operation needs of the SR's driver; one that is absent is not implemented yet."""

IMPLEMENTED_VDI_OPERATIONS = frozenset(CAPABILITIES)
NOT_OFFERED = frozenset({Op.DATA_DESTROY})
"""What a disk is in while other content is written over the old one. There is no message of this name yet."""

_ON_RECORDS_ALONE = frozenset({Op.FORGET})


def assert_can(vdi: VDIFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a disk."""
    if (reason := why_not(vdi, operation)) is not None:
        raise reason


def allowed_operations(vdi: VDIFacts) -> tuple[Op, ...]:
    """The operations that a disk's clients may offer now."""
    return tuple(op for op in Op if op not in NOT_OFFERED and why_not(vdi, op) is None)


def why_not(vdi: VDIFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a disk; None when it may."""
    if operation not in IMPLEMENTED_VDI_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"VDI.{operation}")
    # Copies only read: any number of them may run.
    beside = (Op.COPY,) if operation is Op.COPY else ()
    return (
        why_busy("VDI", vdi.ref, vdi.current_operations, beside)
        or _why_not_its_content(vdi, operation)
        or _why_not_its_users(vdi, operation)
        or _why_not_its_sr(vdi, operation)
    )


def _why_not_its_content(vdi: VDIFacts, operation: Op) -> ApiError | None:
    if not vdi.managed:
        return errors.VDI_NOT_MANAGED(vdi.ref)
    # An update is how it is found out that a disk is there again.
    if vdi.missing and operation not in (Op.FORGET, Op.UPDATE):
        return errors.VDI_MISSING(vdi.sr, vdi.ref)
    if vdi.type in OF_THE_POOL:
        if operation in (Op.CLONE, Op.COPY, Op.MIRROR, Op.SNAPSHOT, Op.DATA_DESTROY):
            return errors.VDI_INCOMPATIBLE_TYPE(vdi.ref, vdi.type)
        if vdi.ha_enabled and operation is not Op.UPDATE:
            return errors.HA_IS_ENABLED()
    return None


def _why_not_its_users(vdi: VDIFacts, operation: Op) -> ApiError | None:
    match operation:
        case Op.UPDATE | Op.SNAPSHOT | Op.RESIZE_ONLINE:
            return None
        case Op.CLONE | Op.COPY:
            in_use = vdi.attached_writable
        case _:
            in_use = vdi.attached
    return errors.VDI_IN_USE(vdi.ref, operation) if in_use else None


def _why_not_its_sr(vdi: VDIFacts, operation: Op) -> ApiError | None:
    if operation in _ON_RECORDS_ALONE:
        return None
    needed = CAPABILITIES[operation]
    if needed is not None and needed not in vdi.capabilities:
        return errors.SR_OPERATION_NOT_SUPPORTED(vdi.sr)
    if not vdi.sr_has_pbds:
        return errors.SR_HAS_NO_PBDS(vdi.sr)
    if not vdi.sr_attached:
        return errors.SR_NOT_ATTACHED(vdi.sr)
    return None
