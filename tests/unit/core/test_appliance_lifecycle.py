"""The rules about what may be done with an appliance, and the order of its VMs."""

import pytest

from cardume.core.appliance_lifecycle import ApplianceFacts, Member, Turn, allowed_operations, plan_turns, why_not
from cardume.datamodel.vm_appliance import ApplianceOperation as Op
from cardume.datamodel.vm_enums import VMPowerState as State

APPLIANCE = "OpaqueRef:appliance"
STOPS = (Op.CLEAN_SHUTDOWN, Op.HARD_SHUTDOWN, Op.SHUTDOWN)


@pytest.mark.parametrize(
    ("states", "allowed"),
    [
        ((), ()),
        ((State.HALTED, State.HALTED), (Op.START,)),
        ((State.RUNNING, State.HALTED), (Op.START, *STOPS)),
        ((State.RUNNING, State.SUSPENDED), STOPS),
    ],
)
def test_what_an_appliance_allows_follows_from_its_vms(states: tuple[State, ...], allowed: tuple[Op, ...]) -> None:
    assert allowed_operations(ApplianceFacts(APPLIANCE, states)) == allowed


def test_nothing_begins_on_an_appliance_that_is_being_started() -> None:
    facts = ApplianceFacts(APPLIANCE, (State.RUNNING, State.HALTED), {"OpaqueRef:task": Op.START})

    assert allowed_operations(facts) == ()
    reason = why_not(facts, Op.START)
    assert reason is not None
    assert reason.code == "OTHER_OPERATION_IN_PROGRESS"


def test_vms_start_up_the_orders_and_stop_down_them_with_the_longest_wait_of_each_turn() -> None:
    members = [
        Member("web2", order=1, start_delay=2, shutdown_delay=9),
        Member("db", order=0, start_delay=5, shutdown_delay=7),
        Member("web1", order=1, start_delay=3, shutdown_delay=8),
    ]

    assert plan_turns(members, Op.START) == (Turn(("db",), 5), Turn(("web1", "web2"), 0))
    assert plan_turns(members, Op.SHUTDOWN) == (Turn(("web1", "web2"), 9), Turn(("db",), 0))


def test_an_appliance_whose_vms_are_all_there_already_has_no_turns() -> None:
    assert plan_turns([], Op.START) == ()
