"""Disks, cards and networks that are added: the choices, what is refused, and that nothing half made stays."""

import asyncio
from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.connections import undoing
from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.connections.workspace import Job
from cardume.console.presenters import adding
from cardume.console.presenters.devices import networks, sr_disks
from cardume.console.text.catalogue import Texts
from cardume.console.views import devices, new_vm

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.host("b")
    made.sr("local a", "a")
    made.sr("local b", "b")
    made.sr("lun", "a", "b", shared=True)
    made.sr("isos", "a", content="iso")
    made.sr("away", "a", attached=False)
    made.put("pool", "p1", default_SR="sr:lun")
    made.vm("web", on="a", sr="local a")
    return made


class Pool:
    """A connection that notes what it is asked; `fails` says which messages do, and how often."""

    def __init__(self, power: str = "Running", **fails: list[Exception]) -> None:
        self.asked: list[str] = []
        self._power, self._fails = power, fails

    async def call(self, method: str, *params: Any) -> Any:
        self.asked.append(method)
        failures = self._fails.get(method.replace(".", "_"))
        if failures:
            raise failures.pop(0)
        answers = {"VM.get_allowed_VBD_devices": ["3", "10"], "VM.get_power_state": self._power}
        return answers.get(method, f"new:{method}")

    work = call


def test_a_disk_can_be_where_the_vm_reaches_it_and_the_default_comes_first() -> None:
    made = room()
    assert [*adding.repositories_for(made.source(), made.record("vm", "web"), T)] == ["sr:lun", "sr:local a"]
    made.vm("anywhere")
    found = adding.repositories_for(made.source(), made.record("vm", "anywhere"), T)
    assert [*found] == ["sr:lun", "sr:local a", "sr:local b"]


def test_a_disk_without_a_vm_can_be_attached_or_deleted_and_others_cannot() -> None:
    made = room()
    made.vm("gone", sr="lun")
    made.put("vm", "gone", VBDs=[])
    made.put("vdi", "gone-disk", VBDs=[], allowed_operations=["copy", "destroy"])
    assert [*adding.free_disks(made.source(), made.record("vm", "web"), T)] == ["vdi:gone-disk"]
    made.put("vdi", "gone-disk", type="ha_statefile")
    assert adding.free_disks(made.source(), made.record("vm", "web"), T) == {}
    ((*_, cell),) = sr_disks(made.source(), made.record("sr", "lun"), T).rows
    assert [(act.key, act.why_not) for act in cell.acts] == [("disk_export", ""), ("disk_delete", "")]
    ((*_, cell),) = sr_disks(made.source(), made.record("sr", "local a"), T).rows
    assert cell.acts[-1].why_not == "A VM, template or snapshot has it. Detach it there first."


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1 << 30), ("0,5", 1 << 29), ("0", 0), ("-1", 0), ("x", 0), ("inf", 0)]
)
def test_a_size_is_a_number_above_nothing(text: str, size: int) -> None:
    assert adding.size_of(text) == size


@pytest.mark.parametrize(
    ("mac", "wrong"),
    [("", ""), ("52:54:00:12:34:56", ""), ("52:54:00:12:34", "hexadecimal"), ("53:54:00:12:34:56", "of a group")],
)
def test_a_mac_is_of_one_card(mac: str, wrong: str) -> None:
    said = adding.why_no_card({"network": "network:lan", "mac": mac}, T)
    assert wrong in said
    assert bool(said) == bool(wrong)


def test_a_vlan_has_a_nic_and_a_number() -> None:
    draft = {"name": "lan", "kind": "vlan", "nic": "eth0", "vlan": "12"}
    assert adding.why_no_network(draft, T) == ""
    assert adding.why_no_network({**draft, "vlan": "4095"}, T) == "A VLAN is a number from 1 to 4094."
    assert adding.why_no_network({**draft, "nic": ""}, T) != ""
    assert adding.why_no_network({**draft, "kind": "private", "vlan": ""}, T) == ""
    assert adding.why_no_network({**draft, "name": " "}, T) == "It needs a name."


def test_a_network_that_something_is_in_is_not_removed() -> None:
    made = room()
    known = {"name_description": "", "MTU": 1500, "VIFs": [], "PIFs": []}
    made.put("network", "free", name_label="free", **known)
    made.put("network", "used", name_label="used", **{**known, "VIFs": ["vif:x"]})
    rows = networks(made.source(), "", T)[0].rows
    assert {row[0].text: row[-1].acts[0].why_not for row in rows} == {
        "free": "",
        "used": "VMs have network cards in it. Remove those first.",
    }


