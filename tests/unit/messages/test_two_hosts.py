"""Two hosts in one database: what joins comes along once, and the work for one host leaves the other's alone."""

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import pytest
from tests.contract.linked import memory_hands
from tests.unit.messages.fake_host import FACTS

from cardume.core.cpu_features import encode
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import Message
from cardume.datamodel.network import Network
from cardume.datamodel.pbd import PBD
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref, new_uuid
from cardume.datamodel.sr import SR
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.guests.guest import Disk, FileSource, GuestSpec
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.host_parsers import NIC, IPv4
from cardume.hostops.storage.driver import Volume
from cardume.messages.activations import activation, deactivate_all
from cardume.messages.call import Call
from cardume.messages.cpu_levelling import boot_flags, hidden_from_guests
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.inventory import ThisHost, record_host
from cardume.messages.lifecycle import derive_allowed_operations
from cardume.messages.new_vdi import is_incomplete
from cardume.messages.pool import sync_database
from cardume.messages.pool_admission import admit, knows, load_joiner
from cardume.messages.pool_join import _forget_host
from cardume.messages.templates import blank_vm
from cardume.messages.vbd import assert_attachable_message
from cardume.messages.vdi_records import vdi_record
from cardume.messages.vm_disks import claim
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

UUIDS = {"d1-g1": "11111111-1111-4111-8111-111111111111", "d2-g1": "22222222-2222-4222-8222-222222222222"}
GIB = 2**30


@dataclass
class Alone:
    """A host that is a pool of its own."""

    store: MemoryStore
    db: Objects
    host: Ref[Host]
    hands: Hands
    guests: MemoryGuests


async def alone(name: str, number: int) -> Alone:
    store = MemoryStore()
    db = await Objects.open(store)
    db.derive_with(derive_allowed_operations)
    guests = MemoryGuests()
    hands = memory_hands(guests=guests)
    address = IPv4(f"10.0.0.1{number}", "255.255.255.0", "10.0.0.1")
    card = NIC("eth0", f"02:00:00:00:00:0{number}", True, 1000, 1500, "xenbr0", address)
    facts = replace(FACTS, hostname=name, nics=(card,))
    this = ThisHost(UUIDS[name], name, "xenbr0", time.time())
    return Alone(store, db, await record_host(db, this, facts, hands.storage, "tcg"), hands, guests)


@pytest.fixture
async def first() -> Alone:
    return await alone("d1-g1", 1)


@pytest.fixture
async def second() -> Alone:
    return await alone("d2-g1", 2)


async def add_repository(one: Alone, name: str, *, shared: bool) -> Ref[SR]:
    record = SR(
        name_label=name,
        name_description="",
        type="memory",
        content_type="user",
        shared=shared,
        physical_size=0,
        other_config={},
        sm_config={},
    )
    async with one.db.transaction() as txn:
        sr = txn.create(record)
        txn.create(PBD(host=one.host, SR=sr, device_config={"location": name}, currently_attached=True))
    return sr


async def add_vm(one: Alone, name: str, sr: Ref[SR], *, is_template: bool = False) -> tuple[Ref[VM], Ref[VDI]]:
    """A VM with one disk, which only its record knows of."""
    other = {"default_template": "true"} if is_template else {}
    record = blank_vm(name, "", memory=GIB, vcpus=1, platform={}, other_config=other, is_a_template=is_template)
    async with one.db.transaction() as txn:
        vm = txn.create(record)
        vdi = txn.create(vdi_record(sr, Volume(new_uuid(), f"{name}.qcow2", GIB, 0)))
        drive = VBD(
            VM=vm,
            VDI=vdi,
            userdevice="0",
            bootable=True,
            mode=VBDMode.RW,
            type=VBDType.DISK,
            empty=False,
            qos_algorithm_type="",
            qos_algorithm_params={},
            other_config={},
        )
        txn.create(drive)
    return vm, vdi


async def join(first: Alone, second: Alone) -> Ref[Host]:
    return await admit(first.db, load_joiner(await second.db.stored()), UUIDS["d2-g1"])


