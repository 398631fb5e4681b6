"""The change feed: what a client that had a token is told."""

import asyncio
import random

import pytest

from cardume.datamodel.refs import Ref
from cardume.pooldb import feed as feed_module
from cardume.pooldb.feed import Changes, Feed, Filter, Lost

A: Ref[object] = Ref("OpaqueRef:a")
B: Ref[object] = Ref("OpaqueRef:b")
C: Ref[object] = Ref("OpaqueRef:c")
VMS = Filter(frozenset({"VM"}))


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def a_feed(clock: Clock | None = None) -> Feed:
    return Feed(1, ["VM", "host", "pool"], now_s=clock or Clock())


def told(changes: Changes) -> tuple[list[str], list[str], list[str]]:
    """The last letters of the references, by sort."""
    adds, mods, dels = ([change.ref[-1] for change in sort] for sort in (changes.adds, changes.mods, changes.dels))
    return adds, mods, dels


def test_the_first_call_adds_every_live_object() -> None:
    feed = a_feed()
    feed.load("VM", [A, B])
    feed.publish(created=[("VM", C)], modified=[("VM", A)])
    feed.publish(deleted=[("VM", B)])

    assert told(feed.changes_since(0)) == (["a", "c"], [], [])


def test_created_after_the_token_is_an_add_even_when_it_changed_since() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A)])
    feed.publish(created=[("VM", B)])
    feed.publish(modified=[("VM", B)])
    feed.publish(modified=[("VM", A)])

    assert told(feed.changes_since(token)) == (["b"], ["a"], [])


def test_created_and_destroyed_in_between_is_nothing() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A)])
    between = feed.publish(created=[("VM", B)])
    feed.publish(deleted=[("VM", B)])

    assert told(feed.changes_since(token)) == ([], [], [])
    assert told(feed.changes_since(between)) == ([], [], ["b"])


def test_an_object_appears_once_however_often_it_changed() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("VM", B)])
    feed.publish(modified=[("VM", A)])
    feed.publish(modified=[("VM", A), ("VM", B)])
    feed.publish(deleted=[("VM", B)])

    assert told(feed.changes_since(token)) == ([], ["a"], ["b"])


def test_each_sort_is_in_order_of_generation_and_carries_it() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("VM", B), ("VM", C)])
    feed.publish(modified=[("VM", C)])
    feed.publish(modified=[("VM", A)])
    feed.publish(modified=[("VM", B)])
    changes = feed.changes_since(token)

    assert [(change.ref, change.generation - token) for change in changes.mods] == [(C, 1), (A, 2), (B, 3)]
    assert changes.generation == token + 3
    assert told(feed.changes_since(changes.generation)) == ([], [], [])


def test_a_filter_names_classes_and_single_objects() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("host", B), ("pool", C)])
    feed.publish(modified=[("VM", A), ("host", B), ("pool", C)])

    assert told(feed.changes_since(token, VMS)) == ([], ["a"], [])
    assert told(feed.changes_since(token, Filter(frozenset(), frozenset({B})))) == ([], ["b"], [])
    assert told(feed.changes_since(token, Filter(frozenset({"pool"}), frozenset({B})))) == ([], ["b", "c"], [])
    assert told(feed.changes_since(token, Filter(frozenset({"no such class"})))) == ([], [], [])


def test_classes_without_events_are_not_told() -> None:
    feed = a_feed()
    feed.publish(created=[("session", A)])
    feed.publish(modified=[("session", A)])
    feed.publish(deleted=[("session", A)])

    assert told(feed.changes_since(0)) == ([], [], [])


def test_tokens_of_an_earlier_start_or_of_the_future_are_lost() -> None:
    feed = a_feed()
    start = feed.generation
    now = feed.publish(created=[("VM", A)])

    assert told(feed.changes_since(start)) == (["a"], [], [])
    for token in (1, start - 1, now + 1, 1 << 60):
        with pytest.raises(Lost):
            feed.changes_since(token)


def test_deletions_are_known_for_an_hour_and_the_newest_ten_thousand_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "REMEMBERED", 3)
    clock = Clock()
    feed = a_feed(clock)
    tokens = [feed.publish(created=[("VM", Ref(str(number))) for number in range(6)])]
    tokens += [feed.publish(deleted=[("VM", Ref(str(number)))]) for number in range(5)]
    assert told(feed.changes_since(tokens[0]))[2] == ["0", "1", "2", "3", "4"]

    clock.now_s += feed_module.REMEMBERED_S + 1
    tokens.append(feed.publish(deleted=[("VM", Ref("5"))]))

    with pytest.raises(Lost):
        feed.changes_since(tokens[2])
    assert told(feed.changes_since(tokens[3]))[2] == ["3", "4", "5"]


