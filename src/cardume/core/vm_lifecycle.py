"""What may be done with a VM now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy, why_wrong_state
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vm_enums import VMOperation as Op
from cardume.datamodel.vm_enums import VMPowerState

HALTED, PAUSED = VMPowerState.HALTED, VMPowerState.PAUSED
RUNNING, SUSPENDED = VMPowerState.RUNNING, VMPowerState.SUSPENDED
ANY = frozenset(VMPowerState)


@dataclass(frozen=True, slots=True)
class VMFacts:
    """A VM as these rules see it. Whether an agent runs in the guest plays no part: ACPI shuts down without one."""

    ref: str
    power_state: VMPowerState = HALTED
    is_a_template: bool = False
    is_default_template: bool = False
    is_a_snapshot: bool = False
    is_control_domain: bool = False
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation
    blocked_operations: Mapping[Op, str] = field(default_factory=dict)  # operation to reason


POWER_STATES: Mapping[Op, frozenset[VMPowerState]] = {
    Op.START: frozenset({HALTED}),
    Op.START_ON: frozenset({HALTED}),
    Op.PAUSE: frozenset({RUNNING}),
    Op.UNPAUSE: frozenset({PAUSED}),
    Op.SUSPEND: frozenset({RUNNING}),
    Op.POOL_MIGRATE: frozenset({RUNNING}),
    Op.MIGRATE_SEND: frozenset({HALTED, RUNNING}),
    Op.RESUME: frozenset({SUSPENDED}),
    Op.RESUME_ON: frozenset({SUSPENDED}),
    Op.CLEAN_SHUTDOWN: frozenset({RUNNING}),
    Op.HARD_SHUTDOWN: frozenset({PAUSED, RUNNING, SUSPENDED}),
    Op.SHUTDOWN: frozenset({PAUSED, RUNNING, SUSPENDED}),
    Op.CLEAN_REBOOT: frozenset({RUNNING}),
    Op.HARD_REBOOT: frozenset({PAUSED, RUNNING}),
    Op.POWER_STATE_RESET: ANY,
    # The disks of a VM that is up, or whose memory waits to go on with them, are not as a fresh start needs them.
    Op.CLONE: frozenset({HALTED}),
    Op.COPY: frozenset({HALTED}),
    Op.SNAPSHOT: ANY,
    Op.CHECKPOINT: frozenset({PAUSED, RUNNING, SUSPENDED}),
    Op.REVERT: ANY,
    Op.REVERTING: ANY,
    Op.EXPORT: frozenset({HALTED, SUSPENDED}),
    Op.PROVISION: frozenset({HALTED}),
    Op.MAKE_INTO_TEMPLATE: frozenset({HALTED}),
    Op.DESTROY: frozenset({HALTED, SUSPENDED}),
    Op.CHANGING_VCPUS: frozenset({HALTED}),
    Op.CHANGING_VCPUS_LIVE: frozenset({RUNNING}),
    Op.CHANGING_STATIC_RANGE: frozenset({HALTED}),
    Op.CHANGING_DYNAMIC_RANGE: frozenset({HALTED, RUNNING}),
    Op.CHANGING_MEMORY_LIMITS: frozenset({HALTED}),
    Op.ASSERT_OPERATION_VALID: ANY,
    Op.UPDATE_ALLOWED_OPERATIONS: ANY,
}
"""In which power states an operation may begin; one that is absent is not implemented yet."""

IMPLEMENTED_VM_OPERATIONS = frozenset(POWER_STATES)

NOT_OFFERED = frozenset(
    {
        Op.SHUTDOWN,
        Op.POWER_STATE_RESET,
        Op.REVERTING,  # what the VM shows while one of its snapshots is reverted to
        Op.CHANGING_MEMORY_LIMITS,
        Op.ASSERT_OPERATION_VALID,
        Op.UPDATE_ALLOWED_OPERATIONS,
    }
)
"""Operations that may be called and are no buttons: clients would show them beside what they stand for."""

_SETTINGS = frozenset(
    {Op.CHANGING_VCPUS, Op.CHANGING_STATIC_RANGE, Op.CHANGING_DYNAMIC_RANGE, Op.CHANGING_MEMORY_LIMITS}
)
_QUESTIONS = frozenset({Op.ASSERT_OPERATION_VALID, Op.UPDATE_ALLOWED_OPERATIONS})
_READING = frozenset({Op.CLONE, Op.COPY, Op.EXPORT})
_OF_TEMPLATES = _SETTINGS | _QUESTIONS | _READING | {Op.PROVISION, Op.DESTROY}
_OF_SNAPSHOTS = _QUESTIONS | _READING | {Op.DESTROY, Op.HARD_SHUTDOWN, Op.REVERT}

_ENDING = frozenset({Op.CLEAN_SHUTDOWN, Op.CLEAN_REBOOT, Op.SHUTDOWN})
BESIDE: Mapping[Op, frozenset[Op]] = {
    Op.CLONE: _READING,
    Op.COPY: _READING,
    Op.EXPORT: _READING,
    # A guest that takes its time, or will never end by itself, can still be ended.
    Op.HARD_SHUTDOWN: _ENDING,
    Op.HARD_REBOOT: _ENDING,
    Op.ASSERT_OPERATION_VALID: frozenset(Op),
    Op.UPDATE_ALLOWED_OPERATIONS: frozenset(Op),
}
"""Which operations may be running when another begins; none, where an operation is absent."""


def assert_can(vm: VMFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a VM."""
    if (reason := why_not(vm, operation)) is not None:
        raise reason


def allowed_operations(vm: VMFacts) -> tuple[Op, ...]:
    """The operations that a VM's clients may offer now."""
    return tuple(op for op in Op if op not in NOT_OFFERED and why_not(vm, op) is None)


def why_not(vm: VMFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a VM; None when it may."""
    if operation not in IMPLEMENTED_VM_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"VM.{operation}")
    if operation in vm.blocked_operations:
        return errors.OPERATION_BLOCKED(vm.ref, vm.blocked_operations[operation])
    return (
        why_wrong_state(vm.ref, _power_states(vm, operation), vm.power_state)
        or why_busy("VM", vm.ref, vm.current_operations, BESIDE.get(operation, ()))
        or _why_not_this_kind(vm, operation)
    )


def _power_states(vm: VMFacts, operation: Op) -> frozenset[VMPowerState]:
    # A snapshot never runs: its disks stay as they are, also beside the memory that it was taken with.
    return ANY if vm.is_a_snapshot and operation in _READING else POWER_STATES[operation]


def _why_not_this_kind(vm: VMFacts, operation: Op) -> ApiError | None:
    if vm.is_a_snapshot and operation not in _OF_SNAPSHOTS:
        return errors.VM_IS_SNAPSHOT(vm.ref)
    if vm.is_a_template and not vm.is_a_snapshot and operation not in _OF_TEMPLATES:
        return errors.VM_IS_TEMPLATE(vm.ref)
    if vm.is_default_template and operation is Op.DESTROY:
        return errors.VM_CANNOT_DELETE_DEFAULT_TEMPLATE(vm.ref)
    if not vm.is_a_snapshot and operation is Op.REVERT:
        return errors.REVERT_ONLY_ALLOWED_ON_SNAPSHOT()
    if not vm.is_a_template and operation is Op.PROVISION:
        return errors.PROVISION_ONLY_ALLOWED_ON_TEMPLATE()
    if vm.is_control_domain and operation not in _QUESTIONS:
        return errors.OPERATION_NOT_ALLOWED("this VM stands for the host itself")
    return None
