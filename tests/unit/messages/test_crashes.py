"""What a daemon that crashed half-way leaves, and what the next one makes of it."""

from typing import Any

from tests.unit.messages.fake_host import Client, FakeHost

from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.hands import Hands
from cardume.hostops.storage.memory_copier import MemoryCopier
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.new_vdi import INCOMPLETE, remove_incomplete
from cardume.messages.sr_space import record_sizes
from cardume.messages.storage_values import repository, volume
from cardume.messages.vdi_records import vdi_draft

MIB = 2**20


def hands_of(host: FakeHost) -> tuple[Hands, Ref[Host]]:
    (ref,) = host.db.all(Host)
    storage = {"ext": host.disks, "iso": host.isos}
    hands = host.hands
    return Hands(
        host.guests, storage, MemoryCopier(host.disks.shelf), host.bridges, hands.network, hands.machine, hands.meter
    ), ref


def watch_of(host: FakeHost) -> GuestWatch:
    """The eyes of a daemon that starts again."""
    hands, ref = hands_of(host)
    return GuestWatch(host.db, hands, ref)


async def test_a_volume_that_was_finished_but_not_recorded_goes_with_its_record(
    host: FakeHost, api: Client, sr: str
) -> None:
    hands, ref = hands_of(host)
    repo = repository(host.db, Ref(sr), ref)
    draft = vdi_draft(Ref(sr), "half", MIB, managed=False, uuid="00000000-0000-4000-8000-000000000001")
    vdi = await host.db.create(draft)
    await host.db.update(vdi, sm_config={INCOMPLETE: "OpaqueRef:of-a-task"})
    await host.disks.create_volume(repo, "00000000-0000-4000-8000-000000000001", MIB, format="raw")

    await remove_incomplete(host.db, hands, ref)

    assert host.db.find(vdi) is None
    assert await host.disks.scan(repo) == ()


async def test_a_size_that_was_not_recorded_is_learnt_at_the_start(host: FakeHost, api: Client, vm: str) -> None:
    _, ref = hands_of(host)
    (disk,) = [each for each in host.db.all(VDI).values() if each.name_label == "disk"]
    repo = repository(host.db, disk.SR, ref)
    await host.disks.resize_volume(repo, volume(disk), 2**31)

    await record_sizes(host.db, disk.SR, await host.disks.scan(repo))

    assert host.db.get(host.db.by_uuid(VDI, disk.uuid)).virtual_size == 2**31


async def test_a_guest_that_was_restored_but_not_recorded_goes_and_the_vm_stays_suspended(
    host: FakeHost, api: Client, vm: str
) -> None:
    await api("VM.start", vm, False, False)
    await api("VM.pause", vm)
    suspended = host.db.get(ref_of(vm))
    # As a crash leaves it between libvirt's restore and our record: the guest is there and has not run yet.
    await host.db.update(ref_of(vm), power_state=VMPowerState.SUSPENDED, resident_on=NULL, domid=-1)

    await watch_of(host).resync()

    assert await host.guests.list() == ()
    record = await api("VM.get_record", vm)
    assert record["power_state"] == "Suspended"
    assert [(await api("VBD.get_record", vbd))["currently_attached"] for vbd in record["VBDs"]] == [False]
    assert suspended.uuid == record["uuid"]


async def test_a_guest_that_runs_on_has_no_saved_memory_any_more(host: FakeHost, api: Client, vm: str, sr: str) -> None:
    await api("VM.start", vm, False, False)
    draft = vdi_draft(Ref(sr), "Suspend image", MIB)
    memory = await host.db.create(draft)
    await host.db.update(ref_of(vm), suspend_VDI=memory)

    await watch_of(host).resync()

    assert await api("VM.get_power_state", vm) == "Running"
    assert await api("VM.get_suspend_VDI", vm) == "OpaqueRef:NULL"
    assert host.db.find(memory) is None


async def test_memory_that_nobody_had_called_durable_is_not_trusted_after_a_power_cut(
    host: FakeHost, api: Client, vm: str
) -> None:
    await api("VM.start", vm, False, False)
    running = host.db.get(ref_of(vm))
    await api("VM.suspend", vm)
    memory = host.db.get(ref_of(vm)).suspend_VDI
    # As a crash leaves it between libvirt's save and our record.
    await host.db.update(
        ref_of(vm), power_state=VMPowerState.RUNNING, resident_on=running.resident_on, domid=running.domid
    )

    await watch_of(host).resync(after_boot=True)

    assert await api("VM.get_power_state", vm) == "Halted"
    assert await api("VM.get_suspend_VDI", vm) == "OpaqueRef:NULL"
    assert host.db.find(memory) is None


async def test_memory_that_was_saved_whole_is_kept_when_only_the_daemon_crashed(
    host: FakeHost, api: Client, vm: str
) -> None:
    await api("VM.start", vm, False, False)
    running = host.db.get(ref_of(vm))
    await api("VM.suspend", vm)
    await host.db.update(
        ref_of(vm), power_state=VMPowerState.RUNNING, resident_on=running.resident_on, domid=running.domid
    )

    await watch_of(host).resync()

    assert await api("VM.get_power_state", vm) == "Suspended"
    await api("VM.resume", vm, False, False)
    assert await api("VM.get_power_state", vm) == "Running"


async def test_a_suspended_vm_that_is_ended_never_wakes_with_its_old_memory(
    host: FakeHost, api: Client, vm: str, sr: str
) -> None:
    from cardume.hostops.errors import StorageUnreachable

    await api("VM.start", vm, False, False)
    await api("VM.suspend", vm)
    host.disks.fail_next("destroy_volume", StorageUnreachable("gone"))

    await api("VM.hard_shutdown", vm)

    assert await api("VM.get_power_state", vm) == "Halted"
    assert await api("VM.get_suspend_VDI", vm) == "OpaqueRef:NULL"
    left = [vdi for vdi in host.db.all(VDI).values() if INCOMPLETE in vdi.sm_config]
    assert [vdi.type for vdi in left] == ["suspend"]
    hands, ref = hands_of(host)
    await remove_incomplete(host.db, hands, ref)
    assert len(await api("SR.get_VDIs", sr)) == 1


async def test_an_end_that_could_not_be_recorded_is_recorded_later(host: FakeHost, api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    running = host.db.get(ref_of(vm))
    await api("VM.hard_shutdown", vm)
    await host.db.update(
        ref_of(vm), power_state=VMPowerState.RUNNING, resident_on=running.resident_on, domid=running.domid
    )

    await watch_of(host).catch_up()

    assert await api("VM.get_power_state", vm) == "Halted"


def ref_of(text: str) -> Ref[Any]:
    return Ref(text)