DRAFT = {"name": "data", "note": "", "sr": "sr:lun", "size_gib": "1"}


async def test_a_disk_is_made_attached_and_plugged_into_a_vm_that_runs() -> None:
    pool: Any = Pool()
    await devices.make_disk(pool, "vm:web", {}, DRAFT)
    assert pool.asked == [
        *("VDI.create", "VM.get_allowed_VBD_devices", "VBD.create", "VM.get_power_state", "VBD.plug"),
    ]
    halted: Any = Pool("Halted")
    await devices.make_disk(halted, "vm:web", {}, DRAFT)
    assert "VBD.plug" not in halted.asked


async def test_a_disk_that_cannot_be_plugged_in_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "EVERY_S", 0.0)
    pool: Any = Pool(VBD_plug=[Refused(["VM_LACKS_FEATURE"])], VBD_destroy=[Unreachable("away"), Unreachable("away")])
    with pytest.raises(Refused):
        await devices.make_disk(pool, "vm:web", {}, DRAFT)
    assert pool.asked[-4:] == ["VBD.destroy", "VBD.destroy", "VBD.destroy", "VDI.destroy"]


async def test_what_cannot_be_removed_in_time_is_given_up() -> None:
    pool: Any = Pool(VDI_destroy=[Unreachable("away")] * 5)
    with pytest.raises(Unreachable, match="first"):
        async with asyncio.timeout(20), undoing.undone(pool, "VDI.destroy", "vdi:x", patience_s=0.0):
            raise Unreachable("first")
    assert pool.asked == ["VDI.destroy"]


class PoolWithTemplate(Pool):
    """A pool in which a clone gets one disk of its own and a CD."""

    async def call(self, method: str, *params: Any) -> Any:
        answer = await super().call(method, *params)
        known = {
            "task": "task:1",
            "VM.get_VBDs": ["vbd:disk", "vbd:cd"],
            "VBD.get_record": {"type": "Disk" if params[0] == "vbd:disk" else "CD", "VDI": "vdi:of-the-clone"},
        }
        return known.get(method, answer)

    work = call

    async def result_of(self, _: str) -> str:
        return "vm:new"


async def test_half_a_vm_goes_with_its_disks_also_when_the_pool_is_away_just_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(undoing, "EVERY_S", 0.0)
    away = Unreachable("away")
    pool: Any = PoolWithTemplate(VM_provision=[away], VM_get_VBDs=[away], VM_destroy=[away], VDI_destroy=[away])
    draft = {"template": "vm:template", "name": "web", "note": "", "sr": new_vm.SAME, "start": True}
    with pytest.raises(Unreachable):
        await new_vm.make_vm(pool, Job("Make VM web", "/"), draft)
    assert pool.asked == [
        *("Async.VM.clone", "VM.provision", "VM.get_VBDs", "VM.get_VBDs", "VBD.get_record", "VBD.get_record"),
        *("VM.destroy", "VM.destroy", "VDI.destroy", "VDI.destroy"),
    ]


async def test_a_vm_that_cannot_be_removed_again_keeps_its_disks() -> None:
    busy = Refused(["OTHER_OPERATION_IN_PROGRESS", "VM", "vm:new", "provision", "task:1"])
    pool: Any = PoolWithTemplate(VM_provision=[Refused(["SR_FULL"])], VM_destroy=[busy])
    draft = {"template": "vm:template", "name": "web", "note": "", "sr": new_vm.SAME, "start": True}
    with pytest.raises(Refused, match="SR_FULL"):
        await new_vm.make_vm(pool, Job("Make VM web", "/"), draft)
    assert pool.asked[-1] == "VM.destroy"


async def test_a_vm_that_is_whole_and_cannot_be_started_stays() -> None:
    pool: Any = PoolWithTemplate(VM_start=[Refused(["NO_HOSTS_AVAILABLE"])])
    draft = {"template": "vm:template", "name": "web", "note": "n", "sr": new_vm.SAME, "start": True}
    with pytest.raises(Refused):
        await new_vm.make_vm(pool, Job("Make VM web", "/"), draft)
    assert pool.asked == ["Async.VM.clone", "VM.set_name_description", "VM.provision", "VM.start"]
