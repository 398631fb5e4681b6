"""What may be done with an appliance now, and in which order its VMs take their turn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from cardume.core.operations import why_busy
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vm_appliance import ApplianceOperation as Op
from cardume.datamodel.vm_enums import VMPowerState


@dataclass(frozen=True, slots=True)
class ApplianceFacts:
    """An appliance as these rules see it."""

    ref: str
    power_states: tuple[VMPowerState, ...] = ()  # of its VMs
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation


def assert_can(appliance: ApplianceFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on an appliance."""
    if (reason := why_not(appliance, operation)) is not None:
        raise reason


def allowed_operations(appliance: ApplianceFacts) -> tuple[Op, ...]:
    """The operations that an appliance's clients may offer now."""
    return tuple(op for op in Op if why_not(appliance, op) is None)


def why_not(appliance: ApplianceFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on an appliance; None when it may."""
    if not appliance.power_states:
        return errors.OPERATION_NOT_ALLOWED("The appliance has no VM.")
    halted = [state is VMPowerState.HALTED for state in appliance.power_states]
    if operation is Op.START and not any(halted):
        return errors.OPERATION_NOT_ALLOWED("Every VM of the appliance is started already.")
    if operation is not Op.START and all(halted):
        return errors.OPERATION_NOT_ALLOWED("Every VM of the appliance is halted already.")
    return why_busy("VM_appliance", appliance.ref, appliance.current_operations)


# The order


@dataclass(frozen=True, slots=True)
class Member:
    """A VM of an appliance, as far as its turn depends on it."""

    ref: str
    order: int = 0
    start_delay: int = 0  # seconds
    shutdown_delay: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """VMs that go together, and the seconds to wait after them."""

    refs: tuple[str, ...]
    wait_s: int


def plan_turns(members: Iterable[Member], operation: Op) -> tuple[Turn, ...]:
    """The turns of an operation: a start goes up the orders, a stop goes down them; nobody waits after the last."""
    stops = operation is not Op.START
    in_order = sorted(members, key=lambda member: (member.order, member.ref))
    groups = [list(group) for _, group in groupby(in_order, key=lambda member: member.order)]
    turns = [
        Turn(
            tuple(member.ref for member in group),
            max(member.shutdown_delay if stops else member.start_delay for member in group),
        )
        for group in (reversed(groups) if stops else groups)
    ]
    return (*turns[:-1], Turn(turns[-1].refs, 0)) if turns else ()
