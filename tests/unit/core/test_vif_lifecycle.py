"""What may be done with a network card, as a table."""

import dataclasses

import pytest

from cardume.core.vif_lifecycle import VIFFacts, allowed_operations, assert_can
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vif import VIFOperation as Op
from cardume.datamodel.vm_enums import VMOperation, VMPowerState

HALTED = VIFFacts("OpaqueRef:vif", "OpaqueRef:vm")
RUNNING = dataclasses.replace(HALTED, power_state=VMPowerState.RUNNING)
PLUGGED = dataclasses.replace(RUNNING, currently_attached=True)
STOPPING = dataclasses.replace(PLUGGED, vm_operations={"OpaqueRef:task": VMOperation.CLEAN_SHUTDOWN})


@pytest.mark.parametrize(
    ("vif", "allowed"),
    [
        pytest.param(HALTED, {Op.ATTACH}, id="halted"),
        pytest.param(RUNNING, {Op.ATTACH, Op.PLUG}, id="running"),
        pytest.param(PLUGGED, {Op.ATTACH, Op.UNPLUG}, id="plugged"),
        pytest.param(STOPPING, {Op.ATTACH}, id="of a VM that shuts down"),
        pytest.param(dataclasses.replace(RUNNING, current_operations={"OpaqueRef:task": Op.PLUG}), set(), id="busy"),
    ],
)
def test_a_card_offers_what_its_vm_allows(vif: VIFFacts, allowed: set[Op]) -> None:
    assert set(allowed_operations(vif)) == allowed


@pytest.mark.parametrize(
    ("vif", "operation", "description"),
    [
        (HALTED, Op.PLUG, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "running", "halted"]),
        (PLUGGED, Op.PLUG, ["DEVICE_ALREADY_ATTACHED", "OpaqueRef:vif"]),
        (RUNNING, Op.UNPLUG, ["DEVICE_ALREADY_DETACHED", "OpaqueRef:vif"]),
        (
            STOPPING,
            Op.UNPLUG,
            ["OTHER_OPERATION_IN_PROGRESS", "VM", "OpaqueRef:vm", "clean_shutdown", "OpaqueRef:task"],
        ),
    ],
)
def test_a_refusal_says_why(vif: VIFFacts, operation: Op, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        assert_can(vif, operation)
    assert refused.value.description == description
