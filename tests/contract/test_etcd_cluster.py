"""Joins, losses and recoveries of the pool database, on etcd members of the test's own. What was acknowledged stays.

Needs CARDUME_CONTRACT_ETCD=/usr/bin/etcd.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.contract.etcd_link import Link, linked
from tests.contract.etcd_room import Room, empty
from tests.contract.store_backends import needs_etcd

from cardume.pooldb.commit import Writer
from cardume.pooldb.etcd_gateway import Gateway, StreamEnded
from cardume.pooldb.etcd_members import Member, Members
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.etcd_wal import raise_commit
from cardume.pooldb.store import Delete, NoQuorum, OutcomeUnknown, Put, Store

pytestmark = needs_etcd

WRITTEN = "/written/"
LOSSES, MOST_LOSSES = 3, 12
"""Not every loss of a leader finds something acknowledged that the other was not told to be; most do."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room.make(tmp_path / "room")
    yield made
    await made.leave()


@dataclass
class Script:
    """A client that writes one number after the other, and knows of each whether it was acknowledged."""

    acknowledged: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    next: int = 0

    async def write(self, writer: Writer) -> None:
        """Write until cancelled, or until nobody can tell what became of the last number."""
        while True:
            number = self.next
            self.next += 1
            try:
                await writer.commit([Put(f"{WRITTEN}{number:05}", b"once")])
                self.acknowledged.append(number)
            except NoQuorum:
                self.refused.append(number)


@asynccontextmanager
async def writing(store: Store, script: Script) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a script; it is stopped at the block's end in the middle of whatever it does."""
    task = asyncio.create_task(script.write(await Writer.claim(store)))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def found(store: Store) -> dict[int, int]:
    """How many times each number was written, by the store's own history."""
    _, items = await store.list(WRITTEN)
    first = min((item.create_revision for item in items), default=1)
    last = max((item.mod_revision for item in items), default=0)
    counts: dict[int, int] = {}
    async with asyncio.timeout(120), aclosing(store.watch(WRITTEN, first)) as watch:
        while True:
            batch = await anext(watch)
            for key, _ in batch.changes:
                number = int(key.removeprefix(WRITTEN))
                counts[number] = counts.get(number, 0) + 1
            if batch.revision >= last:
                return counts


async def assert_nothing_lost_or_twice(store: Store, *scripts: Script) -> None:
    counts = await found(store)
    for script in scripts:
        assert set(script.acknowledged) <= counts.keys()
        assert not set(script.refused) & counts.keys()
    assert set(counts.values()) == {1}


async def until_written(script: Script, more: int, task: "asyncio.Task[None]") -> None:
    """Return when so many more numbers are acknowledged."""
    goal = len(script.acknowledged) + more
    async with asyncio.timeout(120):
        while len(script.acknowledged) < goal:  # what is waited for has no event
            assert not task.done(), task
            await asyncio.sleep(0.005)


async def fill(store: Store) -> None:
    for _ in range(40):
        await store.txn([Put("/big", bytes(1_000_000))])


async def first_voter(room: Room, voter: Voter) -> Members:
    room.start(voter)
    gateway = room.gateway(voter)
    await empty(gateway)
    return Members(gateway)


async def join(room: Room, members: Members, voter: Voter, *others: Voter) -> Member:
    """Make a member a voter: learner first, promoted when it has caught up."""
    added = await members.add_learner(voter.peer_url)
    room.start(voter, *others, voter, joins=True)
    await members.promote(added.id)
    return added


async def leader_of(members: Members) -> Member:
    leader = (await members.status()).leader
    return next(member for member in await members.list() if member.id == leader)


async def test_a_learner_joins_and_is_promoted_while_writes_go_on(room: Room) -> None:
    a, b = room.voter("a"), room.voter("b")
    members = await first_voter(room, a)
    store, script = EtcdStore(room.gateway(a)), Script()
    async with writing(store, script) as task:
        await until_written(script, 20, task)
        learner = await members.add_learner(b.peer_url)
        again = await members.add_learner(b.peer_url)
        before = await members.list()
        room.start(b, a, b, joins=True)
        await members.promote(learner.id)
        await members.promote(learner.id)
        after = await members.list()
        await until_written(script, 20, task)
    await store.close()
    other = EtcdStore(room.gateway(b))

    assert again == learner
    assert [member.votes for member in before if member.id == learner.id] == [False]
    assert sorted((member.name, member.votes) for member in after) == [("a", True), ("b", True)]
    assert script.refused == []
    await assert_nothing_lost_or_twice(other, script)
    await other.close()


