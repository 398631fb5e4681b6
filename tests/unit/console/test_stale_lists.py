"""What changed while somebody was asked: it is looked at again before anything is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.console.rooms import Room
from tests.unit.console.test_ha_wizard import browser

from cardume.console.connections.failures import Refused
from cardume.console.text.catalogue import Texts
from cardume.console.views import acts, confirm, devices, networks

T = Texts("en")


class Screen:
    """Takes note of what it is told and asked to run."""

    def __init__(self) -> None:
        self.t = T
        self.now = 1.0
        self.filters: dict[str, str] = {}
        self.sources: list[Any] = []
        self.workspace: Any = None
        self.told: list[str] = []
        self.ran: list[str] = []
        self.work: list[Any] = []

    def tell(self, text: str, *, failed: bool) -> None:
        self.told.append(text)

    def run(self, title: str, work: Any) -> None:
        self.work.append(work)
        self.ran.append(title)

    def close(self) -> None:
        """What was to run is not."""
        for work in self.work:
            work.close()

    def message(self, title: str, *_: Any) -> None:
        self.ran.append(title)


def answered(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Dialogs are agreed to, after something has happened."""

    class Agreed:
        async def is_filled(self) -> bool:
            meanwhile()
            return True

    @contextmanager
    def form(*_: Any, **__: Any) -> Iterator[list[Agreed]]:
        yield [Agreed()]

    async def ask(*_: Any) -> bool:
        meanwhile()
        return True

    monkeypatch.setattr(devices, "form", form)
    monkeypatch.setattr(confirm, "ask", ask)


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.sr("lun", "a", shared=True)
    made.vm("web", on="a", sr="lun")
    made.vm("other", on="a", sr="lun")
    made.vm("gone", sr="lun")
    made.put("vdi", "gone-disk", VBDs=[])
    made.put("vm", "gone", VBDs=[])
    return made


@pytest.mark.parametrize("is_given_away", [False, True])
async def test_a_disk_that_was_given_to_a_vm_meanwhile_is_neither_attached_nor_deleted(
    monkeypatch: pytest.MonkeyPatch, is_given_away: bool
) -> None:
    made, screen = room(), Screen()
    found: Any = (None, made.source(), "vm:web", made.record("vm", "web"))
    of: Any = screen

    def give_away() -> None:
        made.put("vbd", "new", VM="vm:other", VDI="vdi:gone-disk")
        made.put("vdi", "gone-disk", VBDs=["vbd:new"])

    answered(monkeypatch, give_away if is_given_away else lambda: None)
    with browser():
        await devices.attach_disk(of, found)
        made.put("vdi", "gone-disk", VBDs=[])
        await devices.delete_disk(of, found, "vdi:gone-disk")
    screen.close()
    assert len(screen.ran) == (0 if is_given_away else 2)
    assert screen.told == ([T("disk.is_used")] * 2 if is_given_away else [])


@pytest.mark.parametrize("is_used", [False, True])
async def test_a_network_that_a_card_was_put_in_meanwhile_keeps_its_vlan(
    monkeypatch: pytest.MonkeyPatch, is_used: bool
) -> None:
    made, screen = room(), Screen()
    known = {"name_description": "", "MTU": 1500, "PIFs": ["pif:vlan"]}
    made.put("pif", "vlan", VLAN="5", VLAN_master_of="vlan:5")
    made.put("network", "dmz", name_label="dmz", VIFs=[], **known)
    found: Any = (None, made.source(), "pool:p1", made.record("pool", "p1"))
    of: Any = screen
    answered(monkeypatch, lambda: made.put("network", "dmz", VIFs=["vif:x"] if is_used else []))
    await networks.remove(of, found, "network:dmz")
    screen.close()
    assert len(screen.ran) == (0 if is_used else 1)
    assert screen.told == ([T("network.has_cards")] if is_used else [])


async def test_an_alert_that_another_person_has_dismissed_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    made, screen = room(), Screen()
    known = {"name": "HOST_OFFLINE", "priority": "3", "cls": "Pool", "obj_uuid": "p1", "body": ""}
    for number in (1, 2, 3):
        made.put("message", f"m{number}", timestamp=f"2026010{number}T00:00:00Z", **known)
    gone: list[str] = []

    async def call(_: str, ref: str) -> None:
        if ref == "message:m2":
            raise Refused(["HANDLE_INVALID", "message", ref])
        gone.append(ref)

    screen.sources = [made.source()]
    screen.workspace = SimpleNamespace(find=lambda _: SimpleNamespace(call=call))
    of: Any = screen
    answered(monkeypatch, lambda: None)
    await acts.act(of, "alerts_dismiss_all", {})
    await screen.work[0]
    assert gone == ["message:m3", "message:m1"]
