"""What may be done with a VM, as a table."""

import dataclasses

import pytest

from cardume.core.vm_lifecycle import BESIDE, IMPLEMENTED_VM_OPERATIONS, VMFacts, allowed_operations, assert_can
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vm_enums import VMOperation as Op
from cardume.datamodel.vm_enums import VMPowerState

HALTED = VMFacts("OpaqueRef:vm")
RUNNING = dataclasses.replace(HALTED, power_state=VMPowerState.RUNNING)
PAUSED = dataclasses.replace(HALTED, power_state=VMPowerState.PAUSED)
SUSPENDED = dataclasses.replace(HALTED, power_state=VMPowerState.SUSPENDED)
TEMPLATE = dataclasses.replace(HALTED, is_a_template=True)
DEFAULT_TEMPLATE = dataclasses.replace(TEMPLATE, is_default_template=True)
SNAPSHOT = dataclasses.replace(TEMPLATE, is_a_snapshot=True)
CONTROL_DOMAIN = dataclasses.replace(RUNNING, is_control_domain=True)

SETTINGS = {Op.CHANGING_VCPUS, Op.CHANGING_STATIC_RANGE, Op.CHANGING_DYNAMIC_RANGE}
LIVE_SETTINGS = {Op.CHANGING_VCPUS_LIVE, Op.CHANGING_DYNAMIC_RANGE}


def refusal(vm: VMFacts, operation: Op) -> list[str]:
    with pytest.raises(ApiError) as refused:
        assert_can(vm, operation)
    return refused.value.description


@pytest.mark.parametrize(
    ("vm", "allowed"),
    [
        pytest.param(
            HALTED,
            {
                *(Op.START, Op.START_ON, Op.CLONE, Op.COPY, Op.EXPORT, Op.SNAPSHOT, Op.MAKE_INTO_TEMPLATE, Op.DESTROY),
                Op.MIGRATE_SEND,
                *SETTINGS,
            },
            id="halted",
        ),
        pytest.param(
            RUNNING,
            {
                *(Op.PAUSE, Op.SUSPEND, Op.CLEAN_SHUTDOWN, Op.CLEAN_REBOOT, Op.HARD_SHUTDOWN, Op.HARD_REBOOT),
                *(Op.SNAPSHOT, Op.CHECKPOINT),
                *(Op.POOL_MIGRATE, Op.MIGRATE_SEND),
                *LIVE_SETTINGS,
            },
            id="running",
        ),
        pytest.param(PAUSED, {Op.UNPAUSE, Op.HARD_SHUTDOWN, Op.HARD_REBOOT, Op.SNAPSHOT, Op.CHECKPOINT}, id="paused"),
        pytest.param(
            SUSPENDED,
            {Op.RESUME, Op.RESUME_ON, Op.HARD_SHUTDOWN, Op.DESTROY, Op.SNAPSHOT, Op.CHECKPOINT, Op.EXPORT},
            id="suspended",
        ),
        pytest.param(TEMPLATE, {Op.CLONE, Op.COPY, Op.EXPORT, Op.PROVISION, Op.DESTROY, *SETTINGS}, id="template"),
        pytest.param(DEFAULT_TEMPLATE, {Op.CLONE, Op.COPY, Op.EXPORT, Op.PROVISION, *SETTINGS}, id="default template"),
        pytest.param(SNAPSHOT, {Op.CLONE, Op.COPY, Op.EXPORT, Op.REVERT, Op.DESTROY}, id="snapshot"),
        pytest.param(
            dataclasses.replace(SNAPSHOT, power_state=VMPowerState.SUSPENDED),
            {Op.CLONE, Op.COPY, Op.EXPORT, Op.REVERT, Op.DESTROY, Op.HARD_SHUTDOWN},
            id="snapshot with memory",
        ),
        pytest.param(CONTROL_DOMAIN, set(), id="control domain"),
    ],
)
def test_a_vm_offers_what_its_state_and_kind_allow(vm: VMFacts, allowed: set[Op]) -> None:
    assert set(allowed_operations(vm)) == allowed


