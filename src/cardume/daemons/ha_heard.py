"""What the HA daemon of the master has told so far: whether this host leads, who is a member, whose life is over."""

from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from cardume.daemons.had_events import REBOOTED
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.hostops.ha.interface import HaEvent, HaEventKind
from cardume.messages.call import Hosts
from cardume.pooldb.db import Database

log = structlog.get_logger()


class Connected(Hosts, Protocol):
    """The hosts of the pool, and which of them are connected; `members.py` is the implementation."""

    def is_connected(self, host: Ref[Any]) -> bool: ...

    def arrivals(self, host: Ref[Any]) -> int: ...

    async def drop(self, host: Ref[Any]) -> None: ...


class HaHeard:
    """Takes in events; again is no error."""

    def __init__(self, db: Database, hosts: Connected) -> None:
        self._db, self._hosts = db, hosts
        self.leads = False
        self.is_behind = False  # there is more that was not taken in yet: what was so may be so no more
        self.hears_again = False  # what is heard may have been told, before a restart of this daemon or by another
        self.epoch = 0
        self.members: frozenset[str] = frozenset()
        self.ended: dict[str, int] = {}  # hosts by uuid that are no members any more, and which life of theirs is over
        self.readmitted: dict[str, int] = {}  # members that have not come since, and their life before, which is over
        self._old_ends: frozenset[int] = frozenset()  # events that are no news whoever has told them
        self._over: dict[str, int] = {}  # for each host the highest life that was told to be over
        self._came: dict[str, int] = {}  # how often they had come by then
        self._rebooted: dict[str, int] = {}  # members on a new life, and the decision that says so

    def begin(self, events: Sequence[HaEvent], *, again: bool) -> None:
        """These come next; `again`: they are all that there is to tell from the beginning."""
        self.hears_again, self._old_ends = again, _old_ends(events) if again else frozenset()
        self.is_behind = True

    def take(self, event: HaEvent) -> bool:
        """Take in one event; True when it tells of an end that is no news."""
        self.epoch = max(self.epoch, event.epoch)
        is_known = event.kind is HaEventKind.LIFE_ENDED and self._is_known(event)
        match event.kind:
            case HaEventKind.LEAD:
                self.leads = True
            case HaEventKind.STOP_LEADING:
                self.leads = False
                self.readmitted = {}  # another master may have it run what it is told to
            case HaEventKind.TURNED_OFF:
                self._forget()
            case HaEventKind.LIFE_ENDED:
                self._take_end(event, is_known)
            case HaEventKind.MEMBERS:
                self.members = frozenset(event.members)
                for uuid in self.ended.keys() & self.members:
                    self._take_back(uuid, self.ended.pop(uuid))
            case _:
                pass
        log.info("ha_event", kind=str(event.kind), epoch=event.epoch, host=event.host)
        return is_known or event.number in self._old_ends

    def lost(self) -> frozenset[str]:
        """The hosts whose etcd takes no part any more."""
        return frozenset(self.ended) | {uuid for uuid, since in self._rebooted.items() if since == self.epoch}

    def has_come(self, uuid: str) -> bool:
        """Whether a host has come since its life was over: it has told what runs there, and may run what is new."""
        return self._arrivals(uuid) != self._came.get(uuid)

    def _forget(self) -> None:
        """HA was switched off: the next enabling counts its decisions from one."""
        self.leads, self.epoch, self.members = False, 0, frozenset()
        self.ended, self.readmitted, self._rebooted, self._over = {}, {}, {}, {}

    def _take_end(self, event: HaEvent, is_known: bool) -> None:
        # A member's ended life is an earlier one: what runs there it tells itself when it is connected.
        if event.host not in self.members:
            self.readmitted.pop(event.host, None)
            if event.life > self.ended.get(event.host, 0):
                self._came[event.host] = self._arrivals(event.host)
            self.ended[event.host] = max(event.life, self.ended.get(event.host, 0))
        elif event.rule == REBOOTED and not (is_known or self.hears_again):
            self._rebooted[event.host] = event.epoch  # else it may vote again: it was written without a verdict
            self._note_readmitted(event.host, event.life)

    def _take_back(self, uuid: str, life: int) -> None:
        """A host is a member again, on another life; it may be so before there was time to bury the one before."""
        if not self.hears_again and not self.has_come(uuid):
            self._note_readmitted(uuid, life)

    def _note_readmitted(self, uuid: str, life: int) -> None:
        """Note a member whose earlier life is over, and which nobody can have told to run anything in this one.

        Only this host's master can, over a connection that has not come yet.
        """
        hosts = self._db.all(Host).items()
        is_connected = any(host.uuid == uuid and self._hosts.is_connected(ref) for ref, host in hosts)
        if self.leads and not is_connected:
            self.readmitted[uuid], self._came[uuid] = life, self._arrivals(uuid)
        else:
            self.readmitted.pop(uuid, None)

    def _is_known(self, event: HaEvent) -> bool:
        """Whether the end of this life is nothing to tell of: it was known, or the host has gone on since.

        An HA daemon that starts anew tells once more of every life that has ended.
        """
        is_known = event.life <= self._over.get(event.host, 0)
        self._over[event.host] = max(event.life, self._over.get(event.host, 0))
        return is_known or (event.host in self.members and event.rule != REBOOTED)

    def _arrivals(self, uuid: str) -> int:
        return sum(self._hosts.arrivals(host) for host, record in self._db.all(Host).items() if record.uuid == uuid)


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
