"""High availability on the master: what the HA daemon tells is taken in, and VMs that should run are started.

Nothing is started before the HA daemon says that this host leads: then no other one acts. A host's VMs are halted, and
its hold of their disks voided, only when its life is proved over; after that they are started like any others, by the
claims in the database. Which ones and where is decided anew for each turn (`core/restarting.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from cardume.core import placement
from cardume.core.failover import FailoverPool
from cardume.core.restarting import Past, Turn, Waiting, next_turn
from cardume.core.survival import Verdict
from cardume.daemons.ha_burials import Burials
from cardume.daemons.ha_heard import Connected, HaHeard
from cardume.daemons.ha_news import HaNews
from cardume.daemons.ha_uplinks import UplinkFollower
from cardume.daemons.restart_alerts import RestartAlerts
from cardume.datamodel.errors import CODES, ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import HaAgent, HaEvent, HaEventKind
from cardume.messages.agility import shared_by_all, why_not_agile
from cardume.messages.failover_facts import BEST_EFFORT, failover_pool, is_protected
from cardume.messages.ha_plan import refresh_plan, the_pool
from cardume.messages.vm_placement import host_loads, memory_on_host, vm_demand
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
        self._wake, self._is_news = asyncio.Event(), asyncio.Event()
        self._heard = HaHeard(db, hosts)
        self._news = HaNews(db)
        self._burials = Burials(db, hosts, here, self._heard, self._note_halted)
        self._obeyed = 0  # the decision that was followed last
        self._given_up: frozenset[str] = frozenset()  # whom it leaves out
        self._held_until_s = 0.0
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
                self._heard.begin(news, again=seen == 0)
                for event in news:
                    seen = event.number  # first: one that cannot be taken in must not keep those after it waiting
                    self._take(event)
                self._heard.is_behind = False
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
        is_known = self._heard.take(event)
        match event.kind:
            case HaEventKind.TURNED_OFF:
                self._obeyed = 0
                self._uplinks.forget()
            case HaEventKind.MEMBERS:
                # Whoever came may have room for what found none.
                self._past = self._past.only(vm for vm in self._past.tries if vm not in self._best_effort)
            case _:
                pass
        self._news.note(event, is_known=is_known, hears_again=self._heard.hears_again)

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
        await self._burials.bury()
        await self._news.tell()
        while self._may_act() and time.monotonic() >= self._held_until_s:
            waiting = self._waiting()
            self._past = self._past.only(vm.ref for vm in waiting)
            spare = max(0, pool.ha_host_failures_to_tolerate - len(self._heard.ended))
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

    def _note_halted(self, vms: Sequence[Ref[VM]]) -> None:
        """These ran on a host that is lost."""
        self._best_effort.update(vm for vm in vms if self._db.get(vm).ha_restart_priority == BEST_EFFORT)
        self._planned_at_s = 0.0

    def _may_act(self) -> bool:
        return self._heard.leads and not self._heard.is_behind and the_pool(self._db)[1].ha_enabled

    async def _follow(self) -> None:
        """Beside all other work: what waits for the database to be written waits for this."""
        while True:
            self._is_news.clear()
            try:
                await self.follow_verdict()
            except (HostError, ApiError, StoreError, TimeoutError) as fault:
                log.error("verdict_not_followed", epoch=self._heard.epoch, reason=str(fault))
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
            epoch, lost = self._heard.epoch, self._heard.lost()
            hosts = frozenset(host.uuid for host in self._db.all(Host).values())
            await self._obey(Verdict(epoch, self._db.get(self._here).uuid, hosts - lost))
            if self._heard.epoch >= epoch:  # it was not switched off meanwhile
                self._obeyed, self._given_up = epoch, lost
            self._wake.set()

    def _has_followed(self) -> bool:
        """The last verdict was followed with all whose end it tells.

        That a host is no member any more may be heard a moment before the end of its life is: then once more, or the
        database waits for the dead one.
        """
        return self._obeyed >= self._heard.epoch and self._heard.lost() <= self._given_up

    def _pool(self) -> FailoverPool:
        """The pool without hosts whose life is over: until they are members again nothing may run there."""
        pool = failover_pool(self._db)
        dead = {ref for ref, host in self._db.all(Host).items() if host.uuid in self._heard.ended}
        return replace(pool, hosts=tuple(room for room in pool.hosts if room.ref not in dead))

    async def _refresh(self) -> None:
        await refresh_plan(self._db)
        await self._see_peers()
        self._planned_at_s = time.monotonic()

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
        self._past = self._past.tried(in_vain, time.monotonic(), turn.hosts)
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


def _sentence(fault: ApiError) -> str:
    known = CODES.get(fault.code)
    return known.doc if known else f"{fault.code}."