@pytest.mark.parametrize(
    ("vm", "operation", "description"),
    [
        (RUNNING, Op.START, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "halted", "running"]),
        (SUSPENDED, Op.CLEAN_SHUTDOWN, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "running", "suspended"]),
        (HALTED, Op.HARD_REBOOT, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "paused, running", "halted"]),
        (HALTED, Op.HARD_SHUTDOWN, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "paused, running, suspended", "halted"]),
        (SUSPENDED, Op.CLONE, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "halted", "suspended"]),
        (TEMPLATE, Op.START, ["VM_IS_TEMPLATE", "OpaqueRef:vm"]),
        (TEMPLATE, Op.MAKE_INTO_TEMPLATE, ["VM_IS_TEMPLATE", "OpaqueRef:vm"]),
        (DEFAULT_TEMPLATE, Op.DESTROY, ["VM_CANNOT_DELETE_DEFAULT_TEMPLATE", "OpaqueRef:vm"]),
        (SNAPSHOT, Op.START, ["VM_IS_SNAPSHOT", "OpaqueRef:vm"]),
        (HALTED, Op.PROVISION, ["PROVISION_ONLY_ALLOWED_ON_TEMPLATE"]),
        (CONTROL_DOMAIN, Op.CLEAN_SHUTDOWN, ["OPERATION_NOT_ALLOWED", "this VM stands for the host itself"]),
        (SNAPSHOT, Op.SNAPSHOT, ["VM_IS_SNAPSHOT", "OpaqueRef:vm"]),
        (TEMPLATE, Op.SNAPSHOT, ["VM_IS_TEMPLATE", "OpaqueRef:vm"]),
        (HALTED, Op.CHECKPOINT, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "paused, running, suspended", "halted"]),
        (HALTED, Op.REVERT, ["REVERT_ONLY_ALLOWED_ON_SNAPSHOT"]),
        (HALTED, Op.CALL_PLUGIN, ["NOT_IMPLEMENTED", "VM.call_plugin"]),
        (PAUSED, Op.POOL_MIGRATE, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "running", "paused"]),
    ],
)
def test_a_refusal_says_why(vm: VMFacts, operation: Op, description: list[str]) -> None:
    assert refusal(vm, operation) == description


def test_a_blocked_operation_is_refused_with_the_reason_that_was_left() -> None:
    blocked = dataclasses.replace(RUNNING, blocked_operations={Op.CLEAN_SHUTDOWN: "exam on Friday"})
    assert refusal(blocked, Op.CLEAN_SHUTDOWN) == ["OPERATION_BLOCKED", "OpaqueRef:vm", "exam on Friday"]
    assert Op.HARD_SHUTDOWN in allowed_operations(blocked)


def test_a_busy_vm_names_the_operation_and_its_task() -> None:
    starting = dataclasses.replace(HALTED, current_operations={"OpaqueRef:task": Op.START})
    assert refusal(starting, Op.DESTROY) == [
        "OTHER_OPERATION_IN_PROGRESS",
        "VM",
        "OpaqueRef:vm",
        "start",
        "OpaqueRef:task",
    ]
    assert allowed_operations(starting) == ()


@pytest.mark.parametrize(
    ("vm", "running", "allowed"),
    [
        (HALTED, {Op.CLONE}, {Op.CLONE, Op.COPY, Op.EXPORT}),
        (HALTED, {Op.CLONE, Op.COPY}, {Op.CLONE, Op.COPY, Op.EXPORT}),
        (TEMPLATE, {Op.EXPORT}, {Op.CLONE, Op.COPY, Op.EXPORT}),
        (HALTED, {Op.CLONE, Op.DESTROY}, set()),
        (RUNNING, {Op.CLEAN_SHUTDOWN}, {Op.HARD_SHUTDOWN, Op.HARD_REBOOT}),
        (RUNNING, {Op.CLEAN_REBOOT}, {Op.HARD_SHUTDOWN, Op.HARD_REBOOT}),
        (RUNNING, {Op.HARD_SHUTDOWN}, set()),
        (RUNNING, {Op.SUSPEND}, set()),
    ],
)
def test_some_operations_bear_others_beside_them(vm: VMFacts, running: set[Op], allowed: set[Op]) -> None:
    busy = dataclasses.replace(vm, current_operations={f"OpaqueRef:{op}": op for op in running})
    assert set(allowed_operations(busy)) == allowed


def test_a_vm_with_a_wrong_state_may_be_reset_even_though_no_button_shows_it() -> None:
    assert_can(RUNNING, Op.POWER_STATE_RESET)
    assert Op.POWER_STATE_RESET not in allowed_operations(RUNNING)


def test_asking_whether_an_operation_is_valid_is_possible_at_any_time() -> None:
    for vm in (HALTED, RUNNING, TEMPLATE, SNAPSHOT, CONTROL_DOMAIN):
        assert_can(dataclasses.replace(vm, current_operations={"OpaqueRef:t": Op.START}), Op.ASSERT_OPERATION_VALID)


def test_only_implemented_operations_have_company_rules() -> None:
    assert BESIDE.keys() <= IMPLEMENTED_VM_OPERATIONS
