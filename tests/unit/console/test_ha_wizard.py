"""Configure HA, page by page: what is asked of the server, what is promised, what is sent in the end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui.client import Client
from nicegui.page import page
from tests.unit.console.rooms import Room
from tests.unit.console.test_ha import room

from cardume.console.connections.failures import Refused
from cardume.console.connections.ha_plan import PlanWatch, ask_plan
from cardume.console.text.catalogue import Texts
from cardume.console.views.drafts import Drafts
from cardume.console.views.ha import HaForm
from cardume.console.views.ha_plan_page import PlanPage

T = Texts("en")
MOST = "pool.ha_compute_hypothetical_max_host_failures_to_tolerate"


@contextmanager
def browser() -> Iterator[None]:
    """A page to draw on."""
    client = Client(page("/"), request=None)
    with client:
        yield
    client.delete()


class Pool:
    """A pool that answers. `refusals` by message and reference; `most` failures can be made up for."""

    def __init__(self, made: Room) -> None:
        self.cache = made.cache
        self.most = 1
        self.refusals: dict[tuple[str, str], list[str]] = {}
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        self.asked: list[str] = []
        self.waits: asyncio.Event | None = None

    async def call(self, method: str, *params: Any, **_: Any) -> Any:
        self.asked.append(method)
        refusal = self.refusals.get((method, str(params[0]) if params else ""))
        if refusal:
            raise Refused(refusal)
        if method == MOST:
            most, waits = self.most, self.waits
            if waits is not None:
                await waits.wait()
            return most
        if ".set_" in method or method.startswith("Async."):
            self.sent.append((method, params))
        return "OpaqueRef:task"

    async def result_of(self, task: str) -> None:
        self.asked.append(task)


class Screen:
    """What the wizard needs of one: it does what it is told to run at once."""

    def __init__(self) -> None:
        self.t = T
        self.work: list[Any] = []
        self.went: list[str] = []
        self.workspace = SimpleNamespace(changed=lambda: None, owner="root@a:443")
        self.place = SimpleNamespace(path="/pool/p1")
        this: Any = self
        self.drafts = Drafts(this)

    def run(self, title: str, work: Any, job: Any) -> None:
        self.work.append(work)

    def go(self, path: str) -> None:
        self.went.append(path)


def form(made: Room) -> tuple[HaForm, Pool, Screen]:
    pool, screen = Pool(made), Screen()
    connection: Any = pool
    of: Any = screen
    return HaForm(of, connection, made.source()), pool, screen


async def through(wizard: Any, pages: int) -> None:
    for _ in range(pages):
        await wizard.forward()


async def test_it_is_enabled_with_what_xenserver_proposes() -> None:
    made = room(on=False)
    with browser():
        asked, pool, screen = form(made)
        pool.refusals["VM.assert_agile", "vm:db"] = ["HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", "sr:lun"]
        asked.open(is_on=False)
        await through(asked._wizard, 4)
        assert pool.sent == []  # nothing is set before the wizard's end
        (work,) = screen.work
        await work
    assert pool.sent == [
        ("VM.set_ha_restart_priority", ("vm:db", "best-effort")),
        ("VM.set_ha_restart_priority", ("vm:web", "restart")),
        ("pool.set_ha_host_failures_to_tolerate", ("pool:p1", 1)),
        ("Async.pool.enable_ha", (["sr:lun"], {"profile": "fast"})),
    ]
    assert pool.asked[-1] == "OpaqueRef:task"  # and its end was waited for
    assert screen.went == ["/pool/p1/ha"]


async def test_without_a_repository_for_the_heartbeat_it_is_not_gone_on() -> None:
    made = room(on=False)
    with browser():
        asked, pool, _ = form(made)
        pool.refusals["SR.assert_can_host_ha_statefile", "sr:lun"] = ["SR_FULL", "4194304", "0"]
        asked.open(is_on=False)
        await through(asked._wizard, 3)
        assert asked._wizard.at == 1
        assert asked._wizard._wrong.text == "No SR can hold the heartbeat."


async def test_a_promise_that_cannot_be_kept_is_not_made() -> None:
    made = room()
    with browser():
        asked, pool, _ = form(made)
        pool.most = 0
        asked.open(is_on=True)
        await asked._wizard.forward()
        assert asked._wizard.at == 0
        made.put("pool", "p1", ha_allow_overcommit=True)
        await asked._wizard.forward()
        assert asked._wizard.at == 1


async def test_while_it_is_on_only_what_changed_is_sent() -> None:
    made = room()
    with browser():
        asked, pool, screen = form(made)
        asked.open(is_on=True)
        asked._plan._wish("vm:db", order=3)
        await through(asked._wizard, 2)
        await screen.work[0]
    assert pool.sent == [("VM.set_order", ("vm:db", 3))]


async def test_an_answer_that_was_overtaken_by_a_later_choice_is_not_told() -> None:
    pool, screen = Pool(room()), Screen()
    connection: Any = pool
    of: Any = screen
    with browser():
        plan = PlanPage(of, connection, room().source())
        pool.waits, pool.most = asyncio.Event(), 7
        early = asyncio.create_task(plan.compute())
        await asyncio.sleep(0)
        late, pool.waits, pool.most = pool.waits, None, 1
        await plan.compute()
        late.set()
        await early
        assert plan.most == 1


@pytest.mark.parametrize(
    ("order", "delay_s", "right"), [(0, 0, True), (1000, 3600, True), (-1, 0, False), (0, 3601, False)]
)
def test_orders_and_delays_have_their_limits(order: int, delay_s: int, right: bool) -> None:
    connection: Any = Pool(room())
    of: Any = Screen()
    with browser():
        plan = PlanPage(of, connection, room().source())
    plan._wish("vm:web", order=order, start_delay_s=delay_s)
    assert (plan.why_not() == "") is right


async def test_the_plan_is_asked_for_each_server_and_its_own_vms() -> None:
    made = room()
    asked: list[tuple[Any, ...]] = []

    async def call(method: str, *params: Any) -> Any:
        if method == "pool.ha_compute_max_host_failures_to_tolerate":
            return "1"
        asked.append(params)
        return {vm: {"host": "host:b"} for vm in params[1]}

    connection: Any = SimpleNamespace(call=call, cache=made.cache)
    plan = await ask_plan(connection, ["vm:web"], ["vm:db"])
    assert sorted(asked) == [(["host:a"], ["vm:web"]), (["host:b"], ["vm:db"])]
    assert (plan.most, dict(plan.places)) == (
        1,
        {"host:a": {"vm:web": {"host": "host:b"}}, "host:b": {"vm:db": {"host": "host:b"}}},
    )


async def test_a_plan_that_is_refused_is_told_and_not_asked_for_at_once_again() -> None:
    method = "pool.ha_compute_max_host_failures_to_tolerate"
    pool = Pool(room())
    pool.refusals[method, ""] = ["RBAC_PERMISSION_DENIED", method]
    connection: Any = pool
    watch = PlanWatch()
    assert watch.is_due(connection)
    await watch.ask(connection, [], [])
    assert isinstance(watch.newest(connection).failure, Refused)
    assert not watch.is_due(connection)
