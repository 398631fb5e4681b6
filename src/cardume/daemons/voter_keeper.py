"""The master's standing work for the cluster that keeps the pool database: who votes, and that there is room."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from cardume.core.voters import AddLearner, PoolHost, Promote, Remove, Step, count_voters, plan_voters
from cardume.daemons.etcd_here import EtcdHere, writable
from cardume.daemons.members import TELL_S
from cardume.daemons.members import Members as Hosts
from cardume.daemons.place import Place
from cardume.daemons.pool_database import SETTLED_KEY, PoolDatabase
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.vote import Vote
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import HostError
from cardume.pooldb.etcd_gateway import Gateway
from cardume.pooldb.etcd_members import Member, Members
from cardume.pooldb.etcd_settings import Voter
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.store import NoQuorum, Put, StoreError

log = structlog.get_logger()

LOOK_S = 2.0
TIDY_S = 3600.0
VOTER_S = 60.0
DECIDE_S = 20.0
REACH_AGAIN_S = 0.3
PAIR = 2
"""Voters of which each takes part in every decision, so that either has everything."""
WORTH_BYTES = 64 << 20
"""A database file smaller than this is left as it is; a larger one of which half is unused is defragmented."""


class VoterKeeper:
    """Brings the cluster step by step to the voters that the pool should have."""

    def __init__(self, place: Place, database: PoolDatabase, etcd: EtcdHere, vote: Vote, hosts: Hosts) -> None:
        self._place, self._database, self._etcd, self._vote, self._hosts = place, database, etcd, vote, hosts
        self._has_settled = False  # since this host became the master
        self._lost_since: dict[str, float] = {}
        self._lock = asyncio.Lock()
        self._changed: Callable[[], Awaitable[None]] | None = None

    def after_change(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call this when the pool's map has changed; members are told besides."""
        self._changed = call

    async def run(self) -> None:
        """Look after it until cancelled."""
        tidied = time.monotonic()
        known = PoolMap()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                while await self._round():
                    pass
                if self._place.map != known:
                    told = self._place.map
                    await self._tell()
                    known = told
                if time.monotonic() - tidied >= TIDY_S:
                    tidied = time.monotonic()
                    await self._tidy()
            except (StoreError, HostError, ApiError, TimeoutError) as fault:
                log.warning("voters_not_kept", error=str(fault))
            except Exception:
                log.exception("voters_not_kept")

    async def reach(self) -> None:
        """Return when the voters are those that the pool should have, and each of them knows it. StoreError, ApiError.

        Under high availability that takes all hosts that are to vote; there is no limit of time here.
        """
        while True:
            try:
                await self._tell()  # a host that loses its vote knows that before it does
                while await self._round():
                    pass
                known = self._place.map
                wanted = count_voters(len(known.hosts), ha=known.ha)
                if len(known.voters) == wanted and (known.settled or not (known.ha and wanted == PAIR)):
                    await self._tell()
                    if all(self._is_connected(uuid) for uuid in known.voters):
                        return
            except (StoreError, HostError, TimeoutError) as fault:
                log.info("voters_awaited", reason=str(fault))
            await asyncio.sleep(REACH_AGAIN_S)

    def _is_connected(self, uuid: str) -> bool:
        hosts = self._database.db.all(Host)
        return any(host.uuid == uuid and self._hosts.is_connected(ref) for ref, host in hosts.items())

    async def exclude(self, uuid: str) -> None:
        """Take a host that leaves the pool out of the cluster, before it goes. StoreError."""
        gateway = self._database.gateway
        if gateway is None:
            return
        async with self._lock:
            found = (await _found(gateway, self._place.map)).get(uuid)
            if found is not None:
                await self._remove(gateway, uuid, found)

    async def _round(self) -> bool:
        """One step; True when there may be another."""
        gateway = self._database.gateway
        if gateway is None:
            return False
        hosts = self._database.db.all(Host)
        if len(hosts) == 1:
            await self._database.withdraw()
            return False
        async with self._lock:
            known = self._database.refresh_map()
            found = await _found(gateway, known)
            votes = {uuid: member.votes for uuid, member in found.items()}
            voters = tuple(sorted(uuid for uuid in votes if votes[uuid]))
            if set(voters) != set(known.voters):
                self._database.set_voters(voters)
            step = plan_voters([self._pool_host(ref) for ref in hosts], votes, master=self._place.uuid, ha=known.ha)
            if step is not None:
                await self._do(gateway, step, found)
            elif known.ha and len(voters) == PAIR and not (self._has_settled and self._place.map.settled):
                await self._settle()
        return step is not None

    async def _settle(self) -> None:
        """Have both voters of two know that each has everything: after a verdict one of them goes on alone."""
        known = await self._database.settle()
        self._has_settled = True
        self._vote.note(known)
        await self._tell()

    async def _unsettle(self) -> None:
        """Have no host believe that it has everything, before others may decide something without it.

        HostError: one of them may believe it still.
        """
        voters = self._place.map.voters
        if len(voters) == PAIR:
            self._has_settled = False
            self._vote.drop()
            self._database.unsettle()
            for uuid in voters:
                if uuid != self._place.uuid:
                    await self._have_it_know(uuid)
            await self._tell()

    async def _have_it_know(self, uuid: str) -> None:
        """Tell a host the map as it is now. HostError, also when it has just gone: it was there when this was planned.

        `spread_map` passes over those that are not connected.
        """
        host = next((ref for ref, each in self._database.db.all(Host).items() if each.uuid == uuid), None)
        if host is None:
            raise HostError(f"the host {uuid} keeps the pool database, and is not of the pool")
        try:
            await self._hosts.ask(host, "map", {"known": self._place.map.told()}, TELL_S)
        except ApiError as fault:
            raise HostError(f"the host {uuid} cannot be told that it has no vote any more: {fault.code}") from fault

    def _keep_vote_beside(self, uuid: str) -> None:
        """Have this host, which alone has decided everything so far, go on alone should the next voter be lost at once.

        Before it votes: it may be lost with the answer, and then nobody knows whether it does.
        """
        known = self._place.map
        if known.ha and known.voters == (self._place.uuid,):
            pair = replace(known, voters=tuple(sorted((self._place.uuid, uuid))), settled=False)
            self._place.know(pair)
            self._vote.note(replace(pair, settled=True))

    async def _tell(self) -> None:
        if self._changed is not None:
            await self._changed()
        await self._hosts.spread_map()

    def _pool_host(self, ref: Ref[Host]) -> PoolHost:
        uuid = self._database.db.get(ref).uuid
        if uuid == self._place.uuid or self._hosts.is_connected(ref):
            self._lost_since.pop(uuid, None)
            return PoolHost(uuid)
        now = time.monotonic()
        since = self._lost_since.setdefault(uuid, now)
        verdict = self._place.verdict
        condemned = self._place.map.ha and verdict is not None and uuid not in verdict.deciding
        return PoolHost(uuid, max(now - since, 0.001), condemned)

    async def _do(self, gateway: Gateway, step: Step, found: Mapping[str, Member]) -> None:
        log.info("voters_step", step=type(step).__name__, host=step.host)
        match step:
            case AddLearner(uuid):
                await Members(gateway).add_learner(self._voter(uuid).peer_url)
                await self._start(uuid)
            case Promote(uuid):
                await self._start(uuid)
                await self._unsettle()
                self._forget_verdict(uuid)  # not later: there may be another one by then
                self._keep_vote_beside(uuid)
                await Members(gateway).promote(found[uuid].id)
                self._database.set_voters(tuple(sorted({*self._place.map.voters, uuid})))
            case Remove(uuid):
                await self._unsettle()
                await self._remove(gateway, uuid, found[uuid])

    def _forget_verdict(self, uuid: str) -> None:
        """What a verdict said of a host is over when it votes again: from now on it is waited for as any other."""
        if (verdict := self._place.verdict) is not None:
            self._place.verdict = replace(verdict, living=verdict.living | {uuid}, aside=verdict.aside - {uuid})

    async def _remove(self, gateway: Gateway, uuid: str, member: Member) -> None:
        """Have others lead, take it out, and stop it only when those that are left decide without it.

        A leader that ends right after its own removal leaves followers that have not heard of it, and wait for ever.
        """
        left = tuple(voter for voter in self._place.map.voters if voter != uuid)
        if left:
            await self._have_others_lead(member, left)
            self._database.set_voters(left)  # nobody asks it any more when it ends
        await Members(gateway).remove(member.id)
        store = EtcdStore(gateway)
        await writable(store, DECIDE_S)
        # That was a read: until something is written after it etcd has not on its disk that the removal is decided.
        # The last voter that loses its power then waits for ever for the one that has gone.
        await store.txn([Put(SETTLED_KEY, b"")])
        if uuid == self._place.uuid:
            await self._etcd.give_up()
            return
        host = next((ref for ref, each in self._database.db.all(Host).items() if each.uuid == uuid), None)
        if host is not None and self._hosts.is_connected(host):
            await self._hosts.ask(host, "voter_stop", {}, VOTER_S)

    async def _have_others_lead(self, member: Member, left: tuple[str, ...]) -> None:
        there = self._etcd.gateway([member.client_url])
        try:
            members = Members(there)
            status = await members.status()
            if status.leader == member.id:
                others = [one for one in await members.list() if one.votes and one.name in left]
                heir = max(others, key=lambda one: one.name == self._place.uuid)
                await members.move_leader(heir.id)
        except NoQuorum:
            pass  # it does not answer, so it does not lead
        finally:
            await there.close()

    async def _start(self, uuid: str) -> None:
        """Have a host's member run, should it not."""
        known = self._place.map
        voters = known.voters_of(uuid)
        if uuid == self._place.uuid:
            await self._etcd.join(known.cluster, self._voter(uuid), voters)
            return
        host = next(ref for ref, each in self._database.db.all(Host).items() if each.uuid == uuid)
        # By a map of before it would take itself for a voter that has none, and step aside.
        await self._hosts.ask(host, "map", {"known": known.told()}, TELL_S)
        told = {"cluster": known.cluster, "voters": [[voter.name, voter.address] for voter in voters]}
        await self._hosts.ask(host, "voter_start", told, VOTER_S)

    def _voter(self, uuid: str) -> Voter:
        return Voter(uuid, self._place.map.address(uuid))

    async def _tidy(self) -> None:
        """Give each member's unused space back, and allow writes again after the quota was reached."""
        for voter in self._place.map.voters_of():
            gateway = self._etcd.gateway([voter.client_url])
            try:
                members = Members(gateway)
                status = await members.status()
                if status.size_bytes >= WORTH_BYTES and status.used_bytes * 2 < status.size_bytes:
                    await members.defragment()
                    log.info("database_defragmented", host=voter.name, before=status.size_bytes)
                if "NOSPACE" in " ".join(status.errors):
                    await members.defragment()
                    await members.clear_alarms()
            finally:
                await gateway.close()


async def _found(gateway: Gateway, known: PoolMap) -> dict[str, Member]:
    """The members of the cluster by their hosts' uuids; one that has never come up tells its address alone."""
    hosts = {Voter(host.uuid, host.address).peer_url: host.uuid for host in known.hosts}
    members = await Members(gateway).list()
    return {member.name or hosts.get(member.peer_url, member.peer_url): member for member in members}
