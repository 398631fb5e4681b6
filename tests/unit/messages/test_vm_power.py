"""A VM's life over the API, with guests in memory."""

import asyncio
from typing import Any

from tests.unit.messages.fake_host import Client, FakeHost, eventually

from cardume.datamodel.refs import Ref
from cardume.hostops.errors import GuestBadState, GuestError, GuestUncertain, LinkLost
from cardume.hostops.guests.guest import AgentFacts
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.vm_state import set_stopped


async def test_a_vm_starts_and_its_record_says_so(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)

    record = await api("VM.get_record", vm)
    assert record["power_state"] == "Running"
    assert record["resident_on"] == (await api("host.get_all"))[0]
    assert "clean_shutdown" in record["allowed_operations"]
    assert "start" not in record["allowed_operations"]
    assert record["current_operations"] == {}
    (disk,) = record["VBDs"]
    assert (await api("VBD.get_record", disk))["currently_attached"] is True
    assert (await api("VBD.get_record", disk))["device"] == "xvda"
    assert len(record["consoles"]) == 2  # screen and serial line
    assert len(await host.guests.list()) == 1


async def test_suspending_and_resuming_keeps_the_guest_and_leaves_no_image(
    host: FakeHost, api: Client, vm: str, sr: str
) -> None:
    await api("VM.start", vm, False, False)
    before = len(await api("SR.get_VDIs", sr))

    await api("VM.suspend", vm)
    assert await api("VM.get_power_state", vm) == "Suspended"
    assert await host.guests.list() == ()
    assert len(await api("SR.get_VDIs", sr)) == before + 1

    await api("VM.resume", vm, False, False)
    assert await api("VM.get_power_state", vm) == "Running"
    assert await api("VM.get_suspend_VDI", vm) == "OpaqueRef:NULL"
    assert len(await api("SR.get_VDIs", sr)) == before


async def test_a_guest_that_powers_itself_off_is_halted_with_an_event(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    token = (await api("event.from", ["vm"], "", 0.0))["token"]

    host.guests.power_off_by_guest((await host.guests.list())[0].uuid)

    told = await api("event.from", ["vm"], token, 10.0)
    assert [event["snapshot"]["power_state"] for event in told["events"] if event["ref"] == vm] == ["Halted"]
    assert await api("VM.get_consoles", vm) == []


async def test_a_guest_whose_qemu_was_killed_is_halted(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.set_actions_after_crash", vm, "destroy")
    await api("VM.start", vm, False, False)

    host.guests.crash((await host.guests.list())[0].uuid)

    await eventually(lambda: host.db.get(_ref(vm)).power_state == "Halted")


async def test_two_clients_cannot_start_one_vm_at_once(host: FakeHost, api: Client, vm: str) -> None:
    host.guests.slow("start", 0.5)
    first = asyncio.create_task(api("VM.start", vm, False, False))
    await eventually(lambda: host.db.get(_ref(vm)).current_operations)

    refusal = await (await host.login()).refused("VM.start", vm, False, False)

    assert refusal[:3] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm]
    await first
    assert await api.refused("VM.start", vm, False, False) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]


async def test_a_start_that_fails_leaves_the_vm_halted_and_its_disk_free(host: FakeHost, api: Client, vm: str) -> None:
    host.guests.fail_next("start", GuestError("no such machine"))

    assert (await api.refused("VM.start", vm, False, False))[0] == "INTERNAL_ERROR"
    record = await api("VM.get_record", vm)
    assert record["power_state"] == "Halted"
    assert record["current_operations"] == {}
    assert (await api("VBD.get_record", record["VBDs"][0]))["currently_attached"] is False
    await api("VM.start", vm, False, False)


async def test_a_vm_whose_disk_went_with_its_repository_is_refused_by_that(api: Client, vm: str, sr: str) -> None:
    for pbd in await api("SR.get_PBDs", sr):
        await api("PBD.unplug", pbd)
    await api("SR.forget", sr)
    (vbd,) = await api("VM.get_VBDs", vm)

    assert await api.refused("VM.start", vm, False, False) == ["VBD_IS_EMPTY", vbd]
    assert await api("VM.get_power_state", vm) == "Halted"


async def test_a_vm_whose_host_is_lost_in_the_middle_of_its_start_counts_as_running_until_the_host_tells(
    host: FakeHost, api: Client, vm: str
) -> None:
    host.guests.fail_next("start", LinkLost("gone"))
    host.guests.fail_next("destroy", LinkLost("gone"))
    assert await api.refused("VM.start", vm, False, False) == ["HOST_NOT_LIVE"]
    (here,) = await api("host.get_all")
    record = await api("VM.get_record", vm)
    assert (record["power_state"], record["resident_on"], record["current_operations"]) == ("Running", here, {})
    assert (await api.refused("VM.start", vm, False, False))[0] == "VM_BAD_POWER_STATE"
    await GuestWatch(host.db, host.hands, Ref(here)).resync()
    assert await api("VM.get_power_state", vm) == "Halted"
    await api("VM.start", vm, False, False)


