"""What only a store behind a network can get wrong: answers that are lost, members that go, strangers, long answers.

Needs CARDUME_CONTRACT_ETCD=/usr/bin/etcd.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.contract.etcd_link import Link, linked
from tests.contract.etcd_room import Authority, Room, empty, make_credentials, shared
from tests.contract.store_backends import etcd as etcd_backend
from tests.contract.store_backends import needs_etcd

from cardume.pooldb import etcd_gateway
from cardume.pooldb.commit import Writer
from cardume.pooldb.etcd_gateway import Gateway
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.store import (
    Batch,
    Compacted,
    Compare,
    Conflict,
    Delete,
    NoQuorum,
    Operation,
    OutcomeUnknown,
    Put,
    StoreClosed,
)

pytestmark = needs_etcd


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EtcdStore]:
    async with etcd_backend(tmp_path) as opened:
        assert isinstance(opened, EtcdStore)
        yield opened


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A place for members that a test ends."""
    made = Room.make(tmp_path / "room")
    yield made
    await made.leave()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    _, voter = shared()
    async with linked(voter.address, voter.client_port) as made:
        yield made


@pytest.fixture
async def far(link: Link, store: EtcdStore) -> AsyncIterator[EtcdStore]:
    """The same database as `store`, reached through the link."""
    room, _ = shared()
    made = EtcdStore(Gateway([f"https://127.0.0.1:{link.port}"], room.credentials))
    yield made
    await made.close()


async def value_of(store: EtcdStore, key: str) -> bytes | None:
    item = await store.get(key)
    return item.value if item else None


async def take(store: EtcdStore, prefix: str, from_revision: int, count: int) -> list[Batch]:
    found: list[Batch] = []
    async with asyncio.timeout(60), aclosing(store.watch(prefix, from_revision)) as watch:
        while len(found) < count:
            found.append(await anext(watch))
    return found


async def test_a_list_of_many_large_items_is_one_snapshot(store: EtcdStore) -> None:
    for chunk in range(6):
        await store.txn([Put(f"/o/{chunk:02}/{number:03}", bytes(9000)) for number in range(110)])
    writing = asyncio.create_task(store.txn([Put("/o/zzz", b"later")]))
    revision, items = await store.list("/o/")
    last = await writing

    later = revision >= last
    assert len(items) == 660 + later
    assert all(len(item.value) == 9000 for item in items[:660])
    assert [item.key for item in items] == sorted(item.key for item in items)
    assert max(item.mod_revision for item in items) == revision - (0 if later else last - revision - 1)


async def test_a_watch_tells_changes_of_many_megabytes(store: EtcdStore) -> None:
    start = await store.revision() + 1
    for number in range(4):
        await store.txn([Put(f"/big/{number}/{part}", bytes(300_000)) for part in range(4)])

    found = await take(store, "/big/", start, 4)

    assert [batch.revision for batch in found] == list(range(start, start + 4))
    assert all(len(value or b"") == 300_000 for batch in found for _, value in batch.changes)


async def test_a_deletion_at_the_compacted_revision_is_not_passed_over(store: EtcdStore) -> None:
    await store.txn([Put("/a", b"1")])
    deleted = await store.txn([Delete("/a")])
    await store.txn([Put("/b", b"1")])
    await store.compact(keep_revisions=1)

    with pytest.raises(Compacted) as caught:
        await take(store, "/", deleted, 1)
    assert caught.value.revision == deleted + 1


async def test_a_transaction_whose_answer_is_lost_is_unknown_and_is_not_sent_again(
    store: EtcdStore, far: EtcdStore, link: Link
) -> None:
    before = await far.revision()
    link.deaf = True
    writing = asyncio.create_task(far.txn([Put("/a", b"1")]))
    [batch] = await take(store, "/a", before + 1, 1)
    link.cut()
    link.deaf = False

    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(writing, 60)
    assert batch.revision == before + 1
    assert await far.revision() == before + 1


async def test_a_member_that_does_not_answer_leaves_the_outcome_unknown_within_the_time(
    far: EtcdStore, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd_gateway.Gateway.tell, "__kwdefaults__", {"timeout_s": 0.5})
    await far.revision()
    link.mute = True

    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(far.txn([Put("/a", b"1")]), 30)


async def test_a_writer_settles_a_commit_that_took_effect_before_its_answer_was_lost(
    store: EtcdStore, far: EtcdStore, link: Link
) -> None:
    writer = await Writer.claim(far)
    before = await store.revision()
    link.deaf = True
    committing = asyncio.create_task(writer.commit([Put("/a", b"1")]))
    await take(store, "/a", before + 1, 1)
    link.deaf = False
    link.cut()
    await asyncio.wait_for(committing, 60)
    await writer.commit([Put("/a", b"2")])

    assert [batch.changes[0][1] for batch in await take(store, "/a", before + 1, 2)] == [b"1", b"2"]
    assert await store.revision() == before + 2


