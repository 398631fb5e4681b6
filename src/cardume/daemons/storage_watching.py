"""The master's look at the pool's storage: which hosts reach which repositories, shown and told.

QEMU waits for its storage without an end and without a word, so nobody would learn of a lost target from the guests.
"""

import asyncio
import time
from datetime import UTC, datetime

import structlog

from cardume.core.host_alerts import body
from cardume.core.sr_types import OVER_THE_NETWORK
from cardume.core.storage_watch import Back, Lost, StorageWatch
from cardume.daemons.members import Members
from cardume.datamodel import api_messages
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass, Message
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.hostops.errors import HostError, StorageError
from cardume.messages.message import add_alert
from cardume.messages.storage_values import driver, repository
from cardume.pooldb.db import Database, Transaction

log = structlog.get_logger()

LOOK_S = 10.0
ANSWER_S = 10.0
UNREACHABLE = "unreachable_since"
"""In other_config of a PBD: since when its host has not reached the storage."""


class StorageWatching:
    """Asks every host for every repository that it has attached."""

    def __init__(self, db: Database, hosts: Members) -> None:
        self._db, self._hosts = db, hosts
        self._watch = StorageWatch()
        for pbd in db.all(PBD).values():
            if UNREACHABLE in pbd.other_config:
                self._watch.remember(pbd.uuid, time.monotonic())

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # such as a database that is just choosing its leader
                log.exception("storage_not_looked_at")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Ask all hosts at once, and tell of what is new."""
        links = {pbd.uuid: ref for ref, pbd in self._db.all(PBD).items() if self._is_watched(pbd)}
        answers = await asyncio.gather(*(self._ask(ref) for ref in links.values()))
        known = {uuid: answer for uuid, answer in zip(links, answers, strict=True) if answer is not None}
        for news in self._watch.look(known, time.monotonic()):
            await self._tell(links[news.pbd], news)
        self._watch.forget(frozenset(pbd.uuid for pbd in self._db.all(PBD).values()))

    def _is_watched(self, pbd: PBD) -> bool:
        return (
            pbd.currently_attached
            and self._db.get(pbd.SR).type in OVER_THE_NETWORK
            and self._hosts.is_connected(pbd.host)
        )

    async def _ask(self, ref: Ref[PBD]) -> str | None:
        """Why the host does not reach the storage, empty when it does; None when it cannot be told now."""
        pbd = self._db.get(ref)
        try:
            repo = repository(self._db, pbd.SR, pbd.host)
            await driver(self._hosts.hands(pbd.host), repo.type).attach(repo, timeout_s=ANSWER_S)
        except StorageError as fault:  # also when it answers and holds something else: its disks are as lost
            return str(fault)
        except (HostError, ApiError):
            return None
        return ""

    async def _tell(self, ref: Ref[PBD], news: Lost | Back) -> None:
        async with self._db.transaction() as txn:
            pbd = txn.find(ref)
            if pbd is None:
                return
            sr, host = txn.get(pbd.SR), txn.get(pbd.host)
            _withdraw(txn, sr, host)
            others = {key: value for key, value in pbd.other_config.items() if key != UNREACHABLE}
            facts = {"host": host.name_label, "host_uuid": host.uuid, "storage": sr.name_label}
            match news:
                case Lost(_, reason):
                    alert = api_messages.SR_UNREACHABLE
                    told = body(message="The server does not reach the storage.", **facts, reason=reason)
                    others[UNREACHABLE] = datetime.now(UTC).strftime("%Y%m%dT%H:%M:%SZ")
                case Back(_, away_s):
                    alert = api_messages.SR_REACHABLE_AGAIN
                    told = body(message="The server reaches the storage again.", **facts, away_s=f"{away_s:.0f}")
            txn.update(ref, other_config=others)
            add_alert(txn, alert, AlertClass.SR, sr.uuid, told)
        log.warning("storage_link", sr=sr.uuid, host=host.uuid, news=type(news).__name__)


def _withdraw(txn: Transaction, sr: SR, host: Host) -> None:
    """What was told of this link before is not true any more."""
    names = (api_messages.SR_UNREACHABLE.name, api_messages.SR_REACHABLE_AGAIN.name)
    mark = f"<host_uuid>{host.uuid}</host_uuid>"
    for alert_ref, alert in list(txn.all(Message).items()):
        if alert.name in names and alert.obj_uuid == sr.uuid and mark in alert.body:
            txn.delete(alert_ref)