async def test_a_vm_whose_start_libvirtd_may_still_do_counts_as_running_until_that_is_known(
    host: FakeHost, api: Client, vm: str
) -> None:
    host.guests.fail_next("start", GuestUncertain("no answer"))
    host.guests.fail_next("destroy", GuestUncertain("it may come up"))
    await api.refused("VM.start", vm, False, False)
    (here,) = await api("host.get_all")
    record = await api("VM.get_record", vm)
    assert (record["power_state"], record["resident_on"]) == ("Running", here)
    watch = GuestWatch(host.db, host.hands, Ref(here))
    host.guests.fail_next("find", GuestUncertain("it may come up"))
    await watch.resync()
    assert await api("VM.get_power_state", vm) == "Running"
    await watch.catch_up()
    assert await api("VM.get_power_state", vm) == "Halted"


async def test_a_shutdown_waits_for_the_guest(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    await api("VM.clean_shutdown", vm)
    assert await api("VM.get_power_state", vm) == "Halted"
    await api("VM.start", vm, False, False)
    await api("VM.hard_shutdown", vm)
    assert await api("VM.get_power_state", vm) == "Halted"


async def test_processors_given_to_a_running_vm_show_in_its_metrics(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.set_VCPUs_max", vm, "4")
    await api("VM.set_VCPUs_at_startup", vm, "1")
    await api("VM.start", vm, False, False)
    metrics = await api("VM.get_metrics", vm)
    assert await api("VM_metrics.get_VCPUs_number", metrics) == "1"

    await api("VM.set_VCPUs_number_live", vm, "3")

    assert await api("VM_metrics.get_VCPUs_number", metrics) == "3"
    assert await api("VM.get_VCPUs_at_startup", vm) == "3"
    assert (await host.guests.list())[0].vcpus == 3


def _ref(text: str) -> Any:
    from cardume.datamodel.refs import Ref

    return Ref(text)


async def test_a_paused_vm_says_so_in_its_record_and_its_metrics(api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    metrics = await api("VM.get_metrics", vm)

    await api("VM.pause", vm)
    assert await api("VM.get_power_state", vm) == "Paused"
    assert await api("VM_metrics.get_state", metrics) == ["paused"]

    await api("VM.unpause", vm)
    assert await api("VM.get_power_state", vm) == "Running"
    assert await api("VM_metrics.get_state", metrics) == ["running"]


async def test_the_clock_of_a_guest_that_stood_still_is_set_by_its_agent(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    (guest,) = await host.guests.list()
    host.guests.set_agent(guest.uuid, AgentFacts(version="7.2"))
    await api("VM.pause", vm)
    assert host.guests.clocks_set(guest.uuid) == 0
    await api("VM.unpause", vm)
    await eventually(lambda: host.guests.clocks_set(guest.uuid) == 1)
    host.guests.fail_next("set_clock", GuestError("the agent is stuck"))
    for clocks_set in (1, 2):
        await api("VM.pause", vm)
        await api("VM.unpause", vm)
        await eventually(lambda: host.guests.clocks_set(guest.uuid) == clocks_set)  # noqa: B023


async def test_a_guest_that_is_being_started_already_is_said_to_be_busy(host: FakeHost, api: Client, vm: str) -> None:
    host.guests.fail_next("start", GuestBadState("an earlier start of it may still come true"))
    assert (await api.refused("VM.start", vm, False, False))[:3] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm]
    assert await api("VM.get_power_state", vm) == "Halted"


async def recorded_as_halted(host: FakeHost, api: Client, vm: str) -> str:
    """The VM runs, and the record does not know of it; the guest's uuid."""
    await api("VM.start", vm, False, False)
    async with host.db.transaction() as txn:
        set_stopped(txn, Ref(vm))
    return str(host.db.get(_ref(vm)).uuid)


async def test_a_guest_that_runs_though_its_record_says_halted_is_recorded_and_not_ended(
    host: FakeHost, api: Client, vm: str
) -> None:
    uuid = await recorded_as_halted(host, api, vm)
    (before,) = await host.guests.list()
    assert await api.refused("VM.start", vm, False, False) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
    assert await host.guests.find(uuid) == before
    record = await api("VM.get_record", vm)
    assert (record["power_state"], record["current_operations"]) == ("Running", {})
    assert (await api("VBD.get_record", record["VBDs"][0]))["currently_attached"] is True
    assert record["resident_on"] == (await api("host.get_all"))[0]


async def test_a_guest_that_appears_while_its_start_is_prepared_is_not_ended_for_its_failure(
    host: FakeHost, api: Client, vm: str
) -> None:
    uuid = await recorded_as_halted(host, api, vm)
    host.guests.fail_next("find", GuestUncertain("an earlier start may still come true"))
    assert (await api.refused("VM.start", vm, False, False))[:3] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm]
    assert await host.guests.find(uuid) is not None
    record = await api("VM.get_record", vm)
    assert record["power_state"] == "Running"
    assert (await api("VBD.get_record", record["VBDs"][0]))["currently_attached"] is True