async def test_a_writer_settles_a_commit_that_never_arrived(store: EtcdStore, far: EtcdStore, link: Link) -> None:
    writer = await Writer.claim(far)
    link.mute = True
    committing = asyncio.create_task(writer.commit([Put("/a", b"1")]))
    await asyncio.sleep(0.2)
    link.mute = False
    link.cut()

    with pytest.raises(NoQuorum, match="did not take the change"):
        await asyncio.wait_for(committing, 60)
    assert await value_of(store, "/a") is None
    await writer.commit([Put("/a", b"2")])
    assert await value_of(store, "/a") == b"2"


async def test_a_transaction_is_fenced_by_the_mastership_key(store: EtcdStore) -> None:
    mine = await store.txn([Put("/cardume/master", b"first host")])
    await store.txn([Put("/a", b"1")], compares=[Compare("/cardume/master", mine)])
    await store.txn([Put("/cardume/master", b"second host")])

    with pytest.raises(Conflict) as caught:
        await store.txn([Put("/a", b"2")], compares=[Compare("/cardume/master", mine)])
    assert caught.value.failed == ("/cardume/master",)
    assert await value_of(store, "/a") == b"1"


async def test_a_member_that_is_gone_is_passed_over(store: EtcdStore) -> None:
    room, voter = shared()
    [gone] = [room.voter("gone")]
    both = EtcdStore(room.gateway(gone, voter))
    await both.txn([Put("/a", b"1")])
    revision, items = await both.list("/")
    await both.close()

    assert [(item.key, item.mod_revision) for item in items] == [("/a", revision)]


async def test_without_any_member_nothing_is_written_and_that_is_known(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd_gateway.Gateway.tell, "__kwdefaults__", {"timeout_s": 0.5})
    store = EtcdStore(room.gateway(room.voter("gone")))

    with pytest.raises(NoQuorum):
        await store.txn([Put("/a", b"1")])
    await store.close()


async def test_a_client_of_another_authority_gets_nowhere(store: EtcdStore, tmp_path: Path) -> None:
    _, voter = shared()
    theirs = make_credentials(tmp_path, "127.0.0.1", Authority())
    theirs.authority.write_bytes(shared()[0].credentials.authority.read_bytes())
    stranger = Gateway([voter.client_url], theirs)

    with pytest.raises((NoQuorum, OutcomeUnknown)):
        await stranger.tell("/v3/kv/txn", {"success": [{"request_put": {"key": "L2E=", "value": ""}}]}, timeout_s=1)
    await stranger.close()
    assert await value_of(store, "/a") is None


async def test_a_watch_goes_on_without_a_gap_when_its_connection_is_cut(
    store: EtcdStore, far: EtcdStore, link: Link
) -> None:
    start = await store.revision() + 1
    watching = asyncio.create_task(take(far, "/", start, 60))
    for number in range(60):
        await store.txn([Put("/a", str(number).encode())])
        if number % 20 == 10:
            link.cut()

    assert [batch.revision for batch in await watching] == list(range(start, start + 60))


async def test_a_watch_outlives_the_restart_of_its_only_member(room: Room) -> None:
    voter = room.voter("one")
    room.start(voter)
    gateway = room.gateway(voter)
    await empty(gateway)
    store = EtcdStore(gateway)
    first = await store.txn([Put("/a", b"1")])
    watching = asyncio.create_task(take(store, "/", first, 2))
    await asyncio.sleep(0.1)
    room.end(voter, signal.SIGKILL)
    room.start(voter)
    second = await settled_txn(store, [Put("/a", b"2")])
    found = await watching
    await store.close()

    assert [(batch.revision, batch.changes) for batch in found] == [
        (first, (("/a", b"1"),)),
        (second, (("/a", b"2"),)),
    ]


async def test_a_closed_store_says_so_and_ends_watches(store: EtcdStore) -> None:
    waiting = asyncio.create_task(anext(store.watch("/", await store.revision() + 1)))
    await asyncio.sleep(0.1)
    await store.close()
    await store.close()

    with pytest.raises(StoreClosed):
        await asyncio.wait_for(waiting, 60)
    with pytest.raises(StoreClosed):
        await store.get("/a")
    with pytest.raises(StoreClosed):
        await store.txn([Put("/a", b"1")])


async def test_a_lease_of_a_member_that_is_gone_counts_as_lost_in_time(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    voter = room.voter("one")
    room.start(voter)
    gateway = room.gateway(voter)
    await empty(gateway)
    store = EtcdStore(gateway)
    lease = await store.lease(2)
    room.end(voter, signal.SIGKILL)

    with pytest.raises(NoQuorum):
        await asyncio.wait_for(lease.keep_alive(), 60)
    async with asyncio.timeout(60):
        while not lease.lost:
            await asyncio.sleep(0.05)
    await store.close()


async def settled_txn(store: EtcdStore, operations: list[Operation]) -> int:
    """A transaction that waits for a member to come back, without being sent twice."""
    await store.revision()
    return await store.txn(operations)
