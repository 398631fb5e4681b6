"""Needs a lab. Proves that two hosts' pool database survives what design and unit promise, over the lab's real network.

One voter, a learner, two voters; the leader's etcd killed; the leader's power cut in the middle of writes, what it had
not synced lost with it; the other goes on alone; the first comes back without starting etcd, and joins anew. What was
acknowledged stays, and nothing is there twice. The test does by hand what high availability with two hosts will do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.etcd_room import Authority, make_credentials

from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.pooldb.commit import Writer
from cardume.pooldb.etcd_gateway import Credentials, Gateway
from cardume.pooldb.etcd_members import Members
from cardume.pooldb.etcd_settings import Settings, Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.etcd_wal import raise_commit
from cardume.pooldb.store import NoQuorum, Put, Store, StoreError

D1, D2 = "d1-g1", "d2-g1"
STATE = Path("/var/lib/cardume")
TLS = "etcd-test-tls"
KEY = "/written/"
PATIENCE_S = 120.0
CALL = """
import asyncio, sys
from pathlib import Path
from cardume.hostops.etcd_service import EtcdService
service = EtcdService(Path("/var/lib/cardume"))

async def call(what, *arguments):
    told = getattr(service, what)(*arguments)
    told = await told if asyncio.iscoroutine(told) else told
    print("" if told is None else f"{told.active} {told.result} {told.exit_status}")

