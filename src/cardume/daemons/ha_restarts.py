"""High availability on the master: what the HA daemon tells is taken in, and VMs that should run are started.

Nothing is started before the HA daemon says that this host leads: then no other one acts. A host's VMs are halted, and
its hold of their disks voided, only when its life is proved over; after that they are started like any others, by the
claims in the database. Which ones and where is decided anew for each turn (`core/restarting.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from cardume.core import placement
from cardume.core.failover import FailoverPool
from cardume.core.ha_alerts import Happened, HaWatch, News, untimed
from cardume.core.restarting import Past, Turn, Waiting, next_turn
from cardume.core.survival import Verdict
from cardume.core.unmanaged import UnmanagedHosts, managed_again, unmanaged
from cardume.daemons.ha_uplinks import UplinkFollower
from cardume.daemons.had_events import LEFT, REBOOTED
from cardume.daemons.restart_alerts import RestartAlerts
from cardume.datamodel import api_messages
from cardume.datamodel.api_messages import Alert
from cardume.datamodel.errors import CODES, ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass, Message
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import HaAgent, HaEvent, HaEventKind
from cardume.messages.agility import shared_by_all, why_not_agile
from cardume.messages.call import Hosts
from cardume.messages.dead_host import bury
from cardume.messages.failover_facts import BEST_EFFORT, failover_pool, is_protected
from cardume.messages.ha_plan import refresh_plan, the_pool
from cardume.messages.message import add_alert
from cardume.messages.vm_placement import guests_of, host_loads, memory_on_host, vm_demand
from cardume.pooldb.db import Database
from cardume.pooldb.store import StoreError

log = structlog.get_logger()

LISTEN_S = 20.0
LOOK_S = 2.0
"""How often is looked for VMs that should run and do not, when nothing tells of one."""
PLAN_S = 30.0
ANSWER_S = 3.0
PAUSE_S = 2.0

StartAgain = Callable[[Ref[VM], Ref[Host]], Awaitable[None]]
"""Start a VM on this host, whatever the failover plan says; ApiError."""
StartAnywhere = Callable[[Ref[VM]], Awaitable[None]]
"""Start a VM where the failover plan lets it; ApiError."""

Obey = Callable[[Verdict], Awaitable[object]]
"""Have the pool database follow a verdict; HostError, StoreError."""


class Connected(Hosts, Protocol):
    """The hosts of the pool, and which of them are connected; `members.py` is the implementation."""

    def is_connected(self, host: Ref[Any]) -> bool: ...

    def arrivals(self, host: Ref[Any]) -> int: ...

    async def drop(self, host: Ref[Any]) -> None: ...


class HaRestarts:
    """The `Restarts` of messages/ha.py."""

    def __init__(
        self,
        db: Database,
        hosts: Connected,
        here: Ref[Host],
        start_again: StartAgain,
        start: StartAnywhere,
        obey: Obey,
    ) -> None:
        self._db, self._hosts, self._here = db, hosts, here
        self._start_again, self._start, self._obey = start_again, start, obey
        self._watch = HaWatch()
        self._untold: list[News] = []
        self._hears_again = False  # what is heard may have been told, before a restart of this daemon or by another
        self._old_ends: frozenset[int] = frozenset()  # events of it that are no news whoever has told them
        self._wake, self._is_news = asyncio.Event(), asyncio.Event()
        self._leads = self._is_behind = False
        self._epoch = self._obeyed = 0
        self._given_up: frozenset[str] = frozenset()  # whom the verdict that was followed last leaves out
        self._held_until_s = 0.0
        self._members: frozenset[str] = frozenset()
        self._ended: dict[str, int] = {}  # hosts by uuid whose life is over, and which
        self._over: dict[str, int] = {}  # for each host the highest life that was told to be over
        self._came: dict[str, int] = {}  # how often they had come by then
        self._rebooted: dict[str, int] = {}  # members on a new life, and the decision that says so
        self._readmitted: dict[str, int] = {}  # those of them that have not come since, and the life before
        self._unmanaged = UnmanagedHosts()
        self._best_effort: set[Ref[VM]] = set()  # that ran on hosts that were lost
        self._past = Past()
        self._reasons: dict[str, str] = {}  # why a VM could not be started
        self._restart_alerts = RestartAlerts(db)
        self._uplinks = UplinkFollower(db, hosts)
        self._planned_at_s = 0.0

    def hold(self, seconds: int) -> None:
        """Restart nothing for so long; 0 ends an earlier hold."""
        self._held_until_s = time.monotonic() + seconds
        self._wake.set()

    async def run(self) -> None:
        """Listen and act, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._follow())
            group.create_task(self._act())

    # What the HA daemon tells

    async def _listen(self) -> None:
        seen = 0
        while True:
            try:
                news = await self._agent.events(seen, timeout_s=LISTEN_S)
                self._hears_again = seen == 0
                self._old_ends = _old_ends(news) if self._hears_again else frozenset()
                self._is_behind = True  # what was so may be so no more
                for event in news:
                    seen = event.number  # first: one that cannot be taken in must not keep those after it waiting
                    self._take(event)
                self._is_behind = False
                self._is_news.set()
                self._wake.set()
            except (HostError, ApiError, TimeoutError) as fault:
                log.warning("ha_not_heard", reason=str(fault))
                await asyncio.sleep(PAUSE_S)
            except Exception:
                log.exception("ha_event_failed")
                await asyncio.sleep(PAUSE_S)

    def _take(self, event: HaEvent) -> None:
        try:
            self.take(event)
        except Exception:
            log.exception("ha_event_not_understood", kind=str(event.kind))

    def take(self, event: HaEvent) -> None:
        """Take in one event; again is no error."""
        self._epoch = max(self._epoch, event.epoch)
        is_known = event.kind is HaEventKind.LIFE_ENDED and self._is_known(event)
        match event.kind:
            case HaEventKind.LEAD:
                self._leads = True
            case HaEventKind.STOP_LEADING:
                self._leads = False
                self._readmitted = {}  # another master may have it run what it is told to
            case HaEventKind.TURNED_OFF:
                self._leads = False
                self._readmitted = {}
                self._uplinks.forget()
                self._epoch = self._obeyed = 0  # the next enabling counts its decisions from one
                self._members = frozenset()
                self._over = {}
                self._ended, self._rebooted = {}, {}
            case HaEventKind.LIFE_ENDED:
                # A member's ended life is an earlier one: what runs there it tells itself when it is connected.
                if event.host not in self._members:
                    self._readmitted.pop(event.host, None)
                    if event.life > self._ended.get(event.host, 0):
                        self._came[event.host] = self._arrivals(event.host)
                    self._ended[event.host] = max(event.life, self._ended.get(event.host, 0))
                elif event.rule == REBOOTED and not (is_known or self._hears_again):
                    self._rebooted[event.host] = event.epoch  # else it may vote again: it was written without a verdict
                    self._note_readmitted(event.host, event.life)
                # That it was heard on one channel only, for a moment, is not worth a word any more.
                self._untold = [news for news in self._untold if news.host_uuid != event.host or _says_failed(news)]
            case HaEventKind.MEMBERS:
                self._members = frozenset(event.members)
                self._ended = {uuid: life for uuid, life in self._ended.items() if uuid not in event.members}
                # Whoever came may have room for what found none.
                self._past = self._past.only(vm for vm in self._past.tries if vm not in self._best_effort)
            case _:
                pass
        log.info("ha_event", kind=str(event.kind), epoch=event.epoch, host=event.host)
        self._note(event, is_known)

    def _note_readmitted(self, uuid: str, life: int) -> None:
        """Note a member whose earlier life is over, and which nobody can have told to run anything in this one.

        Only this host's master can, over a connection that has not come yet.
        """
        hosts = self._db.all(Host).items()
        is_connected = any(host.uuid == uuid and self._hosts.is_connected(ref) for ref, host in hosts)
        if self._leads and not is_connected:
            self._readmitted[uuid], self._came[uuid] = life, self._arrivals(uuid)
        else:
            self._readmitted.pop(uuid, None)

    def _is_known(self, event: HaEvent) -> bool:
        """Whether the end of this life is nothing to tell of: it was known, or the host has gone on since.

        An HA daemon that starts anew tells once more of every life that has ended.
        """
        is_known = event.life <= self._over.get(event.host, 0)
        self._over[event.host] = max(event.life, self._over.get(event.host, 0))
        return is_known or (event.host in self._members and event.rule != REBOOTED)

    def _note(self, event: HaEvent, is_known: bool) -> None:
        """Keep what is to be told: the database may not be writable before the verdict that comes next."""
        is_old = is_known or event.number in self._old_ends
        is_planned = event.kind is HaEventKind.LIFE_ENDED and (is_old or event.rule in ("", LEFT))
        happened = Happened(event.kind, event.host, event.epoch, event.rule, event.channel, event.lasted_s, is_planned)
        name = next((host.name_label for host in self._db.all(Host).values() if host.uuid == event.host), event.host)
        # It is told once (`_is_known`, HaWatch), though an alert of an earlier time may say the same. Why a host ended
        # itself may be told again by an HA daemon that starts anew.
        is_new = event.kind is not HaEventKind.FENCED and not self._hears_again
        self._untold += [replace(news, is_new=is_new) for news in self._watch.look(happened, name)]

    async def _tell(self) -> None:
        while self._untold:
            news = self._untold[0]
            await self._raise(news.alert, AlertClass.HOST, news.host_uuid, news.body, news.is_new)
            self._untold = [other for other in self._untold if other is not news]  # it may have grown or shrunk

    async def _raise(self, alert: Alert, cls: AlertClass, uuid: str, body: str, is_new: bool = False) -> None:
        async with self._db.transaction() as txn:
            # After a restart of this daemon the other one tells of everything again; another host has its own measures.
            told = ((one.name, one.obj_uuid, untimed(one.body)) for one in txn.all(Message).values())
            if not is_new and (alert.name, uuid, untimed(body)) in told:
                return
            add_alert(txn, alert, cls, uuid, body)

    # What is done about it

    async def _act(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.act()
            except Exception:
                log.exception("ha_restarts_put_off")
            rest_s = self._past.rest_s(time.monotonic())
            try:
                async with asyncio.timeout(LOOK_S if rest_s is None else min(LOOK_S, rest_s)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def act(self) -> None:
        """Do all that is to be done now: VMs of lost hosts halted, VMs that should run started, turn by turn."""
        _, pool = the_pool(self._db)
        if not self._may_act():
            return
        if not self._has_followed():
            return  # `follow_verdict` has to be done first
        await self._bury_the_dead()
        await self._look_after_unmanaged()
        await self._tell()
        while self._may_act() and time.monotonic() >= self._held_until_s:
            waiting = self._waiting()
            self._past = self._past.only(vm.ref for vm in waiting)
            spare = max(0, pool.ha_host_failures_to_tolerate - len(self._ended))
            now_s = time.monotonic()
            turn = await asyncio.to_thread(next_turn, self._pool(), waiting, self._past, now_s, spare)
            if turn is None:
                break
            await self._take_turn(turn, {vm.ref: vm for vm in waiting})
        if self._may_act():
            await self._restart_alerts.look()
            await self._uplinks.look()
        if time.monotonic() - self._planned_at_s >= PLAN_S:
            await self._refresh()

    def _may_act(self) -> bool:
        return self._leads and not self._is_behind and the_pool(self._db)[1].ha_enabled

    async def _follow(self) -> None:
        """Beside all other work: what waits for the database to be written waits for this."""
        while True:
            self._is_news.clear()
            try:
                await self.follow_verdict()
            except (HostError, ApiError, StoreError, TimeoutError) as fault:
                log.error("verdict_not_followed", epoch=self._epoch, reason=str(fault))
            except Exception:
                log.exception("verdict_not_followed")
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._is_news.wait()
            except TimeoutError:
                continue

    async def follow_verdict(self) -> None:
        """Have the pool database give up the dead: nothing can be written before, and nobody is buried."""
        if self._may_act() and not self._has_followed():
            epoch, lost = self._epoch, self._lost()
            hosts = frozenset(host.uuid for host in self._db.all(Host).values())
            await self._obey(Verdict(epoch, self._db.get(self._here).uuid, hosts - lost))
            if self._epoch >= epoch:  # it was not switched off meanwhile
                self._obeyed, self._given_up = epoch, lost
            self._wake.set()

    def _has_followed(self) -> bool:
        """The last verdict was followed with all whose end it tells.

        That a host is no member any more may be heard a moment before the end of its life is: then once more, or the
        database waits for the dead one.
        """
        return self._obeyed >= self._epoch and self._lost() <= self._given_up

    def _lost(self) -> frozenset[str]:
        """The hosts whose etcd takes no part any more."""
        return frozenset(self._ended) | {uuid for uuid, since in self._rebooted.items() if since == self._epoch}

    def _pool(self) -> FailoverPool:
        """The pool without hosts whose life is over: until they are members again nothing may run there."""
        pool = failover_pool(self._db)
        dead = {ref for ref, host in self._db.all(Host).items() if host.uuid in self._ended}
        return replace(pool, hosts=tuple(room for room in pool.hosts if room.ref not in dead))

    async def _refresh(self) -> None:
        await refresh_plan(self._db)
        await self._see_peers()
        self._planned_at_s = time.monotonic()

    async def _bury_the_dead(self) -> None:
        for host, record in list(self._db.all(Host).items()):
            life = self._ended.get(record.uuid)
            if life is None or host == self._here or self._has_come(record.uuid) or await self._lives_on(host, life):
                continue
            await self._hosts.drop(host)
            async with self._db.transaction() as txn:
                # It may have come back while this waited, and run what it was told to start since.
                is_back = self._hosts.is_connected(host) or self._has_come(record.uuid)
                is_dead = self._ended.get(record.uuid) == life and not is_back
                halted = bury(txn, host) if is_dead and txn.find(host) is not None else []
            self._take_note_of_buried(record.uuid, life, halted)

    def _take_note_of_buried(self, uuid: str, life: int, halted: Sequence[Ref[VM]]) -> None:
        if halted:
            best = [vm for vm in halted if self._db.get(vm).ha_restart_priority == BEST_EFFORT]
            self._best_effort.update(best)
            log.warning("ha_host_buried", host=uuid, life=life, halted=len(halted))
            self._planned_at_s = 0.0

    async def _look_after_unmanaged(self) -> None:
        """Tell of members whose cardumed stays away, and bury their earlier lives.

        What the present life of a member may run stays as recorded: that it does not tell does not say that it is over.
        """
        members = {ref: host for ref, host in self._db.all(Host).items() if host.uuid in self._members}
        connected = {host.uuid: self._hosts.is_connected(ref) for ref, host in members.items()}
        long = self._unmanaged.look(connected, time.monotonic())
        for ref, host in members.items():
            if host.uuid in long and host.uuid in self._readmitted:
                await self._bury_earlier_life(ref, host.uuid)
        untold = self._unmanaged.untold(long)
        heard = await self._heard() if untold else frozenset()  # who is not heard is told of by that
        for host in members.values():
            if host.uuid in untold & heard:
                vms = len(guests_of(self._db, host))
                body = unmanaged(host.name_label, vms, are_over=host.uuid in self._readmitted)
                await self._raise(api_messages.HA_HOST_UNMANAGED, AlertClass.HOST, host.uuid, body, is_new=True)
                self._unmanaged.tell(host.uuid)
        managed = frozenset(uuid for uuid, is_there in connected.items() if is_there)
        for uuid in self._unmanaged.end(managed, self._members):
            body = managed_again(next(host.name_label for host in members.values() if host.uuid == uuid))
            await self._raise(api_messages.HA_HOST_MANAGED_AGAIN, AlertClass.HOST, uuid, body, is_new=True)

    async def _heard(self) -> frozenset[str]:
        """Whom this host hears over the network; nobody, when its HA daemon does not tell."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return frozenset((await self._agent.status()).hears)
        except (HostError, TimeoutError) as fault:
            log.warning("ha_not_heard", reason=str(fault))
            return frozenset()

    async def _bury_earlier_life(self, host: Ref[Host], uuid: str) -> None:
        life = self._readmitted[uuid]
        async with self._db.transaction() as txn:
            # It may have come while this waited.
            is_back = self._hosts.is_connected(host) or self._has_come(uuid)
            is_over = self._readmitted.get(uuid) == life and not is_back
            halted = bury(txn, host) if is_over and txn.find(host) is not None else []
        self._take_note_of_buried(uuid, life, halted)

    def _arrivals(self, uuid: str) -> int:
        return sum(self._hosts.arrivals(host) for host, record in self._db.all(Host).items() if record.uuid == uuid)

    def _has_come(self, uuid: str) -> bool:
        """Whether a host has come since its life was over: it has told what runs there, and may run what is new."""
        return self._arrivals(uuid) != self._came.get(uuid)

    async def _lives_on(self, host: Ref[Host], life: int) -> bool:
        """Whether a host is connected in a later life, and so tells for itself what runs there.

        A connection of the life that is over may still look alive: nothing answers there.
        """
        if not self._hosts.is_connected(host):
            return False
        try:
            async with asyncio.timeout(ANSWER_S):
                status = await self._hosts.hands(host).ha.status()
        except (HostError, ApiError, TimeoutError):
            return False
        if status.life <= life:
            log.error("ha_dead_host_answers", host=str(host), life=status.life)
        return True  # when in doubt nothing is started elsewhere

    def _waiting(self) -> list[Waiting]:
        shared, loads = shared_by_all(self._db), host_loads(self._db)
        found = []
        for ref, vm in self._db.all(VM).items():
            protected = is_protected(vm)
            if vm.power_state is not VMPowerState.HALTED or vm.current_operations:
                continue
            if not protected and (ref not in self._best_effort or vm.ha_restart_priority != BEST_EFFORT):
                continue
            demand = vm_demand(self._db, ref)
            reach = frozenset(load.ref for load in loads if demand.srs <= load.srs and demand.networks <= load.networks)
            is_agile = why_not_agile(self._db, ref, shared) is None
            found.append(Waiting(ref, memory_on_host(vm), reach, vm.order, float(vm.start_delay), protected, is_agile))
        self._best_effort &= {Ref(vm.ref) for vm in found if not vm.is_protected}
        return found

    async def _take_turn(self, turn: Turn, waiting: dict[str, Waiting]) -> None:
        for vm in turn.homeless:
            self._reasons[vm] = self._why_homeless(Ref(vm))
        starts = [(Ref[VM](vm), Ref[Host](host)) for vm, host in turn.starts.items()]
        outcomes = await asyncio.gather(*(self._try(vm, host, waiting[vm]) for vm, host in starts))
        failed = [vm for (vm, _), is_up in zip(starts, outcomes, strict=True) if not is_up]
        in_vain = [*turn.homeless, *failed]
        self._past = self._past.tried(in_vain, time.monotonic())
        for vm in in_vain:
            if waiting[vm].is_protected:
                await self._restart_alerts.failed(Ref(vm), self._reasons.get(vm, ""), self._past.count(vm))
        if len(failed) < len(starts):
            self._planned_at_s = 0.0
            self._past = self._past.started(turn, list(waiting.values()), time.monotonic())

    async def _try(self, vm: Ref[VM], host: Ref[Host], waiting: Waiting) -> bool:
        try:
            await (self._start_again(vm, host) if waiting.is_protected else self._start(vm))
        except ApiError as fault:
            self._reasons[vm] = _sentence(fault)
            log.warning("ha_restart_failed", vm=str(vm), host=str(host), error=fault.code)
            return False
        except Exception as fault:
            self._reasons[vm] = f"{type(fault).__name__}."
            log.exception("ha_restart_failed", vm=str(vm), host=str(host))
            return False
        log.info("ha_restarted", vm=str(vm), host=str(host))
        return True

    def _why_homeless(self, vm: Ref[VM]) -> str:
        """The reason of the host that comes nearest, or that all are full."""
        demand = vm_demand(self._db, vm)
        reasons = [placement.why_not(demand, load) for load in host_loads(self._db) if load.live and load.enabled]
        others = [reason for reason in reasons if reason is not None and reason.code != "HOST_NOT_ENOUGH_FREE_MEMORY"]
        return _sentence(others[0]) if others and len(others) == len(reasons) else "No host has enough memory."

    async def _see_peers(self) -> None:
        """Record whom each host hears, and which still reach the statefile."""
        for host in list(self._db.all(Host)):
            if not self._hosts.is_connected(host):
                continue
            try:
                async with asyncio.timeout(ANSWER_S):
                    status = await self._hosts.hands(host).ha.status()
            except (HostError, ApiError, TimeoutError):
                continue
            pool, before = the_pool(self._db)[1], self._db.find(host)
            if before is None or not pool.ha_enabled:
                continue  # switched off meanwhile, or forgotten
            hears = tuple(status.hears)
            statefiles = tuple(pool.ha_statefiles) if status.has_statefile else ()
            if (hears, statefiles) != (tuple(before.ha_network_peers), tuple(before.ha_statefiles)):
                await self._db.update(host, ha_network_peers=hears, ha_statefiles=statefiles)

    @property
    def _agent(self) -> HaAgent:
        return self._hosts.hands(self._here).ha


def _old_ends(news: Sequence[HaEvent]) -> frozenset[int]:
    """The numbers of ends of lives that are no news to who hears of all at once.

    Those of an earlier enabling, and those of hosts that are back by a later decision: who led then has told of them.
    """
    began, members, epoch = 0, frozenset[str](), 0
    for event in news:
        if event.kind is HaEventKind.TURNED_OFF:
            began = event.number
        elif event.kind is HaEventKind.MEMBERS:
            members, epoch = frozenset(event.members), event.epoch
    ends = (event for event in news if event.kind is HaEventKind.LIFE_ENDED)
    return frozenset(end.number for end in ends if end.number < began or (end.host in members and end.epoch < epoch))


def _says_failed(news: News) -> bool:
    return news.alert is api_messages.HA_HOST_FAILED


def _sentence(fault: ApiError) -> str:
    known = CODES.get(fault.code)
    return known.doc if known else f"{fault.code}."
