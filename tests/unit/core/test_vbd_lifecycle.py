"""What may be done with a drive, as a table."""

import dataclasses

import pytest

from cardume.core.vbd_lifecycle import DiskFacts, VBDFacts, allowed_operations, assert_can, assert_can_open
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vbd import VBDOperation as Op
from cardume.datamodel.vbd import VBDType
from cardume.datamodel.vdi import VDIOperation, VDIType
from cardume.datamodel.vm_enums import VMOperation, VMPowerState

VDI = DiskFacts("OpaqueRef:vdi", "OpaqueRef:sr")
DISK = VBDFacts("OpaqueRef:vbd", "OpaqueRef:vm", disk=VDI)
RUNNING_DISK = dataclasses.replace(DISK, power_state=VMPowerState.RUNNING)
PLUGGED_DISK = dataclasses.replace(RUNNING_DISK, currently_attached=True)
EMPTY_CD = VBDFacts("OpaqueRef:vbd", "OpaqueRef:vm", type=VBDType.CD, writable=False)
FULL_CD = dataclasses.replace(EMPTY_CD, disk=VDI)
RUNNING = VMPowerState.RUNNING
SUSPENDED = VMPowerState.SUSPENDED


@pytest.mark.parametrize(
    ("vbd", "allowed"),
    [
        pytest.param(DISK, {Op.ATTACH}, id="disk of a halted VM"),
        pytest.param(RUNNING_DISK, {Op.ATTACH, Op.PLUG}, id="disk to be plugged"),
        pytest.param(PLUGGED_DISK, {Op.ATTACH, Op.UNPLUG, Op.UNPLUG_FORCE}, id="plugged disk"),
        pytest.param(dataclasses.replace(PLUGGED_DISK, unpluggable=False), {Op.ATTACH}, id="disk that stays"),
        pytest.param(EMPTY_CD, {Op.ATTACH, Op.INSERT}, id="empty drive of a halted VM"),
        pytest.param(dataclasses.replace(EMPTY_CD, power_state=RUNNING), {Op.ATTACH, Op.INSERT}, id="empty drive"),
        pytest.param(dataclasses.replace(FULL_CD, power_state=RUNNING), {Op.ATTACH, Op.EJECT}, id="drive with a disc"),
        pytest.param(dataclasses.replace(FULL_CD, power_state=SUSPENDED), {Op.ATTACH}, id="drive of a suspended VM"),
    ],
)
def test_a_drive_offers_what_its_kind_and_its_vm_allow(vbd: VBDFacts, allowed: set[Op]) -> None:
    assert set(allowed_operations(vbd)) == allowed


