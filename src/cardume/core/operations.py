"""What the rules about operations have in common: objects that are busy, and VMs in the wrong power state."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vm_enums import VMPowerState


def why_busy(cls: str, ref: str, running: Mapping[str, StrEnum], beside: Collection[StrEnum] = ()) -> ApiError | None:
    """The refusal because an object has an operation that bears no other beside it, except those of `beside`.

    running: the object's current_operations, task to operation.
    """
    for task, operation in running.items():
        if operation not in beside:
            return errors.OTHER_OPERATION_IN_PROGRESS(cls, ref, operation, task)
    return None


def why_wrong_state(vm: str, expected: Iterable[VMPowerState], actual: VMPowerState) -> ApiError | None:
    """The refusal because a VM is in none of the expected states; XenServer's clients know them in lower case."""
    wanted = [state for state in VMPowerState if state in set(expected)]
    if actual in wanted:
        return None
    return errors.VM_BAD_POWER_STATE(vm, ", ".join(state.lower() for state in wanted), actual.lower())
