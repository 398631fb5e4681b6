"""VMs that start and stop together."""

import pytest

from cardume.datamodel.refs import Ref

from .fake_host import Client, FakeHost, eventually


@pytest.fixture
async def other(api: Client, vm: str) -> str:
    """A second VM without disks, whose turn comes after the first one's."""
    (template,) = await api("VM.get_by_name_label", "Linux")
    other: str = await api("VM.clone", template, "db")
    await api("VM.remove_from_other_config", other, "disks")
    await api("VM.provision", other)
    await api("VM.set_memory_limits", other, str(2**27), str(2**28), str(2**28), str(2**28))
    await api("VM.set_order", other, "1")
    return other


@pytest.fixture
async def appliance(api: Client, vm: str, other: str) -> str:
    made: str = await api("VM_appliance.create", {"name_label": "shop", "name_description": ""})
    for member in (vm, other):
        await api("VM.set_appliance", member, made)
    return made


async def test_an_appliance_starts_and_stops_its_vms(api: Client, appliance: str, vm: str, other: str) -> None:
    assert sorted(await api("VM_appliance.get_VMs", appliance)) == sorted([vm, other])
    assert await api("VM_appliance.get_allowed_operations", appliance) == ["start"]

    await api("VM_appliance.start", appliance, False)
    assert [await api("VM.get_power_state", each) for each in (vm, other)] == ["Running", "Running"]
    assert "start" not in await api("VM_appliance.get_allowed_operations", appliance)

    await api("VM_appliance.hard_shutdown", appliance)
    assert [await api("VM.get_power_state", each) for each in (vm, other)] == ["Halted", "Halted"]
    assert await api("VM_appliance.get_allowed_operations", appliance) == ["start"]


async def test_vms_of_an_appliance_may_wait_for_their_first_instruction(api: Client, appliance: str, vm: str) -> None:
    await api("VM_appliance.start", appliance, True)

    assert await api("VM.get_power_state", vm) == "Paused"


async def test_a_start_waits_between_turns_and_can_be_cancelled(
    api: Client, host: FakeHost, appliance: str, vm: str, other: str
) -> None:
    await api("VM.set_start_delay", vm, "600")
    task = await api("Async.VM_appliance.start", appliance, False)
    await eventually(lambda: host.db.get(Ref(vm)).power_state == "Running")

    assert await api("VM_appliance.get_current_operations", appliance) == {task: "start"}
    assert (await api.refused("VM_appliance.destroy", appliance))[0] == "OTHER_OPERATION_IN_PROGRESS"
    await eventually(lambda: host.db.get(Ref(task)).progress == 0.5)
    await api("task.cancel", task)

    await eventually(lambda: host.db.get(Ref(task)).status == "cancelled")
    assert [await api("VM.get_power_state", each) for each in (vm, other)] == ["Running", "Halted"]
    assert await api("VM_appliance.get_current_operations", appliance) == {}


async def test_a_turn_that_failed_is_the_last(api: Client, appliance: str, vm: str, other: str) -> None:
    await api("VM.add_to_blocked_operations", vm, "start", "kept for the auditor")

    assert await api.refused("VM_appliance.start", appliance, False) == ["OPERATION_PARTIALLY_FAILED", "start"]
    assert [await api("VM.get_power_state", each) for each in (vm, other)] == ["Halted", "Halted"]


async def test_an_appliance_that_goes_leaves_its_vms(api: Client, appliance: str, vm: str) -> None:
    await api("VM_appliance.destroy", appliance)

    assert await api("VM.get_appliance", vm) == "OpaqueRef:NULL"
    assert await api("VM_appliance.get_all") == []


async def test_templates_and_the_control_domain_join_no_appliance(api: Client, appliance: str) -> None:
    (template,) = await api("VM.get_by_name_label", "Linux")
    (member,) = await api("host.get_all")
    domain = await api("host.get_control_domain", member)

    assert await api.refused("VM.set_appliance", template, appliance) == ["VM_IS_TEMPLATE", template]
    assert (await api.refused("VM.set_appliance", domain, appliance))[0] == "OPERATION_NOT_ALLOWED"


async def test_an_appliance_without_vms_starts_nothing(api: Client) -> None:
    empty = await api("VM_appliance.create", {})

    assert await api("VM_appliance.get_allowed_operations", empty) == []
    assert (await api.refused("VM_appliance.start", empty, False))[0] == "OPERATION_NOT_ALLOWED"


async def test_a_snapshot_or_copy_of_a_member_is_no_member(api: Client, appliance: str, vm: str, other: str) -> None:
    await api("VM.snapshot", other, "before")
    await api("VM.clone", other, "twin")

    assert sorted(await api("VM_appliance.get_VMs", appliance)) == sorted([vm, other])