@pytest.mark.parametrize(
    ("vbd", "operation", "description"),
    [
        (DISK, Op.PLUG, ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "running", "halted"]),
        (PLUGGED_DISK, Op.PLUG, ["DEVICE_ALREADY_ATTACHED", "OpaqueRef:vbd"]),
        (RUNNING_DISK, Op.UNPLUG, ["DEVICE_ALREADY_DETACHED", "OpaqueRef:vbd"]),
        (dataclasses.replace(PLUGGED_DISK, unpluggable=False), Op.UNPLUG, ["VBD_NOT_UNPLUGGABLE", "OpaqueRef:vbd"]),
        (DISK, Op.EJECT, ["VBD_NOT_REMOVABLE_MEDIA", "OpaqueRef:vbd"]),
        (EMPTY_CD, Op.EJECT, ["VBD_IS_EMPTY", "OpaqueRef:vbd"]),
        (FULL_CD, Op.INSERT, ["VBD_NOT_EMPTY", "OpaqueRef:vbd"]),
        (
            dataclasses.replace(FULL_CD, power_state=SUSPENDED),
            Op.EJECT,
            ["VM_BAD_POWER_STATE", "OpaqueRef:vm", "halted, paused, running", "suspended"],
        ),
        (
            dataclasses.replace(EMPTY_CD, power_state=RUNNING),
            Op.PLUG,
            ["OPERATION_NOT_ALLOWED", "a CD drive stays in a running VM: insert or eject its disc instead"],
        ),
        (
            dataclasses.replace(PLUGGED_DISK, vm_operations={"OpaqueRef:task": VMOperation.SUSPEND}),
            Op.UNPLUG,
            ["OTHER_OPERATION_IN_PROGRESS", "VM", "OpaqueRef:vm", "suspend", "OpaqueRef:task"],
        ),
        (
            dataclasses.replace(RUNNING_DISK, current_operations={"OpaqueRef:task": Op.PLUG}),
            Op.PLUG,
            ["OTHER_OPERATION_IN_PROGRESS", "VBD", "OpaqueRef:vbd", "plug", "OpaqueRef:task"],
        ),
        (DISK, Op.PAUSE, ["NOT_IMPLEMENTED", "VBD.pause"]),
    ],
)
def test_a_refusal_says_why(vbd: VBDFacts, operation: Op, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        assert_can(vbd, operation)
    assert refused.value.description == description


@pytest.mark.parametrize(
    ("change", "writes", "description"),
    [
        ({"read_only": True}, True, ["VDI_READONLY", "OpaqueRef:vdi"]),
        ({"open_elsewhere": True}, True, ["VDI_IN_USE", "OpaqueRef:vdi", "attach"]),
        ({"open_elsewhere": True, "written_elsewhere": True}, False, ["VDI_IN_USE", "OpaqueRef:vdi", "attach"]),
        ({"missing": True}, False, ["VDI_MISSING", "OpaqueRef:sr", "OpaqueRef:vdi"]),
        ({"managed": False}, False, ["VDI_NOT_MANAGED", "OpaqueRef:vdi"]),
        (
            {"type": VDIType.HA_STATEFILE, "sharable": True},
            True,
            ["VDI_INCOMPATIBLE_TYPE", "OpaqueRef:vdi", "ha_statefile"],
        ),
        ({"sr_has_pbds": False, "sr_attached": False}, False, ["SR_HAS_NO_PBDS", "OpaqueRef:sr"]),
        ({"sr_attached": False}, False, ["SR_NOT_ATTACHED", "OpaqueRef:sr"]),
        (
            {"current_operations": {"OpaqueRef:task": VDIOperation.COPY}},
            True,
            ["OTHER_OPERATION_IN_PROGRESS", "VDI", "OpaqueRef:vdi", "copy", "OpaqueRef:task"],
        ),
        (
            {"current_operations": {"OpaqueRef:task": VDIOperation.RESIZE}},
            False,
            ["OTHER_OPERATION_IN_PROGRESS", "VDI", "OpaqueRef:vdi", "resize", "OpaqueRef:task"],
        ),
    ],
)
def test_a_disk_that_cannot_be_opened_says_why(change: dict[str, object], writes: bool, description: list[str]) -> None:
    disk = dataclasses.replace(VDI, **change)  # type: ignore[arg-type]  # a table of changes
    with pytest.raises(ApiError) as refused:
        assert_can_open(disk, writes=writes)
    assert refused.value.description == description


@pytest.mark.parametrize(
    ("change", "writes"),
    [
        ({}, True),
        ({"read_only": True}, False),
        ({"open_elsewhere": True}, False),
        ({"open_elsewhere": True, "written_elsewhere": True, "sharable": True}, True),
        ({"current_operations": {"OpaqueRef:task": VDIOperation.COPY}}, False),
    ],
)
def test_readers_share_a_disk_and_sharable_disks_are_shared_by_all(change: dict[str, object], writes: bool) -> None:
    assert_can_open(dataclasses.replace(VDI, **change), writes=writes)  # type: ignore[arg-type]  # a table of changes


def test_a_cd_in_use_by_another_vm_may_be_attached_even_if_the_drive_claims_to_write() -> None:
    disk = dataclasses.replace(VDI, open_elsewhere=True, read_only=True)
    assert_can(dataclasses.replace(FULL_CD, writable=True, disk=disk), Op.ATTACH)
