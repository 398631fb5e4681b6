"""High availability on a member: it becomes the master when its HA daemon says that it leads, and on nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from cardume.core.survival import Verdict
from cardume.datamodel.errors import ApiError
from cardume.hostops.errors import HostError
from cardume.hostops.ha.interface import HaAgent, HaEvent, HaEventKind
from cardume.pooldb.store import StoreError

log = structlog.get_logger()

LISTEN_S = 20.0
PAUSE_S = 1.0

Obey = Callable[[Verdict], Awaitable[object]]
"""Have the pool database, and this host's place, follow a verdict; HostError, StoreError."""


class HaMember:
    """Listens to the HA daemon of this host, which is a member."""

    def __init__(self, agent: HaAgent, uuid: str, hosts: Callable[[], Iterable[str]], obey: Obey) -> None:
        """`hosts`: the uuids of all hosts of the pool."""
        self._agent, self._uuid, self._hosts, self._obey = agent, uuid, hosts, obey
        self._dead: set[str] = set()
        self._epoch = 0
        self._leads = False

    async def run(self) -> None:
        """Listen until cancelled. Whether this host leads is what the last event said, not each of them."""
        seen = 0
        while True:
            try:
                for event in await self._agent.events(seen, timeout_s=PAUSE_S if self._leads else LISTEN_S):
                    self.take(event)
                    seen = event.number
                if self._leads:
                    await self._obey(Verdict(self._epoch, self._uuid, frozenset(self._hosts()) - self._dead))
            except (HostError, ApiError, StoreError, TimeoutError) as fault:
                log.error("ha_not_leading_yet" if self._leads else "ha_not_heard", reason=str(fault))
                await asyncio.sleep(PAUSE_S)
            except Exception:
                log.exception("ha_member_failed")
                await asyncio.sleep(PAUSE_S)

    def take(self, event: HaEvent) -> None:
        """Take in one event."""
        self._epoch = max(self._epoch, event.epoch)
        match event.kind:
            case HaEventKind.LEAD:
                self._leads = True
            case HaEventKind.STOP_LEADING:
                self._leads = False
            case HaEventKind.TURNED_OFF:
                self._leads = False
                self._epoch = 0  # the next enabling counts its decisions from one
                self._dead = set()
            case HaEventKind.LIFE_ENDED if event.host != self._uuid:  # of its own that is the life before
                self._dead.add(event.host)
            case HaEventKind.MEMBERS:
                self._dead -= set(event.members)
            case _:
                pass
        log.info("ha_event", kind=str(event.kind), epoch=event.epoch, host=event.host)
