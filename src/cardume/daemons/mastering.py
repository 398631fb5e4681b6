"""What an operator asks of the master about its pool: let a host go, hand over to another, gather the members."""

import asyncio

import structlog

from cardume.daemons.asking import bring_to_me
from cardume.daemons.config import Config
from cardume.daemons.members import TELL_S, Members
from cardume.daemons.place import Place
from cardume.daemons.pool_database import PoolDatabase
from cardume.daemons.voter_keeper import VoterKeeper
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref

log = structlog.get_logger()

LOOK_S = 3.0
CATCH_UP_S = 10.0
POLL_S = 0.1


class Mastering:
    """The `Mastery` of messages/pool_master.py, and the lookout for hosts that are not connected."""

    def __init__(
        self, config: Config, place: Place, database: PoolDatabase, keeper: VoterKeeper, hosts: Members
    ) -> None:
        self._config, self._place = config, place
        self._database, self._keeper, self._hosts = database, keeper, hosts

    async def leave(self, host: Ref[Host]) -> None:
        """Have a member go back to a pool of its own; HOST_OFFLINE when it cannot be told."""
        if not self._hosts.is_connected(host):
            raise errors.HOST_OFFLINE(host)
        await self._keeper.exclude(self._database.db.get(host).uuid)
        await self._hosts.ask(host, "leave", {}, TELL_S)

    async def hand_over(self, host: Ref[Host]) -> None:
        """Make another host the master, once its copy of the database has all; HOST_OFFLINE, HOST_NOT_LIVE."""
        gateway = self._database.gateway
        record = self._database.db.get(host)
        if gateway is None or not self._hosts.is_connected(host):
            raise errors.HOST_OFFLINE(host)
        await self._catch_up(host, await self._database.revision())
        await self._database.hand_over(record)
        log.warning("mastership_handed_over", host=record.uuid)

    async def sync(self) -> None:
        """Return when every connected host's copy has all that is in the database now; HOST_NOT_LIVE."""
        if self._database.gateway is None:
            return
        wanted = await self._database.revision()
        hosts = [ref for ref in self._database.db.all(Host) if self._hosts.is_connected(ref)]
        await asyncio.gather(*(self._catch_up(ref, wanted) for ref in hosts if not self._hosts.is_here(ref)))

    async def _catch_up(self, host: Ref[Host], wanted: int) -> None:
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while int(await self._hosts.ask(host, "mirrored", {}, TELL_S)) < wanted:
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            log.warning("mirror_too_far_behind", host=self._database.db.get(host).uuid)
            raise errors.HOST_NOT_LIVE() from None

    async def gather(self) -> list[Ref[Host]]:
        """Have hosts that are not connected follow this master; those that do."""
        known = self._place.map
        hosts = {ref: host for ref, host in self._database.db.all(Host).items() if not self._hosts.is_connected(ref)}
        asked = {ref: known.find(host.uuid) for ref, host in hosts.items()}
        found = {ref: host for ref, host in asked.items() if host is not None}
        answers = await asyncio.gather(*(bring_to_me(self._config, self._place, host) for host in found.values()))
        return [ref for ref, follows in zip(found, answers, strict=True) if follows]

    async def look_out(self) -> None:
        """Do so again and again: a host that was away may follow another master, or be one."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.gather()
            except Exception:  # of two masters one would go on for ever
                log.exception("hosts_not_gathered")
