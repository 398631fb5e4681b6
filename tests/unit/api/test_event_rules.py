"""The rules of events that clients build their caches on: counts, order, tokens, what is lost and what never is."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, blank, served

from cardume.api import server as server_module
from cardume.api.events import FOREVER_S, format_token, parse_token
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import schema
from cardume.datamodel.task import Task
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.pooldb import feed as feed_module


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


def told(batch: Any) -> list[tuple[str, str, str]]:
    return [(event["operation"], event["class"], event["ref"]) for event in batch["events"]]


class Cache:
    """What npm xen-api does with events: records by reference, and their classes."""

    def __init__(self) -> None:
        self.token = ""
        self.records: dict[str, tuple[str, Any]] = {}

    async def follow(self, api: Api, session: str, timeout_s: float) -> None:
        batch = await api.rpc("event.from", session, ["*"], self.token, timeout_s)
        refs = [event["ref"] for event in batch["events"]]
        assert len(refs) == len(set(refs)), "two events of one object in a batch"
        for event in batch["events"]:
            if event["operation"] == "del":
                del self.records[event["ref"]]
            else:
                assert (event["operation"] == "mod") == (event["ref"] in self.records), event
                self.records[event["ref"]] = event["class"], event["snapshot"]
        self.token = batch["token"]
        assert self.counts() == {cls: n for cls, n in batch["valid_ref_counts"].items() if cls in self.followed() and n}

    @staticmethod
    def followed() -> set[str]:
        return {cls.name.lower() for cls in schema().classes.values() if cls.events and cls.name != "role"}

    def counts(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for cls, _ in self.records.values():
            counted[cls] = counted.get(cls, 0) + 1
        return counted


@pytest.mark.parametrize("seed", range(4))
async def test_a_cache_is_the_pool_and_every_count_is_exact_whatever_happens(api: Api, seed: int) -> None:
    root = await api.login()
    chance = random.Random(seed)
    uuid = api.db.get(api.vm).uuid
    live: list[tuple[str, str]] = []

    async def one_change() -> None:
        match chance.randrange(8):
            case 0 | 1:
                live.append(("task", await api.rpc("task.create", root, "work", "")))
            case 2:
                live.append(("message", await api.rpc("message.create", root, "X", 3, "VM", uuid, "")))
            case 3:
                live.append(("VDI", await api.db.create(blank(VDI, name_label="disk"))))
            case 4 | 5 if live:
                cls, ref = live.pop(chance.randrange(len(live)))
                if cls == "VDI":
                    await api.db.delete(Ref(ref))
                else:
                    await api.rpc(f"{cls}.destroy", root, ref)
            case 6:
                await api.rpc("VM.set_name_label", root, api.vm, f"{chance.random()}")
            case _:
                await api.db.update(api.host, name_label=f"{chance.random()}")

    async def churn() -> None:
        for _ in range(60):
            await one_change()
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.02]))

    cache = Cache()
    churning = asyncio.create_task(churn())
    while not churning.done():
        await cache.follow(api, root, chance.choice([0.0, 0.01, 0.1]))
    await churning
    await cache.follow(api, root, 0)
    for cls in ("VM", "VDI", "task", "message", "pool", "host"):
        ours = {ref: record for ref, (name, record) in cache.records.items() if name == cls.lower()}
        assert ours == await api.rpc(f"{cls}.get_all_records", root), cls


async def test_a_barrier_comes_after_every_earlier_change(api: Api) -> None:
    """npm xen-api waits for a key that it wrote to the pool, and then trusts its cache."""
    root = await api.login()
    cache = Cache()
    await cache.follow(api, root, 0)
    seen: dict[str, str] = {}

    async def follow() -> None:
        while len(seen) < 20:
            await cache.follow(api, root, 60.0)
            for key in cache.records[api.pool][1]["other_config"]:
                seen.setdefault(key, cache.records[api.vm][1]["name_label"])

    following = asyncio.create_task(follow())
    for number in range(20):
        await api.rpc("VM.set_name_label", root, api.vm, f"name {number:02}")
        await api.rpc("pool.add_to_other_config", root, api.pool, f"xo:barrier:{number:02}", "0")
    await asyncio.wait_for(following, 20)
    assert all(seen[f"xo:barrier:{number:02}"] >= f"name {number:02}" for number in range(20))


async def test_an_injected_token_tells_of_its_object_and_of_nothing_before(api: Api) -> None:
    root = await api.login()
    await api.db.update(api.host, name_label="before")
    new = await api.db.create(blank(VM, name_label="new"))
    token = await api.rpc("event.inject", root, "VM", new)
    assert told(await api.rpc("event.from", root, ["*"], token, 1.0)) == [("mod", "vm", new)]
    later = await api.rpc("event.inject", root, "pool", api.pool)
    assert told(await api.rpc("event.from", root, ["*"], token, 1.0)) == [("mod", "vm", new), ("mod", "pool", api.pool)]
    assert told(await api.rpc("event.from", root, ["*"], later, 1.0)) == [("mod", "pool", api.pool)]
    assert later > token
    assert await api.rpc("event.get_current_id", root) == parse_token(later) + 1


async def test_an_injection_wakes_those_who_wait(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    waiting = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 20.0))
    await asyncio.sleep(0.1)
    await api.rpc("event.inject", root, "VM", api.vm)
    assert told(await waiting) == [("mod", "vm", api.vm)]


async def test_deletions_that_are_not_remembered_any_more_are_said_to_be_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "REMEMBERED", 2)
    monkeypatch.setattr(feed_module, "REMEMBERED_AT_MOST", 2)
    root = await api.login()
    await api.rpc("event.register", root, ["task"])
    old = (await api.rpc("event.from", root, ["task"], "", 0))["token"]
    refs = [await api.rpc("task.create", root, "t", "") for _ in range(5)]
    middle = (await api.rpc("event.from", root, ["task"], "", 0))["token"]
    for ref in refs[:2]:
        await api.rpc("task.destroy", root, ref)
    assert [one[0] for one in told(await api.rpc("event.from", root, ["task"], middle, 1.0))] == ["del", "del"]
    for ref in refs[2:]:
        await api.rpc("task.destroy", root, ref)
    for token in (old, middle):
        with pytest.raises(Refused) as lost:
            await api.rpc("event.from", root, ["task"], token, 1.0)
        assert lost.value.description == ["EVENTS_LOST"]
    with pytest.raises(Refused, match="EVENTS_LOST"):
        await api.rpc("event.next", root)
    # Once told, the older message goes on with what comes.
    waiting = asyncio.create_task(api.rpc("event.next", root))
    await asyncio.sleep(0.1)
    new = await api.rpc("task.create", root, "t", "")
    assert told({"events": await waiting}) == [("add", "task", new)]


async def test_a_call_that_waits_is_not_lost_by_what_does_not_concern_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "REMEMBERED", 2)
    monkeypatch.setattr(feed_module, "REMEMBERED_AT_MOST", 2)
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    patient = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 20.0))
    brief = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 3.0))
    await asyncio.sleep(0.1)
    for _ in range(5):
        await api.rpc("task.destroy", root, await api.rpc("task.create", root, "t", ""))
    fresh = await brief
    assert fresh["events"] == []
    assert (await api.rpc("event.from", root, ["vm"], fresh["token"], 0))["events"] == []
    await api.db.update(api.vm, name_label="changed")
    assert told(await patient) == [("mod", "vm", api.vm)]


async def test_a_token_of_a_later_life_is_lost_at_once_and_never_waited_for(api: Api) -> None:
    root = await api.login()
    current = await api.rpc("event.get_current_id", root)
    for token in (
        format_token(current + 1),
        format_token(current + (5 << 32)),
        f"{9:020d},{9:020d}",
        f"{9:020d}," + "9" * 20,
    ):
        with pytest.raises(Refused, match="EVENTS_LOST"):
            await asyncio.wait_for(api.rpc("event.from", root, ["*"], token, 120.0), 60)


@pytest.mark.parametrize("text", ["nan", "-1", "-0.5", "1e300", "inf", "-inf", str(FOREVER_S * 2)])
async def test_a_timeout_that_is_no_time_is_a_day(api: Api, text: str) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]

    def by_xml() -> Any:
        client = api.client()
        client._session = root
        return client.xenapi.event.__getattr__("from")(["vm"], token, float(text))

    waiting = asyncio.create_task(api.blocking(by_xml))
    async with asyncio.timeout(60):
        while not any(api.server.events._waiting.values()):
            await asyncio.sleep(0.01)
    (seat,) = [seat for of_session in api.server.events._waiting.values() for seat in of_session]
    assert seat._timer is not None
    left_s = seat._timer.when() - asyncio.get_running_loop().time()
    assert FOREVER_S - 120 < left_s <= FOREVER_S
    await api.db.update(api.vm, name_label="changed")
    assert told(await waiting) == [("mod", "vm", api.vm)]


async def test_a_timeout_of_zero_never_waits(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    for timeout in (0, 0.0, -0.0):
        batch = await asyncio.wait_for(api.rpc("event.from", root, ["vm"], token, timeout), 60)
        assert batch["events"] == []


async def test_the_pool_shows_a_sign_of_life_to_whoever_registered(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(server_module, "HOUSEKEEPING_S", 0.3)
    async with served(tmp_path) as api:
        root = await api.login()
        await api.rpc("event.register", root, ["pool"])
        events = await asyncio.wait_for(api.rpc("event.next", root), 60)
        assert told({"events": events}) == [("mod", "pool", api.pool)]
        assert events[0]["snapshot"] == await api.rpc("pool.get_record", root, api.pool)


async def test_classes_are_registered_and_given_up_whatever_their_case(api: Api) -> None:
    root = await api.login()
    await api.rpc("event.register", root, ["VM", "task"])
    await api.rpc("event.unregister", root, ["vm"])
    waiting = asyncio.create_task(api.rpc("event.next", root))
    await asyncio.sleep(0.1)
    await api.db.update(api.vm, name_label="changed")
    ref = await api.db.create(blank(Task, name_label="t"))
    assert told({"events": await waiting}) == [("add", "task", ref)]
    await api.rpc("event.unregister", root, ["TASK"])
    with pytest.raises(Refused) as refused:
        await api.rpc("event.next", root)
    assert refused.value.description == ["SESSION_NOT_REGISTERED", root]


async def test_what_was_not_fetched_before_another_class_was_registered_still_comes(api: Api) -> None:
    root = await api.login()
    await api.rpc("event.register", root, ["task"])
    ref = await api.rpc("task.create", root, "t", "")
    await api.rpc("event.register", root, ["vm"])
    assert told({"events": await api.rpc("event.next", root)}) == [("add", "task", ref)]


async def test_the_end_of_a_session_ends_its_older_wait_too(api: Api) -> None:
    root = await api.login()
    await api.rpc("event.register", root, ["vm"])
    waiting = asyncio.create_task(api.rpc("event.next", root))
    await asyncio.sleep(0.1)
    await api.rpc("session.logout", root)
    with pytest.raises(Refused, match="SESSION_INVALID"):
        await asyncio.wait_for(waiting, 60)


async def test_subscriptions_are_texts_of_three_forms(api: Api) -> None:
    root = await api.login()
    token = await api.rpc("event.inject", root, "VM", api.vm)
    for classes in (["*"], ["VM"], ["vm"], ["Vm"], [f"vm/{api.vm}"], [f"VM/{api.vm}"], ["host", "vm"]):
        assert told(await api.rpc("event.from", root, classes, token, 0)) == [("mod", "vm", api.vm)], classes
    for classes in (["host"], ["nonsense"], [f"vm/{api.host}"], []):
        assert told(await api.rpc("event.from", root, classes, token, 0)) == [], classes
    for bad in ("", "vm/", "vm/x", "/", "*/x"):
        with pytest.raises(Refused) as refused:
            await api.rpc("event.from", root, ["vm", bad], token, 0)
        assert refused.value.description == ["EVENT_SUBSCRIPTION_PARSE_FAILURE", bad]
    with pytest.raises(Refused) as refused:
        await api.rpc("event.from", root, ["vm"], "abc", 0)
    assert refused.value.description == ["EVENT_FROM_TOKEN_PARSE_FAILURE", "abc"]
