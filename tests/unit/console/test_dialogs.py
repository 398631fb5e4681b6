"""Dialogs that ask: what was answered is what counts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui import ui
from nicegui.client import Client
from nicegui.elements.dialog import Dialog
from nicegui.page import page
from tests.unit.console.rooms import Room

from cardume.console.presenters.joining import Candidate
from cardume.console.text.catalogue import Texts
from cardume.console.views import confirm, delete_vm, migrate, new_pool

T = Texts("en")


@contextmanager
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A page to draw on."""
    monkeypatch.setattr(Dialog, "_is_safe_to_interact", lambda _: True)
    client = Client(page("/"), request=None)
    with client:
        yield client
    client.delete()


async def dialog_of(client: Client) -> Any:
    """The dialog that is shown, once it waits for its answer."""
    async with asyncio.timeout(60):
        while not (shown := [one for one in client.elements.values() if isinstance(one, ui.dialog)]):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    (dialog,) = shown
    return dialog


async def test_cancelled_while_the_servers_are_asked_a_migration_stays_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Room("pool-g1")
    made.host("a")
    made.host("b")
    made.vm("web", on="a")
    answer = asyncio.Event()

    async def call(*_: Any, **__: Any) -> None:
        await answer.wait()

    sent: list[str] = []
    screen: Any = SimpleNamespace(t=T, message=lambda title, *_: sent.append(title))
    connection: Any = SimpleNamespace(call=call)
    with browser(monkeypatch) as client:
        found = (connection, made.source(), "vm:web", made.record("vm", "web"))

        async def show() -> None:
            with client:
                await migrate.show(screen, found)

        shown = asyncio.create_task(show())
        dialog = await dialog_of(client)
        dialog.submit(None)
        await asyncio.sleep(0.05)
        answer.set()
        async with asyncio.timeout(60):
            await shown
    assert sent == []


@pytest.mark.parametrize(("fix", "sent"), [("running", ["Shut down: web"]), ("shared", ["Forget: lun"])])
async def test_what_keeps_a_server_out_of_a_pool_is_taken_away_only_when_one_is_sure(
    monkeypatch: pytest.MonkeyPatch, fix: str, sent: list[str]
) -> None:
    made = Room()
    made.host("a")
    made.sr("lun", "a", shared=True)
    made.vm("web", on="a")
    made.vm("off")
    done: list[str] = []
    asked: list[str] = []

    def run(title: str, work: Any) -> None:
        work.close()
        done.append(title)

    screen: Any = SimpleNamespace(
        t=T,
        workspace=SimpleNamespace(find=lambda _: object()),
        sources=[made.source()],
        message=lambda title, *_: done.append(title),
        run=run,
    )
    for is_sure in (False, True):

        async def ask(_: Any, verb: str, consequence: str, name: str, *, sure: bool = is_sure) -> bool:
            assert done == []
            asked.append(T(consequence, name=name))
            return sure

        monkeypatch.setattr(confirm, "ask", ask)
        await new_pool.fix(screen, Candidate("p1", "a", "why not", fix))
    assert done == sent
    assert len(asked) == 2
    assert ("web" if fix == "running" else "lun") in asked[0]


@pytest.mark.parametrize("is_moved", [False, True])
async def test_a_vm_whose_disks_changed_while_one_was_asked_is_not_deleted(
    monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    made = Room("pool-g1")
    made.host("a")
    made.sr("lun", "a", shared=True)
    made.vm("web", sr="lun")
    done: list[str] = []
    told: list[str] = []

    def run(title: str, work: Any) -> None:
        work.close()
        done.append(title)

    screen: Any = SimpleNamespace(
        t=T, run=run, go=lambda _: None, tell=lambda text, **_: told.append(text), place=SimpleNamespace()
    )
    with browser(monkeypatch) as client:
        found: Any = (object(), made.source(), "vm:web", made.record("vm", "web"))

        async def show() -> None:
            with client:
                await delete_vm.show(screen, found)

        shown = asyncio.create_task(show())
        dialog = await dialog_of(client)
        if is_moved:
            made.put("vdi", "web-disk-2", **{**made.record("vdi", "web-disk"), "uuid": "web-disk-2"})
            made.put("vbd", "web-0", VDI="vdi:web-disk-2")
        dialog.submit(True)
        async with asyncio.timeout(60):
            await shown
    assert done == ([] if is_moved else ["Delete VM web"])
    assert bool(told) == is_moved
