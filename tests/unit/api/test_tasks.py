"""Work under tasks: begun, watched, ended and cancelled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, blank, served

from cardume.api.tasks import expired
from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.task import Task, TaskStatus
from cardume.messages.call import Call
from cardume.messages.registry import IMPLEMENTATIONS, Implementation


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


class Clone:
    """A `VM.clone` that works as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on = asyncio.Event()
        self.began = asyncio.Event()
        self.failure: Exception | None = None
        self.undone = False
        self.handle: Any = None
        monkeypatch.setitem(IMPLEMENTATIONS, "VM.clone", Implementation(self._clone, as_task=True))

    async def _clone(self, call: Call, vm: Ref[Any], new_name: str) -> Ref[Any]:
        self.handle = call.task
        self.began.set()
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.undone = True
            raise
        if self.failure:
            raise self.failure
        return vm


async def ended(api: Api, root: str, task: str) -> dict[str, Any]:
    token = ""
    for _ in range(20):
        record: dict[str, Any] = await api.rpc("task.get_record", root, task)
        if record["status"] != "pending":
            return record
        token = (await api.rpc("event.from", root, [f"task/{task}"], token, 5.0))["token"]
    raise AssertionError("the task does not end")


async def test_asynchronous_work_answers_at_once_and_ends_with_its_result(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    pending = await api.rpc("task.get_record", root, task)
    assert {key: pending[key] for key in ("name_label", "status", "type", "finished", "allowed_operations")} == {
        "name_label": "Async.VM.clone",
        "status": "pending",
        "type": "<none/>",
        "finished": "19700101T00:00:00Z",
        "allowed_operations": ["cancel"],
    }
    assert pending["resident_on"] == api.host
    clone.may_go_on.set()
    done = await ended(api, root, task)
    assert {key: done[key] for key in ("status", "progress", "allowed_operations", "result", "error_info")} == {
        "status": "success",
        "progress": 1.0,
        "allowed_operations": [],
        "result": f"<value>{api.vm}</value>",
        "error_info": [],
    }
    await api.rpc("task.cancel", root, task)
    assert await api.rpc("task.get_status", root, task) == "success"
    await api.rpc("task.destroy", root, task)
    assert await api.rpc("task.get_all", root) == []


async def test_a_failure_is_told_by_the_task(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    clone.failure = errors.SR_FULL("10", "5")
    clone.may_go_on.set()
    done = await ended(api, root, await api.rpc("Async.VM.clone", root, api.vm, "copy"))
    assert (done["status"], done["progress"], done["error_info"]) == ("failure", 1.0, ["SR_FULL", "10", "5"])


async def test_cancelled_work_undoes_itself_and_ends_as_cancelled(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    await clone.began.wait()
    await api.rpc("task.cancel", root, task)
    done = await ended(api, root, task)
    assert clone.undone
    assert (done["status"], done["error_info"]) == ("cancelled", ["TASK_CANCELLED", task])
    assert (done["allowed_operations"], done["current_operations"]) == ([], {})


async def test_a_synchronous_call_is_a_task_while_it_runs_and_vanishes_after(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    call = asyncio.create_task(api.rpc("VM.clone", root, api.vm, "copy"))
    await clone.began.wait()
    (record,) = (await api.rpc("task.get_all_records", root)).values()
    assert record["name_label"] == "VM.clone"
    clone.may_go_on.set()
    assert await call == api.vm
    assert await api.rpc("task.get_all", root) == []


async def test_a_synchronous_call_can_be_cancelled_by_another_client(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    call = asyncio.create_task(api.rpc("VM.clone", root, api.vm, "copy"))
    await clone.began.wait()
    (task,) = await api.rpc("task.get_all", root)
    await api.rpc("task.cancel", root, task)
    with pytest.raises(Refused, match="TASK_CANCELLED"):
        await call


async def test_work_goes_on_when_its_caller_leaves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    asked = {"jsonrpc": "2.0", "id": 1, "method": "VM.clone", "params": [root, api.vm, "copy"]}
    asking = asyncio.create_task(api.http.post(f"{api.url}/jsonrpc", json=asked))
    await clone.began.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.3)
    assert not clone.undone
    assert len(await api.rpc("task.get_all", root)) == 1


async def test_the_end_of_the_server_stops_work_and_waits_for_its_undoing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = Clone(monkeypatch)
    async with served(tmp_path) as api:
        await api.rpc("Async.VM.clone", await api.login(), api.vm, "copy")
        await clone.began.wait()
    assert clone.undone


async def test_progress_is_told_a_few_times_a_second(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    await clone.began.wait()
    before = await api.rpc("event.get_current_id", root)
    for step in range(1, 1001):
        clone.handle.progress(step / 2000)
    async with asyncio.timeout(60):
        while await api.rpc("task.get_progress", root, task) != 0.5:
            await asyncio.sleep(0.1)
    assert await api.rpc("event.get_current_id", root) - before == 1


async def test_a_client_tells_how_its_own_work_goes(api: Api) -> None:
    reader = await api.login("reader")
    task = await api.rpc("task.create", reader, "upload", "of mine")
    await api.rpc("task.set_progress", reader, task, 0.25)
    await api.rpc("task.add_to_other_config", reader, task, "mine", "x")
    await api.rpc("task.set_result", reader, task, "done")
    await api.rpc("task.set_status", reader, task, "success")
    record = await api.rpc("task.get_record", reader, task)
    assert (record["status"], record["progress"], record["result"]) == ("success", 1.0, "done")
    assert record["other_config"] == {"mine": "x"}
    assert record["finished"] != "19700101T00:00:00Z"


async def test_a_task_is_its_owners_and_the_operators(api: Api) -> None:
    reader, vmadmin, operator = [await api.login(user) for user in ("reader", "vmadmin", "operator")]
    task = await api.rpc("task.create", reader, "mine", "")
    for method, params in (("task.destroy", ()), ("task.cancel", ()), ("task.set_progress", (0.5,))):
        with pytest.raises(Refused, match="RBAC_PERMISSION_DENIED"):
            await api.rpc(method, vmadmin, task, *params)
    await api.rpc("task.cancel", operator, task)
    assert await api.rpc("task.get_status", reader, task) == "cancelled"


async def test_nobody_but_the_pool_ends_the_pools_own_work(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Clone(monkeypatch)
    root = await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    with pytest.raises(Refused, match="OPERATION_NOT_ALLOWED"):
        await api.rpc("task.set_status", root, task, "success")


async def test_a_transfer_ends_the_task_that_its_client_made(api: Api) -> None:
    root = await api.login()
    caller = api.server.sessions.caller(root)
    good: Ref[Task] = Ref(await api.rpc("task.create", root, "good", ""))
    bad: Ref[Task] = Ref(await api.rpc("task.create", root, "bad", ""))
    async with api.server.tasks.adopted(good, "GET /export", caller) as handle:
        handle.result = "<value></value>"
    with pytest.raises(errors.ApiError):
        async with api.server.tasks.adopted(bad, "GET /export", caller):
            raise errors.SR_FULL("1", "0")
    assert await api.rpc("task.get_result", root, good) == "<value></value>"
    assert await api.rpc("task.get_status", root, good) == "success"
    assert await api.rpc("task.get_error_info", root, bad) == ["SR_FULL", "1", "0"]


class Stubborn(Clone):
    """A `VM.clone` that takes its time to undo itself."""

    async def _clone(self, call: Call, vm: Ref[Any], new_name: str) -> Ref[Any]:
        try:
            return await super()._clone(call, vm, new_name)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
            raise


async def test_a_cancel_shows_until_the_work_has_undone_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Stubborn(monkeypatch), await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    await clone.began.wait()
    await api.rpc("task.cancel", root, task)
    record = await api.rpc("task.get_record", root, task)
    assert (record["status"], list(record["current_operations"].values())) == ("pending", ["cancel"])
    done = await ended(api, root, task)
    assert (done["status"], done["progress"], done["error_info"]) == ("cancelled", 1.0, ["TASK_CANCELLED", task])
    await api.rpc("task.cancel", root, task)
    assert await api.rpc("task.get_record", root, task) == done


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("a < b", "<value>a &lt; b</value>"),
        ("", "<value></value>"),
        (Ref("OpaqueRef:x"), "<value>OpaqueRef:x</value>"),
    ],
)
async def test_a_result_is_text_of_xml_rpc_on_either_wire(
    api: Api, monkeypatch: pytest.MonkeyPatch, returned: str, text: str
) -> None:
    async def work(call: Call, vm: Ref[Any], new_name: str) -> str:
        return returned

    monkeypatch.setitem(IMPLEMENTATIONS, "VM.clone", Implementation(work, as_task=True))
    root = await api.login()
    done = await ended(api, root, await api.rpc("Async.VM.clone", root, api.vm, "copy"))
    assert done["result"] == text


async def test_nothing_and_sets_are_results_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(call: Call, *_: Any) -> None:
        return None

    async def several(call: Call, *_: Any) -> tuple[str, ...]:
        return ("Asia/Tokyo", "UTC")

    monkeypatch.setitem(IMPLEMENTATIONS, "VM.start", Implementation(nothing, as_task=True))
    monkeypatch.setitem(IMPLEMENTATIONS, "host.list_timezones", Implementation(several, as_task=True))
    root = await api.login()
    void = await ended(api, root, await api.rpc("Async.VM.start", root, api.vm, False, False))
    assert void["result"] == "<value></value>"
    assert void["error_info"] == []
    both = await ended(api, root, await api.rpc("Async.host.list_timezones", root, api.host))
    assert both["result"] == "<value><array><data><value>Asia/Tokyo</value><value>UTC</value></data></array></value>"


async def test_a_status_never_shows_before_what_it_speaks_of(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    token = (await api.rpc("event.from", root, ["task"], "", 0))["token"]
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    clone.failure = errors.SR_FULL("10", "5")
    clone.may_go_on.set()
    seen = []
    for _ in range(10):
        batch = await api.rpc("event.from", root, ["task"], token, 1.0)
        token = batch["token"]
        seen += [event["snapshot"] for event in batch["events"] if event["ref"] == task]
        if seen and seen[-1]["status"] != "pending":
            break
    assert seen[-1]["status"] == "failure"
    for one in seen:
        is_over = one["status"] != "pending"
        assert (one["progress"] == 1.0, one["allowed_operations"] == [], one["error_info"] != []) == (is_over,) * 3


async def test_a_task_that_was_forgotten_stays_so_when_its_work_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    task = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    await clone.began.wait()
    await api.rpc("task.destroy", root, task)
    clone.may_go_on.set()
    await asyncio.sleep(0.1)
    with pytest.raises(Refused) as refused:
        await api.rpc("task.get_status", root, task)
    assert refused.value.description == ["HANDLE_INVALID", "task", task]
    assert not clone.undone


async def test_a_session_names_its_own_tasks_as_long_as_they_are_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, root, other = Clone(monkeypatch), await api.login(), await api.login()
    mine = await api.rpc("task.create", root, "mine", "")
    begun = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    theirs = await api.rpc("task.create", other, "theirs", "")
    assert await api.rpc("session.get_tasks", root, root) == [mine, begun]
    assert (await api.rpc("session.get_record", root, other))["tasks"] == [theirs]

    waiting = asyncio.create_task(api.rpc("VM.clone", root, api.vm, "shown while it goes on"))
    while len(await api.rpc("session.get_tasks", root, root)) < 3:
        await asyncio.sleep(0.01)
    clone.may_go_on.set()
    await waiting
    await ended(api, root, begun)
    await api.rpc("task.destroy", root, mine)
    assert await api.rpc("session.get_tasks", root, root) == [begun]

    old = datetime.now(UTC) - timedelta(days=2)
    await api.db.update(begun, finished=old)
    await api.db.update(theirs, created=old)
    await api.server.tasks.housekeep()
    assert [await api.rpc("session.get_tasks", root, ref) for ref in (root, other)] == [[], []]


async def test_a_task_outlives_the_session_that_it_was_asked_for_by(api: Api) -> None:
    root, other = await api.login(), await api.login()
    task = await api.rpc("task.create", other, "left", "")
    await api.rpc("session.logout", other)
    assert await api.rpc("task.get_status", root, task) == "pending"
    await api.rpc("task.destroy", root, task)
    assert await api.rpc("task.get_all", root) == []


async def test_progress_is_between_nothing_and_all(api: Api) -> None:
    root = await api.login()
    task = await api.rpc("task.create", root, "mine", "")
    for value in (-0.1, 1.1, "nan", "inf"):
        with pytest.raises(Refused, match="INVALID_VALUE"):
            await api.rpc("task.set_progress", root, task, value)
    for value in (0, 1, "0.5", 0.25):
        await api.rpc("task.set_progress", root, task, value)
    assert await api.rpc("task.get_progress", root, task) == 0.25
    record = await api.rpc("task.get_record", root, task)
    assert (record["subtask_of"], record["subtasks"], record["type"]) == ("OpaqueRef:NULL", [], "<none/>")


async def test_a_client_says_why_its_own_work_failed(api: Api) -> None:
    root = await api.login()
    task = await api.rpc("task.create", root, "mine", "")
    await api.rpc("task.set_error_info", root, task, ["MY_OWN", "reason"])
    await api.rpc("task.set_status", root, task, "failure")
    record = await api.rpc("task.get_record", root, task)
    assert (record["status"], record["error_info"], record["progress"]) == ("failure", ["MY_OWN", "reason"], 1.0)
    await api.rpc("task.set_status", root, task, "success")
    assert await api.rpc("task.get_status", root, task) == "failure"


async def test_housekeeping_leaves_work_that_goes_on_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, root = Clone(monkeypatch), await api.login()
    busy = await api.rpc("Async.VM.clone", root, api.vm, "copy")
    idle = await api.rpc("task.create", root, "idle", "")
    over = await api.rpc("task.create", root, "over", "")
    await api.rpc("task.set_status", root, over, "success")
    await clone.began.wait()
    long_ago = datetime.now(UTC) - timedelta(hours=25)
    for ref in (busy, idle, over):
        await api.db.update(Ref(ref), created=long_ago)
    await api.db.update(Ref(over), finished=long_ago)
    await api.server.tasks.housekeep()
    assert await api.rpc("task.get_all", root) == [busy]
    clone.may_go_on.set()
    assert (await ended(api, root, busy))["status"] == "success"


NOW = datetime(2026, 1, 2, tzinfo=UTC)


def done(minutes_ago: float) -> Task:
    return blank(Task, status=TaskStatus.SUCCESS, finished=NOW - timedelta(minutes=minutes_ago))


def test_done_tasks_go_after_an_hour_and_idle_ones_after_a_day() -> None:
    records = {
        "old": done(66),
        "fresh": done(64),
        "idle": blank(Task, created=NOW - timedelta(hours=25)),
        "busy": blank(Task, created=NOW - timedelta(hours=25)),
        "new": blank(Task, created=NOW - timedelta(hours=23)),
    }
    assert expired(records, frozenset[Ref[Task]]({Ref("idle"), Ref("new")}), NOW) == ["old", "idle"]


def test_above_two_hundred_done_ones_the_oldest_go_unless_they_have_just_ended() -> None:
    records = {f"t{number}": done(1 + number / 100) for number in range(300)}
    gone = expired(records, frozenset(), NOW)
    assert len(gone) == 100
    assert "t299" in gone
    assert "t0" not in gone
    assert expired({f"t{number}": done(1) for number in range(300)}, frozenset(), NOW) == []


async def test_the_end_of_a_transfer_is_recorded_also_when_its_client_leaves_at_that_moment(api: Api) -> None:
    caller = api.server.sessions.caller(await api.login())
    done = Ref[Any](await api.rpc("task.create", await api.login(), "upload", ""))

    async def transfer() -> None:
        async with api.server.tasks.adopted(done, "PUT /import", caller):
            pass

    async with api.db.transaction():  # somebody else is writing: the end has to wait its turn
        handler = asyncio.create_task(transfer())
        for _ in range(5):
            await asyncio.sleep(0)
        handler.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await handler
    await api.db.update(done, name_label="looked at")  # behind whatever was waiting
    assert api.db.get(done).status is TaskStatus.SUCCESS
