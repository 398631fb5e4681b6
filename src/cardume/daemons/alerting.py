"""The alerts that the master raises about hosts and the pool."""

import asyncio
import time
from datetime import UTC, datetime

import structlog

from cardume.core.host_alerts import HostWatch, body, certificate_alert
from cardume.daemons.members import Members
from cardume.datamodel import api_messages
from cardume.datamodel.api_messages import Alert
from cardume.datamodel.certificate import Certificate, CertificateType
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass, Message
from cardume.datamodel.refs import Ref
from cardume.messages.message import raise_alert
from cardume.pooldb.db import Database

log = structlog.get_logger()

LOOK_S = 2.0
CERTIFICATES_S = 6 * 3600.0


class Alerting:
    """Looks at hosts and certificates, and tells."""

    def __init__(self, db: Database, hosts: Members) -> None:
        self._db, self._hosts = db, hosts
        self._watch = HostWatch()
        self._untold: list[tuple[Alert, str]] = []
        self._certificates_at_s = 0.0

    async def new_master(self, host: Ref[Host], copied_from: int) -> None:
        """This host has become the master; copied_from: out of its copy, which ended with this change (0: not so)."""
        told = body(copy_ended_with_change=str(copied_from)) if copied_from else ""
        await self._raise(api_messages.POOL_MASTER_TRANSITION, self._db.get(host).uuid, told)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look(time.monotonic())
            except Exception:  # such as a database that is just choosing its leader
                log.exception("alerts_put_off")
            await asyncio.sleep(LOOK_S)

    async def look(self, now_s: float) -> None:
        """Tell of what is new; what could not be told is told at the next look."""
        present = {host.uuid: self._hosts.is_connected(ref) for ref, host in self._db.all(Host).items()}
        self._untold += self._watch.look(present, now_s)
        while self._untold:
            alert, uuid = self._untold[0]
            await self._raise(alert, uuid, body(host_uuid=uuid))
            del self._untold[0]
        if now_s >= self._certificates_at_s:
            await self._look_at_certificates()
            self._certificates_at_s = now_s + CERTIFICATES_S

    async def _look_at_certificates(self) -> None:
        told = {(alert.name, alert.obj_uuid) for alert in self._db.all(Message).values()}
        for certificate in self._db.all(Certificate).values():
            alert = certificate_alert(certificate.not_after, datetime.now(UTC))
            host = self._db.find(certificate.host)
            if alert is None or host is None or certificate.type is not CertificateType.HOST:
                continue
            if (alert.name, host.uuid) not in told:
                ends = certificate.not_after.isoformat()
                await self._raise(alert, host.uuid, body(message="The server's certificate ends.", date=ends))

    async def _raise(self, alert: Alert, host_uuid: str, told: str) -> None:
        await raise_alert(self._db, alert.name, alert.priority, AlertClass.HOST, host_uuid, told)