asyncio.run(call(*sys.argv[1:]))
"""


@dataclass
class Room:
    """The two hosts' etcds, by the product's own hands, and a client of theirs on this machine."""

    lab: LabHandle
    mine: Credentials
    gateways: list[Gateway] = field(default_factory=list)

    def voter(self, host: str) -> Voter:
        return Voter(host, self.lab.address(host))

    async def service(self, host: str, what: str, *arguments: str) -> str:
        """What a host's etcd answers to the product's own hands; writers go on meanwhile."""
        command = (f"{VENV}/bin/python", "-c", CALL, what, *arguments)
        return (await asyncio.to_thread(self.lab.exec, host, *command)).strip()

    def settings(self, host: str, *hosts: str, joins: bool = False, alone: bool = False) -> str:
        folder = STATE / TLS
        theirs = Credentials(folder / "authority.pem", folder / "host.pem", folder / "host.key")
        voters = [self.voter(one) for one in hosts or (host,)]
        return Settings(self.voter(host), STATE / "etcd", theirs, "lab", voters, joins, alone).render()

    def gateway(self, *hosts: str) -> Gateway:
        made = Gateway([self.voter(host).client_url for host in hosts], self.mine)
        self.gateways.append(made)
        return made

    def store(self, *hosts: str) -> EtcdStore:
        return EtcdStore(self.gateway(*hosts))

    async def join(self, host: str, other: str) -> float:
        """Make a host a voter; how long it took."""
        began = time.monotonic()
        members = Members(self.gateway(other))
        added = await members.add_learner(self.voter(host).peer_url)
        await self.service(host, "start", self.settings(host, other, host, joins=True))
        await members.promote(added.id)
        return time.monotonic() - began


@pytest.fixture
async def room(lab: LabHandle, tmp_path: Path) -> AsyncIterator[Room]:
    authority = Authority()
    for host in (D1, D2):
        make_credentials(lab.path(host, f"{STATE}/{TLS}"), lab.address(host), authority)
        lab.exec(host, "sync")
    made = Room(lab, make_credentials(tmp_path, "127.0.0.1", authority))
    yield made
    for gateway in made.gateways:
        await gateway.close()
    for host in (D1, D2):
        await made.service(host, "stop")
        lab.exec(host, "sh", "-c", f"cd {STATE} && rm -rf etcd etcd.* {TLS}")


@dataclass
class Script:
    """A client that writes one number after the other, and notes which were acknowledged, and how long each took."""

    acknowledged: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    next: int = 0

    async def write(self, store: Store) -> None:
        writer = await Writer.claim(store)
        while True:
            number, began = self.next, time.monotonic()
            self.next += 1
            try:
                await writer.commit([Put(f"{KEY}{number:05}", bytes(1000))])
                self.acknowledged.append(number)
                self.took_s.append(time.monotonic() - began)
            except NoQuorum:
                self.refused.append(number)

    async def until(self, more: int, writing: "asyncio.Task[None]") -> None:
        goal = len(self.acknowledged) + more
        async with asyncio.timeout(240):
            while len(self.acknowledged) < goal:  # what is waited for has no event
                assert not writing.done(), writing
                await asyncio.sleep(0.005)


async def assert_nothing_lost_or_twice(store: Store, script: Script) -> None:
    _, items = await store.list(KEY)
    first, last = min(item.create_revision for item in items), max(item.mod_revision for item in items)
    told: list[int] = []
    async with asyncio.timeout(120), aclosing(store.watch(KEY, first)) as watch:
        async for batch in watch:
            told += [int(key.removeprefix(KEY)) for key, _ in batch.changes]
            if batch.revision >= last:
                break
    assert len(told) == len(set(told))
    assert set(script.acknowledged) <= set(told)
    assert not set(script.refused) & set(told)


async def eventually(what: Callable[[], Awaitable[object]], within_s: float) -> float:
    """How long it took until something succeeded."""
    began = time.monotonic()
    while True:
        try:
            await what()
            return time.monotonic() - began
        except StoreError:
            if time.monotonic() - began > within_s:
                raise
            await asyncio.sleep(0.05)


async def test_two_hosts_keep_what_they_acknowledged_over_a_kill_a_power_cut_and_a_return(room: Room) -> None:
    lab, script = room.lab, Script()
    await room.service(D1, "start", room.settings(D1))
    store = room.store(D1)
    await eventually(store.revision, PATIENCE_S)
    writing = asyncio.create_task(script.write(store))
    await script.until(20, writing)
    joined_s = await room.join(D2, D1)
    await script.until(20, writing)
    members = Members(room.gateway(D1))
    votes = {member.name: member.votes for member in await members.list()}

    # The leader is killed: its unit brings it back.
    await asyncio.to_thread(lab.exec, D1, "systemctl", "kill", "--signal=KILL", "cardume-etcd")
    await script.until(50, writing)

    # The power of the leader's host goes, under the writer.
    await lead(room, D1)
    await script.until(50, writing)
    await asyncio.to_thread(lab.power_off, D1)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)

    alone_s, raised = await go_on_alone(room, D2)
    await assert_nothing_lost_or_twice(room.store(D2), script)
    names = [member.name for member in await Members(room.gateway(D2)).list()]

    # The first comes back: its etcd waits for the word, and begins anew.
    await asyncio.to_thread(lab.power_on, D1)
    after_boot = await room.service(D1, "state")
    await room.service(D1, "set_aside")
    back_s = await room.join(D1, D2)
    await eventually(room.store(D1).revision, PATIENCE_S)
    await assert_nothing_lost_or_twice(room.store(D1), script)
    print(
        f"joined in {joined_s:.2f} s, alone in {alone_s:.2f} s ({raised} changes committed by the survivor), "
        f"back in {back_s:.2f} s; {len(script.acknowledged)} acknowledged, the slowest in {max(script.took_s):.2f} s"
    )

    assert votes == {D1: True, D2: True}
    assert names == [D2]
    assert after_boot.startswith("False")
    assert len(script.acknowledged) >= 140


async def lead(room: Room, host: str) -> None:
    """Have this host lead."""
    members = Members(room.gateway(*(other for other in (D1, D2) if other != host)))
    [wanted] = [member for member in await members.list() if member.name == host]
    if (await members.status()).leader != wanted.id:
        await members.move_leader(wanted.id)


async def go_on_alone(room: Room, host: str) -> tuple[float, int]:
    """The survivor's recovery: how long it took, and how many changes it had not known to be committed."""
    began = time.monotonic()
    await room.service(host, "stop")
    state = room.lab.path(host, str(STATE))
    change = raise_commit(state / "etcd", state / "etcd.before-recovery")
    await room.service(host, "start", room.settings(host, alone=True))
    await eventually(room.store(host).revision, PATIENCE_S)
    await room.service(host, "keep", room.settings(host))  # so that a restart does not forget members to come
    return time.monotonic() - began, change.after - change.before
