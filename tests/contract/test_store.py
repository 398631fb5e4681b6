"""What every store promises, tried on each of them. Revisions are compared with each other, never with a number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.contract.store_backends import BACKENDS, backend_params

from cardume.pooldb.store import (
    MAX_BYTES,
    MAX_OPERATIONS,
    Batch,
    Compacted,
    Compare,
    Conflict,
    Delete,
    LeaseLost,
    Put,
    Store,
    TooLarge,
)


@pytest.fixture(params=backend_params())
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with BACKENDS[request.param](tmp_path) as opened:
        yield opened


async def batches(store: Store, prefix: str, from_revision: int, count: int) -> list[Batch]:
    found: list[Batch] = []
    async with asyncio.timeout(60), aclosing(store.watch(prefix, from_revision)) as watch:
        async for batch in watch:
            found.append(batch)
            if len(found) == count:
                break
    return found


async def eventually_absent(store: Store, key: str, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while await store.get(key) is not None:  # what is waited for has no event
            await asyncio.sleep(0.02)


async def test_a_key_that_was_never_put_is_absent(store: Store) -> None:
    assert await store.get("/a") is None


async def test_a_put_value_is_read_back_with_its_revisions(store: Store) -> None:
    first = await store.txn([Put("/a", b"1")])
    second = await store.txn([Put("/a", b"2")])
    item = await store.get("/a")

    assert item is not None
    assert (item.key, item.value, item.create_revision, item.mod_revision, item.lease) == ("/a", b"2", first, second, 0)
    assert second == first + 1
    assert await store.revision() == second


async def test_bytes_and_keys_of_any_kind_survive(store: Store) -> None:
    value = bytes(range(256))
    await store.txn([Put("/ção/São Carlos 🐟", value), Put("/empty", b"")])

    item, empty = await store.get("/ção/São Carlos 🐟"), await store.get("/empty")

    assert item is not None
    assert item.value == value
    assert empty is not None
    assert empty.value == b""


async def test_a_transaction_is_one_revision(store: Store) -> None:
    before = await store.revision()
    revision = await store.txn([Put("/b", b"1"), Put("/a", b"1")])
    _, items = await store.list("/")

    assert revision == before + 1
    assert [(item.key, item.mod_revision) for item in items] == [("/a", revision), ("/b", revision)]


async def test_a_list_holds_the_keys_with_the_prefix_in_order(store: Store) -> None:
    await store.txn([Put("/x/b", b"1"), Put("/x/a", b"2"), Put("/xy", b"3"), Put("/y", b"4"), Put("/x/", b"5")])
    revision, items = await store.list("/x/")

    assert [item.key for item in items] == ["/x/", "/x/a", "/x/b"]
    assert revision == await store.revision()


async def test_a_deleted_key_is_gone_and_comes_back_as_a_new_one(store: Store) -> None:
    await store.txn([Put("/a", b"1")])
    await store.txn([Delete("/a")])
    gone = await store.get("/a")
    again = await store.txn([Put("/a", b"2")])
    item = await store.get("/a")

    assert gone is None
    assert item is not None
    assert item.create_revision == again


@pytest.mark.parametrize("operations", [[], [Delete("/absent")]])
async def test_a_transaction_that_changes_nothing_makes_no_revision(store: Store, operations: list[Any]) -> None:
    before = await store.txn([Put("/a", b"1")])

    assert await store.txn(operations) == before
    assert await store.revision() == before


async def test_a_compare_that_holds_lets_the_transaction_through(store: Store) -> None:
    first = await store.txn([Put("/a", b"1")], compares=[Compare("/a", 0)])
    await store.txn([Put("/a", b"2"), Put("/b", b"2")], compares=[Compare("/a", first), Compare("/b", 0)])
    item = await store.get("/a")

    assert item is not None
    assert item.value == b"2"


async def test_a_compare_that_fails_stops_the_whole_transaction(store: Store) -> None:
    first = await store.txn([Put("/a", b"1")])
    second = await store.txn([Put("/b", b"1")])

    with pytest.raises(Conflict) as caught:
        await store.txn(
            [Put("/a", b"no"), Put("/c", b"no"), Delete("/b")],
            compares=[Compare("/a", first), Compare("/b", first), Compare("/absent", 0)],
        )

    assert "/b" in caught.value.failed
    assert "/absent" not in caught.value.failed
    assert await store.revision() == second
    assert [(item.key, item.value) for item in (await store.list("/"))[1]] == [("/a", b"1"), ("/b", b"1")]


async def test_a_deleted_key_compares_as_absent(store: Store) -> None:
    first = await store.txn([Put("/a", b"1")])
    await store.txn([Delete("/a")])

    with pytest.raises(Conflict):
        await store.txn([Put("/a", b"2")], compares=[Compare("/a", first)])
    await store.txn([Put("/a", b"2")], compares=[Compare("/a", 0)])


async def test_of_writers_that_race_for_a_key_one_wins(store: Store) -> None:
    async def claim(number: int) -> bool:
        try:
            await store.txn([Put("/master", str(number).encode())], compares=[Compare("/master", 0)])
        except Conflict:
            return False
        return True

    outcomes = await asyncio.gather(*(claim(number) for number in range(20)))
    item = await store.get("/master")

    assert item is not None
    assert outcomes.count(True) == 1
    assert outcomes[int(item.value)] is True


async def test_the_largest_transaction_passes_and_a_larger_one_is_refused(store: Store) -> None:
    most = [Put(f"/k/{number}", b"v") for number in range(MAX_OPERATIONS)]
    before = await store.txn(most)

    with pytest.raises(TooLarge):
        await store.txn([*most, Put("/one/more", b"v")])
    with pytest.raises(TooLarge):
        await store.txn([Put("/big", bytes(MAX_BYTES))])
    await store.txn([Put("/big", bytes(MAX_BYTES - 100))])

    assert await store.get("/one/more") is None
    assert await store.revision() == before + 1


async def test_a_key_twice_in_one_transaction_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="once"):
        await store.txn([Put("/a", b"1"), Delete("/a")])

    assert await store.get("/a") is None


async def test_a_watch_tells_what_was_before_and_what_comes(store: Store) -> None:
    first = await store.txn([Put("/x/b", b"1"), Put("/x/a", b"1")])
    await store.txn([Put("/other", b"1")])
    watching = asyncio.create_task(batches(store, "/x/", first, 3))
    await asyncio.sleep(0.05)
    await store.txn([Delete("/x/a"), Put("/other", b"2")])
    last = await store.txn([Put("/x/c", b"1")])

    assert await watching == [
        Batch(first, (("/x/a", b"1"), ("/x/b", b"1"))),
        Batch(last - 1, (("/x/a", None),)),
        Batch(last, (("/x/c", b"1"),)),
    ]


async def test_a_watch_from_a_later_revision_waits_for_it(store: Store) -> None:
    now = await store.revision()
    watching = asyncio.create_task(batches(store, "/", now + 2, 1))
    await asyncio.sleep(0.05)
    await store.txn([Put("/a", b"1")])
    second = await store.txn([Put("/b", b"1")])

    assert await watching == [Batch(second, (("/b", b"1"),))]


async def test_many_watches_see_every_one_of_many_concurrent_writes(store: Store) -> None:
    start = await store.revision() + 1
    watching = [asyncio.create_task(batches(store, "/", start, 100)) for _ in range(10)]
    await asyncio.gather(*(store.txn([Put(f"/{number}", b"v")]) for number in range(100)))

    for found in await asyncio.gather(*watching):
        assert [batch.revision for batch in found] == list(range(start, start + 100))
        assert {key for batch in found for key, _ in batch.changes} == {f"/{number}" for number in range(100)}


async def test_compaction_keeps_the_items_and_the_newest_history(store: Store) -> None:
    first = await store.txn([Put("/a", b"0")])
    for number in range(1, 10):
        await store.txn([Put("/a", str(number).encode())])
    await store.compact(keep_revisions=3)

    with pytest.raises(Compacted) as caught:
        await batches(store, "/", first, 1)
    kept = await batches(store, "/", caught.value.revision, 3)
    item = await store.get("/a")

    assert item is not None
    assert (item.value, item.create_revision) == (b"9", first)
    assert [batch.changes for batch in kept] == [(("/a", b"7"),), (("/a", b"8"),), (("/a", b"9"),)]


async def test_a_watch_that_keeps_up_survives_compaction(store: Store) -> None:
    start = await store.txn([Put("/a", b"0")])
    seen: list[int] = []
    async with asyncio.timeout(60), aclosing(store.watch("/", start)) as watch:
        for number in range(20):
            # It keeps up because it is read before more is compacted: how fast it is, is not the question here.
            seen.append((await anext(watch)).revision)
            await store.txn([Put("/a", str(number).encode())])
            await store.compact(keep_revisions=5)
        seen.append((await anext(watch)).revision)

    assert seen == list(range(start, start + 21))


async def test_keys_of_a_lease_vanish_when_it_is_revoked(store: Store) -> None:
    lease = await store.lease(30)
    put = await store.txn([Put("/alive", b"1", lease=lease.id), Put("/stays", b"1")])
    item = await store.get("/alive")
    await lease.revoke()
    [gone] = await batches(store, "/alive", put + 1, 1)

    assert item is not None
    assert item.lease == lease.id
    assert lease.lost
    assert gone.changes == (("/alive", None),)
    assert await store.get("/stays") is not None


async def test_keys_of_a_lease_vanish_when_nobody_keeps_it_alive(store: Store) -> None:
    lease = await store.lease(1)
    await store.txn([Put("/alive", b"1", lease=lease.id)])
    await eventually_absent(store, "/alive", within_s=60)

    assert lease.lost
    with pytest.raises(LeaseLost):
        await lease.keep_alive()
    with pytest.raises(LeaseLost):
        await store.txn([Put("/alive", b"2", lease=lease.id)])


async def test_a_lease_that_is_kept_alive_outlives_its_time(store: Store) -> None:
    lease = await store.lease(5)
    await store.txn([Put("/alive", b"1", lease=lease.id)])
    for _ in range(13):
        await asyncio.sleep(0.5)
        await lease.keep_alive()

    assert not lease.lost
    assert await store.get("/alive") is not None


async def test_a_key_put_anew_without_the_lease_outlives_it(store: Store) -> None:
    lease = await store.lease(30)
    await store.txn([Put("/a", b"1", lease=lease.id)])
    await store.txn([Put("/a", b"2")])
    await lease.revoke()

    assert await store.get("/a") is not None
