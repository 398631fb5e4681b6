"""Hundreds of clients that wait on one loop: what they share, what they cost, and who is served meanwhile."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, blank, served

from cardume.api import event_rooms, events, jsonrpc
from cardume.api.encode import Encoder
from cardume.datamodel.refs import Ref, new_ref
from cardume.datamodel.vm import VM
from cardume.messages.event import EventBatch

WAITERS = 200


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


async def waiting(api: Api, session: str, token: str, classes: tuple[str, ...] = ("vm",)) -> list[asyncio.Task[Any]]:
    before = len(seats(api))
    tasks = [asyncio.create_task(api.rpc("event.from", session, classes, token, 30.0)) for _ in range(WAITERS)]
    async with asyncio.timeout(20):
        while len(seats(api)) < before + WAITERS:
            await asyncio.sleep(0.01)
    return tasks


def seats(api: Api) -> list[Any]:
    return [seat for of_session in api.server.events._waiting.values() for seat in of_session]


async def test_all_who_wait_for_the_same_share_one_batch_in_the_bytes_of_their_wire(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    made = []

    def note(*words: Any, **more: Any) -> Any:
        made.append(real(*words, **more))
        return made[-1]

    real = EventBatch
    monkeypatch.setattr(events, "EventBatch", note)
    tasks = await waiting(api, root, token)
    by_xml = asyncio.create_task(
        api.blocking(lambda: api.logged_in().xenapi.event.__getattr__("from")(["vm"], token, 30.0))
    )
    async with asyncio.timeout(60):
        while len(seats(api)) < WAITERS + 1:
            await asyncio.sleep(0.01)
    await api.db.update(api.vm, name_label="changed")
    answers = await asyncio.gather(*tasks)
    assert {json.dumps(answer, sort_keys=True) for answer in answers} == {json.dumps(answers[0], sort_keys=True)}
    assert answers[0]["events"][0]["snapshot"]["name_label"] == "changed"
    assert (await by_xml)["events"][0]["snapshot"]["name_label"] == "changed"
    (batch,) = made
    assert sorted(batch.texts) == ["json", "xml"]


async def test_clients_of_one_session_do_not_hold_each_other_up(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    gaps_s: list[float] = []
    while min(gaps_s, default=1.0) >= events.BATCHING_S / 2 and len(gaps_s) < 10:  # the machine may do something else
        both = [asyncio.create_task(api.rpc("event.from", root, ["vm"], token, 30.0)) for _ in range(2)]
        async with asyncio.timeout(60):
            while len(seats(api)) < 2:
                await asyncio.sleep(0.01)
        sent: list[float] = []
        for seat in seats(api):
            real = seat.deliver

            def noted(batch: Any, real: Any = real, sent: list[float] = sent) -> None:
                real(batch)
                sent.append(time.monotonic())

            seat.deliver = noted
        await api.db.update(api.vm, name_label=f"changed {len(gaps_s)}")
        token = (await asyncio.gather(*both))[0]["token"]
        assert len(sent) == 2
        gaps_s.append(sent[1] - sent[0])
    assert min(gaps_s) < events.BATCHING_S / 2, gaps_s


async def test_others_are_served_while_a_change_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_rooms, "SLICE_S", 0.0)  # a turn for others after each client
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    tasks = await waiting(api, root, token)
    open_when_asked = []

    async def look() -> None:
        for _ in range(WAITERS):
            await asyncio.sleep(0)
            open_when_asked.append(len(seats(api)))

    await api.db.update(api.vm, name_label="changed")
    await look()
    await asyncio.gather(*tasks)
    assert len(set(open_when_asked)) > WAITERS / 2


async def test_a_change_of_nobodys_class_leaves_everybody_asleep(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    tasks = await waiting(api, root, token)
    assert len(api.db.feed._watches) == 1
    await api.db.update(api.host, name_description="changed")
    await asyncio.sleep(0.05)
    assert len(seats(api)) == WAITERS
    gone = new_ref()
    api.db.feed.publish(created=[("VM", gone)])
    api.db.feed.publish(deleted=[("VM", gone)])  # in one breath with its creation: nothing to tell
    await asyncio.sleep(0.2)
    await api.rpc("session.logout", root)
    for task in tasks:
        with pytest.raises(Refused, match="SESSION_INVALID"):
            await task
    assert not seats(api)
    assert not api.db.feed._watches


async def test_who_leaves_while_others_wait_leaves_nothing_behind(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    tasks = await waiting(api, root, token)
    for task in tasks[1:]:
        task.cancel()
    async with asyncio.timeout(60):
        while len(seats(api)) > 1:
            await asyncio.sleep(0.01)
    await api.db.update(api.vm, name_label="changed")
    assert (await tasks[0])["events"][0]["ref"] == api.vm
    assert not seats(api)
    assert not api.db.feed._watches
    assert not api.server.events._rooms._open


async def test_a_client_of_an_old_protocol_waits_like_the_others(api: Api) -> None:
    """HTTP/1.0 ends an answer with the connection."""
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    asked = {"jsonrpc": "2.0", "id": 1, "method": "event.from", "params": [root, ["vm"], token, 30.0]}
    body = json.dumps(asked).encode()
    reader, writer = await asyncio.open_unix_connection(str(api.socket))
    writer.write(b"POST /jsonrpc HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    async with asyncio.timeout(60):
        while not seats(api):
            await asyncio.sleep(0.01)
        await api.db.update(api.vm, name_label="changed")
        head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert json.loads(answer)["result"]["events"][0]["ref"] == api.vm
    writer.close()


async def test_a_connection_goes_on_after_an_answer_that_a_change_wrote(api: Api) -> None:
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    reader, writer = await asyncio.open_unix_connection(str(api.socket))
    for turn in ("one", "two"):
        asked = {"jsonrpc": "2.0", "id": turn, "method": "event.from", "params": [root, ["vm"], token, 30.0]}
        body = json.dumps(asked).encode()
        writer.write(b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(60):
            while not seats(api):
                await asyncio.sleep(0.01)
            await api.db.update(api.vm, name_label=turn)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length: ")[2].split("\r\n")[0])
            answer = json.loads(await reader.readexactly(size))
        assert "content-type: application/json\r\n" in head
        assert "access-control-allow-origin: *\r\n" in head
        assert answer["id"] == turn
        assert answer["result"]["events"][0]["snapshot"]["name_label"] == turn
        token = answer["result"]["token"]
    writer.close()


async def test_a_snapshot_is_of_the_moment_that_the_counts_speak_of(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients compare the number of their records with the counts: an object that went meanwhile is in both."""
    monkeypatch.setattr(event_rooms, "SLICE_S", 0.0)
    root = await api.login()
    token = (await api.rpc("event.from", root, ["vm"], "", 0))["token"]
    seat = api.server.events.ask_from(Ref(root), ("vm",), token, 30.0)
    assert isinstance(seat, event_rooms.Seat)
    new = await api.db.create(blank(VM, name_label="short"))
    batch = await seat.wait()
    await api.db.delete(new)
    text = json.loads(events.write_batch(batch, Encoder(jsonrpc.JSON, api.db), api.db))
    assert text["valid_ref_counts"]["vm"] == 2
    assert [event["snapshot"]["name_label"] for event in text["events"]] == ["short"]
    later = await api.rpc("event.from", root, ["vm"], text["token"], 0)
    assert [(event["operation"], event["ref"]) for event in later["events"]] == [("del", new)]