async def test_what_a_host_has_becomes_the_pools_under_the_same_references(first: Alone, second: Alone) -> None:
    sr = await add_repository(second, "local", shared=False)
    vm, disk = await add_vm(second, "web", sr)
    host = await join(first, second)

    assert host == second.host
    assert knows(first.db, UUIDS["d2-g1"])
    assert [record.name_label for record in first.db.all(Host).values()] == ["d1-g1", "d2-g1"]
    assert first.db.get(vm).VBDs == second.db.get(vm).VBDs
    assert sr == first.db.get(disk).SR
    assert [first.db.get(pbd).host for pbd in first.db.get(sr).PBDs] == [host]
    (pool,) = first.db.all(Pool).values()
    assert pool.master == first.host
    (network,) = first.db.all(Network).values()  # the same bridge: one network, with an interface of each host
    assert {first.db.get(pif).host for pif in network.PIFs} == {first.host, host}
    assert not first.db.get(first.db.get(host).metrics).live


async def test_default_templates_are_there_once_and_the_second_ones_disk_goes(first: Alone, second: Alone) -> None:
    for one in (first, second):
        await add_vm(one, "Lab guest", await add_repository(one, "local", shared=False), is_template=True)
    spare = next(ref for ref, vdi in second.db.all(VDI).items() if vdi.location == "Lab guest.qcow2")
    await join(first, second)
    labels = sorted(vm.name_label for vm in first.db.all(VM).values() if vm.is_a_template)
    assert labels == ["Lab guest", "Linux", "Other install media", "Windows"]
    assert is_incomplete(first.db.get(spare))


async def test_shared_repositories_reach_the_new_host_too(first: Alone, second: Alone) -> None:
    shared, local = await add_repository(first, "iso", shared=True), await add_repository(first, "local", shared=False)
    host = await join(first, second)
    links = [first.db.get(pbd) for pbd in first.db.get(shared).PBDs]
    assert [(link.host, link.device_config) for link in links] == [
        (first.host, {"location": "iso"}),
        (host, {"location": "iso"}),
    ]
    assert [first.db.get(pbd).host for pbd in first.db.get(local).PBDs] == [first.host]


async def test_a_disk_that_a_member_alone_reaches_can_be_attached_to_a_vm_that_runs_nowhere(
    first: Alone, second: Alone
) -> None:
    vm, _ = await add_vm(second, "web", await add_repository(second, "local", shared=False))
    await join(first, second)
    call = cast(Call, SimpleNamespace(db=first.db, localhost=first.host))
    (vbd,) = first.db.get(vm).VBDs
    await assert_attachable_message(call, vbd)

    (link,) = [ref for ref, pbd in first.db.all(PBD).items() if pbd.host == second.host]
    await first.db.update(link, currently_attached=False)
    with pytest.raises(ApiError, match="SR_NOT_ATTACHED"):
        await assert_attachable_message(call, vbd)


async def test_a_second_admission_of_the_same_host_changes_nothing(first: Alone, second: Alone) -> None:
    host = await join(first, second)
    before = first.db.counts()
    assert await join(first, second) == host
    assert first.db.counts() == before


async def test_a_pools_database_is_on_its_members_when_they_say_so(first: Alone, second: Alone) -> None:
    waited: list[bool] = []

    async def sync() -> None:
        waited.append(True)

    call = cast(Call, SimpleNamespace(db=first.db, services={"mastery": SimpleNamespace(sync=sync)}))
    await sync_database(call)
    assert not waited
    await join(first, second)
    await sync_database(call)
    assert waited


async def run_on(one: Alone, db: Objects, vm: Ref[VM]) -> None:
    """As after a start on that host: a guest there, its disk claimed, all of it recorded."""
    disk = Disk("0", FileSource("/dev/null", "raw"))
    await one.guests.start(GuestSpec(db.get(vm).uuid, "vm", GIB, 1, 1, disks=(disk,)))
    async with db.transaction() as txn:
        txn.update(vm, power_state=VMPowerState.RUNNING, resident_on=one.host, domid=1)
        for vbd in txn.get(vm).VBDs:
            txn.update(vbd, currently_attached=True)


def claims(db: Objects, vm: Ref[VM]) -> list[bool]:
    return [db.get(vbd).currently_attached for vbd in db.get(vm).VBDs]