def test_a_storm_of_deletions_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "REMEMBERED", 3)
    monkeypatch.setattr(feed_module, "REMEMBERED_AT_MOST", 10)
    feed = a_feed()
    feed.publish(created=[("VM", Ref(str(number))) for number in range(50)])
    tokens = [feed.publish(deleted=[("VM", Ref(str(number)))]) for number in range(50)]

    with pytest.raises(Lost):
        feed.changes_since(tokens[38])
    assert len(feed.changes_since(tokens[39]).dels) == 10


@pytest.mark.parametrize("seed", range(10))
def test_a_client_that_applies_what_it_is_told_knows_what_is_there(seed: int) -> None:
    chance = random.Random(seed)
    feed = a_feed()
    live: dict[Ref[object], int] = {}
    clients: list[tuple[int, dict[Ref[object], int]]] = [(0, {}) for _ in range(5)]
    for number in range(300):
        created: list[tuple[str, Ref[object]]] = []
        modified: list[tuple[str, Ref[object]]] = []
        deleted: list[tuple[str, Ref[object]]] = []
        for ref in chance.sample(sorted(live), min(len(live), 3)):
            if chance.random() < 0.5:
                live[Ref(ref)] += 1
                modified.append(("VM", Ref(ref)))
            else:
                del live[Ref(ref)]
                deleted.append(("VM", Ref(ref)))
        for _ in range(chance.randint(0, 2)):
            fresh: Ref[object] = Ref(f"{number}-{chance.random()}")
            live[fresh] = 0
            created.append(("VM", fresh))
        feed.publish(created, modified, deleted)
        which = chance.randrange(5)
        token, known = clients[which]
        changes = feed.changes_since(token)
        assert not {c.ref for c in changes.adds} & known.keys()
        assert {c.ref for c in changes.mods} | {c.ref for c in changes.dels} <= known.keys()
        known.update({c.ref: live[c.ref] for c in (*changes.adds, *changes.mods)})
        for gone in changes.dels:
            del known[gone.ref]
        assert known == live
        clients[which] = (changes.generation, known)


async def test_a_wait_ends_with_the_first_change_that_concerns_it() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("host", B)])
    waiting = asyncio.create_task(feed.wait(token, VMS, timeout_s=30))
    await asyncio.sleep(0)
    feed.publish(modified=[("host", B)])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    feed.publish(modified=[("VM", A)])

    assert told(await asyncio.wait_for(waiting, 60)) == ([], ["a"], [])


async def test_a_wait_for_one_object_ignores_its_class() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("VM", B)])
    waiting = asyncio.create_task(feed.wait(token, Filter(frozenset(), frozenset({B})), timeout_s=30))
    await asyncio.sleep(0)
    feed.publish(modified=[("VM", A)])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    feed.publish(deleted=[("VM", B)])

    assert told(await asyncio.wait_for(waiting, 60)) == ([], [], ["b"])


async def test_a_wait_goes_on_over_what_came_and_went() -> None:
    feed = a_feed()
    waiting = asyncio.create_task(feed.wait(feed.generation, VMS, timeout_s=30))
    await asyncio.sleep(0)
    feed.publish(created=[("VM", A)])
    feed.publish(deleted=[("VM", A)])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    feed.publish(created=[("VM", B)])

    assert told(await asyncio.wait_for(waiting, 60)) == (["b"], [], [])


async def test_a_wait_that_nothing_ends_gives_a_fresh_token_when_its_time_is_over() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("host", B)])
    waiting = asyncio.create_task(feed.wait(token, VMS, timeout_s=1))
    await asyncio.sleep(0.01)
    now = feed.publish(modified=[("host", B)])
    changes = await asyncio.wait_for(waiting, 60)

    assert not changes
    assert changes.generation == now
    assert not await feed.wait(now, VMS, timeout_s=0)


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    feed = a_feed()
    waiting = asyncio.create_task(feed.wait(feed.generation, timeout_s=30))
    await asyncio.sleep(0)
    assert len(feed._watches) == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert len(feed._watches) == 0


async def test_one_change_wakes_thousands_that_wait_for_it_and_none_of_the_others() -> None:
    feed = a_feed()
    token = feed.publish(created=[("VM", A), ("host", B)])
    vms = [asyncio.create_task(feed.wait(token, VMS, timeout_s=60)) for _ in range(2000)]
    hosts = [asyncio.create_task(feed.wait(token, Filter(frozenset({"host"})), timeout_s=0.3)) for _ in range(200)]
    await asyncio.sleep(0.01)
    feed.publish(modified=[("VM", A)])

    assert {len((await waiting).mods) for waiting in vms} == {1}
    assert {len((await waiting).mods) for waiting in hosts} == {0}
