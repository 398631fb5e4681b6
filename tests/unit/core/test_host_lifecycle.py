"""The rules about what may be done with a host."""

import pytest

from cardume.core.host_lifecycle import HostFacts, allowed_operations, assert_can
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import HostOperation as Op

HOST, VM = "OpaqueRef:host", "OpaqueRef:vm"


def test_a_host_in_use_takes_guests_and_is_not_switched_off() -> None:
    assert allowed_operations(HostFacts(HOST)) == (Op.PROVISION, Op.VM_START, Op.VM_RESUME, Op.ENABLE)


def test_a_host_out_of_use_may_be_switched_off() -> None:
    assert allowed_operations(HostFacts(HOST, enabled=False)) == (Op.SHUTDOWN, Op.REBOOT, Op.ENABLE)


def test_a_host_that_is_off_is_switched_on_if_there_is_a_way() -> None:
    assert Op.POWER_ON in allowed_operations(HostFacts(HOST, live=False, can_be_woken=True))
    assert Op.POWER_ON not in allowed_operations(HostFacts(HOST, can_be_woken=True))
    assert Op.POWER_ON not in allowed_operations(HostFacts(HOST, live=False))


def test_nothing_begins_on_a_host_that_restarts() -> None:
    host = HostFacts(HOST, enabled=False, current_operations={"OpaqueRef:task": Op.REBOOT})

    assert allowed_operations(host) == ()


@pytest.mark.parametrize(
    ("host", "operation", "refusal"),
    [
        (HostFacts(HOST), Op.REBOOT, ["HOST_NOT_DISABLED"]),
        (HostFacts(HOST, enabled=False, guest=VM), Op.SHUTDOWN, ["HOST_IN_USE", HOST, "VM", VM]),
        (HostFacts(HOST, enabled=False), Op.VM_START, ["HOST_DISABLED", HOST]),
        (HostFacts(HOST, live=False), Op.POWER_ON, ["HOST_POWER_ON_MODE_DISABLED"]),
        (HostFacts(HOST, can_be_woken=True), Op.POWER_ON, ["HOST_IS_LIVE", HOST]),
        (HostFacts(HOST), Op.EVACUATE, ["NOT_IMPLEMENTED", "host.evacuate"]),
    ],
)
def test_an_operation_is_refused_with_its_reason(host: HostFacts, operation: Op, refusal: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        assert_can(host, operation)

    assert refused.value.description == refusal
