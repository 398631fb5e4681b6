"""Has every host's HA daemon look at the interfaces that matter now: networks are marked, cards come into bonds."""

import structlog

from cardume.daemons.ha_heard import Connected
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import HostError
from cardume.messages.ha_plan import the_pool
from cardume.messages.ha_uplinks import are_kept, keep_places, uplink_places, uplinks_of
from cardume.pooldb.db import Database

log = structlog.get_logger()


class UplinkFollower:
    """Tells each host, on the master."""

    def __init__(self, db: Database, hosts: Connected) -> None:
        self._db, self._hosts = db, hosts
        self._told: dict[Ref[Host], tuple[int, tuple[str, ...]]] = {}  # after which arrival, and what

    def forget(self) -> None:
        """HA is off: the next arrangement says it anew."""
        self._told.clear()

    async def look(self) -> None:
        """Tell every host that is connected what it does not know yet; one that fails is told at the next look."""
        places = uplink_places(self._db)
        if not places:
            return
        if not are_kept(self._db, places):  # before any host counts by them
            async with self._db.transaction() as txn:
                if the_pool(txn)[1].ha_enabled:
                    keep_places(txn, places)
        for host in list(self._db.all(Host)):
            if self._hosts.is_connected(host):
                await self._tell(host, uplinks_of(self._db, host, places))

    async def _tell(self, host: Ref[Host], interfaces: tuple[str, ...]) -> None:
        now = (self._hosts.arrivals(host), interfaces)
        if self._told.get(host) == now:
            return
        try:
            await self._hosts.hands(host).ha.watch_uplinks(interfaces)
        except (HostError, ApiError, TimeoutError) as fault:
            log.warning("ha_uplinks_not_told", host=str(host), reason=str(fault))
            return
        self._told[host] = now
        log.info("ha_uplinks", host=str(host), interfaces=interfaces)