async def test_a_member_that_leaves_ends_by_itself_and_does_not_come_back(room: Room) -> None:
    a, b = room.voter("a"), room.voter("b")
    members = await first_voter(room, a)
    joined = await join(room, members, b, a)
    await members.remove(joined.id)
    await members.remove(joined.id)
    first = room.wait_end(b)
    room.start(b, a, b, joins=True)

    assert first == 0
    assert room.wait_end(b) == 0
    assert [member.name for member in await members.list()] == ["a"]


async def test_of_three_voters_the_leader_is_killed_again_and_again_under_a_writer(room: Room) -> None:
    voters = [room.voter(name) for name in "abc"]
    members = await first_voter(room, voters[0])
    await join(room, members, voters[1], voters[0])
    await join(room, members, voters[2], voters[0], voters[1])
    store, script = EtcdStore(room.gateway(*voters)), Script()
    members = Members(room.gateway(*voters))
    async with writing(store, script) as task:
        for _ in range(2):
            await until_written(script, 30, task)
            leader = await leader_of(members)
            killed = next(voter for voter in voters if voter.name == leader.name)
            room.end(killed, signal.SIGKILL)
            await until_written(script, 10, task)
            room.start(killed, *voters, joins=True)
    await assert_nothing_lost_or_twice(store, script)
    await store.close()


async def test_a_dead_voter_of_three_is_replaced_by_another_host(room: Room) -> None:
    a, b, c, d = (room.voter(name) for name in "abcd")
    members = await first_voter(room, a)
    await join(room, members, b, a)
    dead = await join(room, members, c, a, b)
    room.end(c)
    await members.remove(dead.id)
    await join(room, members, d, a, b)

    assert sorted((member.name, member.votes) for member in await members.list()) == [
        ("a", True),
        ("b", True),
        ("d", True),
    ]


async def test_of_two_voters_the_leader_dies_and_the_other_goes_on_alone_with_all_that_was_acknowledged(
    room: Room,
) -> None:
    async with pair(room) as two:
        script, raised = Script(), 0
        for round in range(MOST_LOSSES):
            if round >= LOSSES and raised > 0:
                break
            two.slow_down(0.005)
            store = EtcdStore(room.gateway(two.a))
            async with writing(store, script) as task:
                await until_written(script, 50, task)
                two.cut()
                room.end(two.a)
            await store.close()
            room.end(two.b, signal.SIGTERM)
            change = raise_commit(room.data(two.b), room.directory / "before")
            raised += change.after - change.before
            two.start(two.b, alone=True)
            survivor = EtcdStore(room.gateway(two.b))
            await survivor.revision()
            await assert_nothing_lost_or_twice(survivor, script)
            await survivor.close()
            await two.bring_back_a_as_leader()
    assert raised > 0, "no run had what the remedy is for"


@dataclass
class Pair:
    """Two voters, a the leader, with links between them that a power cut of a's host takes away."""

    room: Room
    a: Voter
    b: Voter
    to_a: Link  # members send on connections that the receiver has made: a's messages are answers here
    to_b: Link

    @property
    def seen(self) -> tuple[Voter, Voter]:
        """The two as they find each other."""
        return replace(self.a, peer_port=self.to_a.port), replace(self.b, peer_port=self.to_b.port)

    def start(self, voter: Voter, *, joins: bool = False, alone: bool = False) -> None:
        seen_a, seen_b = self.seen
        seen = seen_a if voter == self.a else seen_b
        cluster = ",".join(f"{one.name}={one.peer_url}" for one in (seen_a, seen_b) if joins or one == seen)
        changed = {"initial-advertise-peer-urls": seen.peer_url, "initial-cluster": cluster}
        self.room.start(voter, joins=joins, alone=alone, changed=changed)

    def slow_down(self, slow_s: float) -> None:
        """Have what a says reach b later."""
        self.to_a.slow_answers_s = self.to_b.slow_requests_s = slow_s

    def cut(self) -> None:
        self.to_a.cut(for_good=True)
        self.to_b.cut(for_good=True)

    async def bring_back_a_as_leader(self) -> None:
        """Let the host that was lost join anew, without its old data."""
        self.to_a.is_cut = self.to_b.is_cut = False
        self.slow_down(0)
        members = Members(self.room.gateway(self.b))
        assert [member.name for member in await members.list()] == ["b"]
        self.room.wipe(self.a)
        back = await members.add_learner(self.seen[0].peer_url)
        self.start(self.a, joins=True)
        await members.promote(back.id)
        await members.move_leader(back.id)


