"""Clients that wait for changes, as npm xen-api, XO Lite and XenCenter do."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, blank, served

from cardume.api.events import format_token, parse_token
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import Ref
from cardume.datamodel.secret import Secret
from cardume.datamodel.vm import VM


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


def told(batch: Any) -> list[tuple[str, str, str]]:
    return [(event["operation"], event["class"], event["ref"]) for event in batch["events"]]


async def test_the_first_batch_is_the_whole_pool(api: Api) -> None:
    root = await api.login()
    await api.db.create(blank(Secret, value="hush"))
    first = await api.rpc("event.from", root, ["*"], "", 30.0)
    assert set(told(first)) == {("add", "host", api.host), ("add", "pool", api.pool), ("add", "vm", api.vm)}
    counts = first["valid_ref_counts"]
    assert (counts["vm"], counts["task"], counts["secret"], counts["session"]) == (1, 0, 1, 1)
    (vm,) = [event for event in first["events"] if event["class"] == "vm"]
    assert vm["snapshot"] == await api.rpc("VM.get_record", root, api.vm)
    assert vm["timestamp"] == "0.0"
    assert len(first["token"]) == 41


async def test_the_opening_of_xen_orchestra(api: Api) -> None:
    root = await api.login()
    token = await api.rpc("event.inject", root, "pool", api.pool)
    batch = await api.rpc("event.from", root, ["pool", "vm", "task"], token, 60.1)
    assert told(batch) == [("mod", "pool", api.pool)]
    again = await api.rpc("event.from", root, ["pool", "vm", "task"], batch["token"], 0.05)
    assert again["events"] == []
    await api.rpc("pool.add_to_other_config", root, api.pool, "xo:barrier:1", "5")
    barrier = await api.rpc("event.from", root, ["pool", "vm", "task"], again["token"], 60.1)
    assert barrier["events"][0]["snapshot"]["other_config"] == {"xo:barrier:1": "5"}


async def test_an_injection_names_the_class_of_the_object(api: Api) -> None:
    root = await api.login()
    for cls, ref in (("VM", api.pool), ("vm", api.vm), ("nonsense", api.vm), ("VM", "OpaqueRef:x")):
        with pytest.raises(Refused, match="HANDLE_INVALID"):
            await api.rpc("event.inject", root, cls, ref)


async def test_what_came_changed_and_went(api: Api) -> None:
    root = await api.login()
    other = await api.db.create(blank(VM, name_label="other"))
    token = (await api.rpc("event.from", root, ["VM"], "", 1))["token"]
    await api.db.delete(other)
    new = await api.db.create(blank(VM, name_label="new"))
    gone = await api.db.create(blank(VM, name_label="short"))
    await api.db.delete(gone)
    await api.db.update(api.vm, name_label="changed")
    batch = await api.rpc("event.from", root, ["vm"], token, 1)
    assert told(batch) == [("add", "vm", new), ("mod", "vm", api.vm), ("del", "vm", other)]
    assert [("snapshot" in event) for event in batch["events"]] == [True, True, False]
    assert batch["valid_ref_counts"]["vm"] == 2


async def test_a_waiting_client_has_the_change_at_once(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 1))["token"]
    took_s: list[float] = []
    while min(took_s, default=1.0) >= 0.2 and len(took_s) < 20:  # the machine may do something else just then
        waiting = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 30.0))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await api.db.update(api.vm, name_label=f"changed {len(took_s)}")
        batch = await waiting
        took_s.append(time.monotonic() - began)
        token = batch["token"]
        assert told(batch) == [("mod", "vm", api.vm)]
    assert min(took_s) < 0.2, took_s


async def test_a_change_of_another_class_does_not_end_the_waiting(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["host"], "", 1))["token"]
    waiting = asyncio.create_task(api.rpc("event.from", root, ["host"], token, 2.0))
    await asyncio.sleep(0.1)
    await api.db.update(api.vm, name_label="changed")
    batch = await waiting
    assert batch["events"] == []
    assert batch["token"] > token


async def test_a_single_object_can_be_watched(api: Api) -> None:
    root = await api.login()
    token = await api.rpc("event.inject", root, "VM", api.vm)
    await api.rpc("event.inject", root, "host", api.host)
    batch = await api.rpc("event.from", root, [f"VM/{api.vm}"], token, 1)
    assert told(batch) == [("mod", "vm", api.vm)]


async def test_a_storm_of_changes_comes_in_few_batches(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 1))["token"]
    began, batches = time.monotonic(), 0
    enough = asyncio.Event()

    async def storm() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            await api.db.update(api.vm, name_label=f"{number}")
            await asyncio.sleep(0.002)

    storming = asyncio.create_task(storm())
    while batches < 3 or time.monotonic() - began < 0.5:
        token = (await api.rpc("event.from", root, ["vm"], token, 0.2))["token"]
        batches += 1
    took_s = time.monotonic() - began
    enough.set()
    await storming
    assert batches <= 14 * max(took_s / 0.5, 1.0)


async def test_texts_that_are_no_subscription_and_no_token_are_refused(api: Api) -> None:
    root = await api.login()
    for classes in ([""], ["VM/nonsense"], ["/OpaqueRef:x"]):
        with pytest.raises(Refused, match="EVENT_SUBSCRIPTION_PARSE_FAILURE"):
            await api.rpc("event.from", root, classes, "", 1)
    for token in ("nonsense", "1", "1,", "-1,1", "1,2,3"):
        with pytest.raises(Refused, match="EVENT_FROM_TOKEN_PARSE_FAILURE"):
            await api.rpc("event.from", root, ["*"], token, 1)


async def test_a_token_of_another_life_is_lost(api: Api) -> None:
    root = await api.login()
    current = parse_token((await api.rpc("event.from", root, ["*"], "", 1))["token"])
    for token in (format_token(current + 1000), format_token(1)):
        with pytest.raises(Refused, match="EVENTS_LOST"):
            await api.rpc("event.from", root, ["*"], token, 1)


async def test_the_end_of_a_session_ends_its_waiting(api: Api) -> None:
    root, other = await api.login(), await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 1))["token"]
    waiting = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 10.0))
    others = asyncio.create_task(api.rpc("event.from", other, ["vm"], token, 0.5))
    await asyncio.sleep(0.1)
    await api.rpc("session.logout", root)
    with pytest.raises(Refused, match="SESSION_INVALID"):
        await asyncio.wait_for(waiting, 60)
    assert (await others)["events"] == []


async def test_a_client_that_leaves_leaves_nothing_behind(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 1))["token"]
    waiting = asyncio.create_task(api.rpc("event.from", root, ["vm"], token, -1.0))
    async with asyncio.timeout(60):
        while len(api.db.feed._watches) != 1:
            await asyncio.sleep(0.02)
        waiting.cancel()
        while api.db.feed._watches:
            await asyncio.sleep(0.02)


async def test_an_alert_comes_first_and_has_no_number(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["*"], "", 1))["token"]
    await api.db.create(blank(VM, name_label="new"))
    alert = await api.rpc("message.create", root, "X", 1, "VM", api.db.get(api.vm).uuid, "")
    batch = await api.rpc("event.from", root, ["*"], token, 1)
    assert told(batch)[0] == ("add", "message", alert)
    assert batch["events"][0]["id"] == "0"


async def test_the_older_messages(api: Api) -> None:
    root = await api.login()
    with pytest.raises(Refused, match="SESSION_NOT_REGISTERED"):
        await api.rpc("event.next", root)
    await api.rpc("event.register", root, ["*"])
    waiting = asyncio.create_task(api.rpc("event.next", root))
    await asyncio.sleep(0.1)
    await api.db.update(api.vm, name_label="changed")
    (event,) = await waiting
    assert (event["operation"], event["class"], event["ref"]) == ("mod", "vm", api.vm)
    assert float(event["timestamp"]) > 1_700_000_000
    await api.rpc("event.unregister", root, ["*"])
    with pytest.raises(Refused, match="SESSION_NOT_REGISTERED"):
        await api.rpc("event.next", root)


async def test_both_wires_tell_the_same_with_counts_as_real_numbers(api: Api) -> None:
    root = await api.login()

    def by_xml() -> Any:
        client = api.logged_in()
        return client.xenapi.event.__getattr__("from")(["vm", "pool"], "", 5.0)

    batch = await api.blocking(by_xml)
    assert batch["valid_ref_counts"]["vm"] == 1
    same = await api.rpc("event.from", root, ["vm", "pool"], "", 5)
    assert told(batch) == told(same)


async def test_the_pipe_between_objects_and_events_knows_no_session(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["*"], "", 1))["token"]
    await api.login()
    assert (await api.rpc("event.from", root, ["*", "session"], token, 0.1))["events"] == []


def test_a_token_is_the_older_of_its_numbers() -> None:
    assert parse_token(format_token(7)) == 7
    assert parse_token("00000000000000000009,00000000000000000004") == 4
    assert parse_token("") == 0
    with pytest.raises(ApiError):
        parse_token("١,١")  # digits, and not ours
    assert Ref("x") == "x"