async def test_looking_after_one_host_leaves_the_guests_of_another_and_their_disks_alone(
    first: Alone, second: Alone
) -> None:
    vm, _ = await add_vm(second, "web", await add_repository(second, "local", shared=False))
    await join(first, second)
    await run_on(second, first.db, vm)
    await GuestWatch(first.db, first.hands, first.host).resync(after_boot=True)
    assert claims(first.db, vm) == [True]
    assert first.db.get(vm).power_state is VMPowerState.RUNNING
    await GuestWatch(first.db, second.hands, second.host).resync()
    assert (first.db.get(vm).resident_on, claims(first.db, vm)) == (second.host, [True])


async def test_a_second_guest_of_a_vm_that_runs_elsewhere_is_ended(first: Alone, second: Alone) -> None:
    vm, _ = await add_vm(first, "web", await add_repository(first, "local", shared=True))
    await join(first, second)
    await second.guests.start(GuestSpec(first.db.get(vm).uuid, "vm", GIB, 1, 1))  # given up for dead too early
    await run_on(first, first.db, vm)
    await GuestWatch(first.db, second.hands, second.host).resync()
    assert await second.guests.find(first.db.get(vm).uuid) is None
    assert first.db.get(vm).resident_on == first.host
    assert await first.guests.find(first.db.get(vm).uuid) is not None


async def test_a_disk_that_another_host_may_have_open_stays_held_until_that_host_tells(
    first: Alone, second: Alone
) -> None:
    """The master died in the middle of a start on a member: the next one knows where, and lets nobody else open it."""
    host = await join(first, second)
    sr = await add_repository(first, "shared", shared=True)
    vm, vdi = await add_vm(first, "started there", sr)
    (drive,) = first.db.get(vm).VBDs
    async with first.db.transaction() as txn:
        txn.create(PBD(host=host, SR=sr, device_config={}, currently_attached=True))
        claim(txn, (drive,), host)

    await GuestWatch(first.db, first.hands, first.host).resync()
    assert first.db.get(drive).currently_attached
    with pytest.raises(ApiError, match="VDI_IN_USE"):
        async with first.db.transaction() as txn:
            claim(txn, (drive,), first.host)

    await GuestWatch(first.db, second.hands, host).resync()
    assert not first.db.get(drive).currently_attached
    async with first.db.transaction() as txn:
        claim(txn, (drive,), first.host)
    held = activation(first.db, drive)
    assert held is not None
    assert (held.VDI, held.host, held.mode) == (vdi, first.host, VBDMode.RW)


async def test_a_host_that_is_declared_dead_holds_no_disk(first: Alone, second: Alone) -> None:
    host = await join(first, second)
    sr = await add_repository(first, "shared", shared=True)
    vm, _ = await add_vm(first, "started there", sr)
    (drive,) = first.db.get(vm).VBDs
    async with first.db.transaction() as txn:
        txn.create(PBD(host=host, SR=sr, device_config={}, currently_attached=True))
        claim(txn, (drive,), host)
        deactivate_all(txn, first.host)
        assert activation(txn, drive) is not None
        deactivate_all(txn, host)
    assert activation(first.db, drive) is None
    assert not first.db.get(drive).currently_attached


async def test_the_pools_processors_can_do_what_each_of_them_can(first: Alone, second: Alone) -> None:
    async with second.db.transaction() as txn:
        told = {**txn.get(second.host).cpu_info, "features_hvm": encode(["sse"]), "cpu_count": "2"}
        txn.update(second.host, cpu_info=told)
    ((pool, before),) = first.db.all(Pool).items()
    assert before.cpu_info["features_hvm"] == encode(["sse", "vmx"])
    assert hidden_from_guests(first.db, first.host) == ()

    host = await join(first, second)
    info = first.db.get(pool).cpu_info
    assert (info["features_hvm"], info["cpu_count"]) == (encode(["sse"]), "6")
    assert hidden_from_guests(first.db, first.host) == ("vmx",)
    assert hidden_from_guests(first.db, host) == ()
    assert boot_flags(first.db, first.host) == {"vendor": "GenuineIntel"}  # it emulates, so the guest sees none of it

    async with first.db.transaction() as txn:
        _forget_host(txn, host)
    assert first.db.get(pool).cpu_info == before.cpu_info
    alerts = [(alert.name, alert.body) for alert in first.db.all(Message).values()]
    told_of = "<body><features>vmx</features></body>"
    assert sorted(alerts) == [("POOL_CPU_FEATURES_DOWN", told_of), ("POOL_CPU_FEATURES_UP", told_of)]
