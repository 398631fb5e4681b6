"""What may be done with a network card now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy, why_wrong_state
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vif import VIFOperation as Op
from cardume.datamodel.vm_enums import VMOperation, VMPowerState


@dataclass(frozen=True, slots=True)
class VIFFacts:
    """A card as these rules see it, with its VM."""

    ref: str
    vm: str
    currently_attached: bool = False
    power_state: VMPowerState = VMPowerState.HALTED
    vm_operations: Mapping[str, VMOperation] = field(default_factory=dict)  # task to operation
    current_operations: Mapping[str, Op] = field(default_factory=dict)


_HARMLESS_TO_CARDS = frozenset(
    {VMOperation.CHANGING_VCPUS_LIVE, VMOperation.CHANGING_DYNAMIC_RANGE, VMOperation.ASSERT_OPERATION_VALID}
)


def assert_can(vif: VIFFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a card."""
    if (reason := why_not(vif, operation)) is not None:
        raise reason


def allowed_operations(vif: VIFFacts) -> tuple[Op, ...]:
    """The operations that a card's clients may offer now."""
    return tuple(op for op in Op if why_not(vif, op) is None)


def why_not(vif: VIFFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a card; None when it may."""
    if (busy := why_busy("VIF", vif.ref, vif.current_operations)) is not None:
        return busy
    if operation is Op.ATTACH:
        return None  # is part of starting the VM, which has its own rules
    return (
        why_wrong_state(vif.vm, {VMPowerState.RUNNING}, vif.power_state)
        or _why_not_plugged(vif, operation)
        or why_busy("VM", vif.vm, vif.vm_operations, _HARMLESS_TO_CARDS)
    )


def _why_not_plugged(vif: VIFFacts, operation: Op) -> ApiError | None:
    if operation is Op.PLUG and vif.currently_attached:
        return errors.DEVICE_ALREADY_ATTACHED(vif.ref)
    if operation is Op.UNPLUG and not vif.currently_attached:
        return errors.DEVICE_ALREADY_DETACHED(vif.ref)
    return None