@asynccontextmanager
async def pair(room: Room) -> AsyncIterator[Pair]:
    async with learning_pair(room) as two:
        members = Members(room.gateway(two.a))
        (learner,) = [member for member in await members.list() if not member.votes]
        await members.promote(learner.id)
        yield two


@asynccontextmanager
async def learning_pair(room: Room) -> AsyncIterator[Pair]:
    """The same before b has its vote."""
    a, b = room.voter("a"), room.voter("b")
    async with linked(a.address, a.peer_port) as to_a, linked(b.address, b.peer_port) as to_b:
        two = Pair(room, a, b, to_a, to_b)
        two.start(a)
        gateway = room.gateway(a)
        await empty(gateway)
        members = Members(gateway)
        await members.add_learner(two.seen[1].peer_url)
        two.start(b, joins=True)
        yield two


async def test_once_two_voters_have_decided_something_the_survivor_has_all_from_before_it_voted_too(room: Room) -> None:
    """Then `VoterKeeper` tells a host that it may go on alone; here the leader's host is lost at that very moment."""
    async with learning_pair(room) as two:
        store, members, script = EtcdStore(room.gateway(two.a)), Members(room.gateway(two.a)), Script()
        (learner,) = [member for member in await members.list() if not member.votes]
        async with writing(store, script) as task:
            await until_written(script, 50, task)
            two.slow_down(0.005)
            await members.promote(learner.id)
            await store.txn([Put("/settled", b"")])
            two.cut()
            room.end(two.a)
        await store.close()
        room.end(two.b)
        raise_commit(room.data(two.b), room.directory / "before")
        two.start(two.b, alone=True)
        survivor = EtcdStore(room.gateway(two.b))
        await survivor.revision()
        await assert_nothing_lost_or_twice(survivor, script)
        await survivor.close()


async def test_a_member_that_was_left_behind_cannot_disturb_the_one_that_went_on(room: Room) -> None:
    a, b = room.voter("a"), room.voter("b")
    await join(room, await first_voter(room, a), b, a)
    room.end(a)
    room.end(b, signal.SIGTERM)
    raise_commit(room.data(b), room.directory / "before")
    room.start(b, alone=True)
    store = EtcdStore(room.gateway(b))
    await store.txn([Put("/a", b"after the loss")])
    room.start(a, a, b, joins=True)  # on its old data

    assert room.wait_end(a) == 0
    revision = await store.txn([Put("/a", b"undisturbed")])
    assert await store.revision() == revision
    await store.close()


async def test_without_a_majority_writes_and_watches_end_and_the_members_can_still_be_asked(room: Room) -> None:
    a, b = room.voter("a"), room.voter("b")
    await join(room, await first_voter(room, a), b, a)
    gateway = room.gateway(b)
    watching = asyncio.create_task(until_ended(gateway))
    await asyncio.sleep(0.5)
    room.end(a)

    with pytest.raises(StreamEnded):
        await asyncio.wait_for(watching, 120)
    with pytest.raises(NoQuorum, match="no leader"):
        await until_refused(gateway)
    members = Members(gateway)
    assert len(await members.list()) == 2
    assert (await members.status()).leader == 0


async def until_refused(gateway: Gateway) -> None:
    """Write until it is refused: as long as the member hopes for the other, the outcome is unknown."""
    for _ in range(90):
        with suppress(OutcomeUnknown):
            await gateway.tell("/v3/kv/txn", {"success": [{"request_put": {"key": "L2E=", "value": ""}}]}, timeout_s=1)


async def until_ended(gateway: Gateway) -> None:
    """Watch a key that never changes."""
    async for _ in gateway.stream("/v3/watch", {"create_request": {"key": "L25ldmVy"}}):
        pass


async def test_a_full_database_refuses_writes_until_room_was_made(room: Room) -> None:
    a = room.voter("a")
    room.start(a, changed={"quota-backend-bytes": 8 << 20})
    gateway = room.gateway(a)
    await empty(gateway)
    store, members = EtcdStore(gateway), Members(room.gateway(a))
    with pytest.raises(NoQuorum, match="the pool database is full"):
        await fill(store)
    full = await members.status()
    await store.compact(keep_revisions=0)
    await members.defragment()
    alarms = await members.clear_alarms()
    await store.txn([Delete("/big"), Put("/a", b"1")])
    after = await members.status()
    await store.close()

    assert full.errors != ()
    assert alarms == ("NOSPACE",)
    assert after.errors == ()
    assert after.size_bytes < full.size_bytes
