"""The alerts about hosts that high availability raises on the master, once each, when the database can be written."""

from dataclasses import replace

from cardume.core.ha_alerts import Happened, HaWatch, News, untimed
from cardume.daemons.had_events import LEFT
from cardume.datamodel import api_messages
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass, Message
from cardume.hostops.ha.interface import HaEvent, HaEventKind
from cardume.messages.message import add_alert
from cardume.pooldb.db import Database


class HaNews:
    """What is to be told: the database may not be writable before the verdict that comes next."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watch = HaWatch()
        self.untold: list[News] = []

    def note(self, event: HaEvent, *, is_known: bool, hears_again: bool) -> None:
        """Keep what an event is worth. `is_known`: it is an end that is no news. `hears_again`: others may be told."""
        if event.kind is HaEventKind.LIFE_ENDED:
            # That it was heard on one channel only, for a moment, is not worth a word any more.
            self.untold = [news for news in self.untold if news.host_uuid != event.host or _says_failed(news)]
        is_planned = event.kind is HaEventKind.LIFE_ENDED and (is_known or event.rule in ("", LEFT))
        happened = Happened(event.kind, event.host, event.epoch, event.rule, event.channel, event.lasted_s, is_planned)
        name = next((host.name_label for host in self._db.all(Host).values() if host.uuid == event.host), event.host)
        # It is told once (`is_known`, HaWatch), though an alert of an earlier time may say the same. Why a host ended
        # itself may be told again by an HA daemon that starts anew.
        is_new = event.kind is not HaEventKind.FENCED and not hears_again
        self.untold += [replace(news, is_new=is_new) for news in self._watch.look(happened, name)]

    async def tell(self) -> None:
        """Raise what is to be told."""
        while self.untold:
            news = self.untold[0]
            await self._raise(news)
            self.untold = [other for other in self.untold if other is not news]  # it may have grown or shrunk

    async def _raise(self, news: News) -> None:
        async with self._db.transaction() as txn:
            # After a restart of this daemon the other one tells of everything again; another host has its own measures.
            told = ((one.name, one.obj_uuid, untimed(one.body)) for one in txn.all(Message).values())
            if not news.is_new and (news.alert.name, news.host_uuid, untimed(news.body)) in told:
                return
            add_alert(txn, news.alert, AlertClass.HOST, news.host_uuid, news.body)


def _says_failed(news: News) -> bool:
    return news.alert is api_messages.HA_HOST_FAILED
