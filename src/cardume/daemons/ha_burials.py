"""VMs of lives that are over: halted, and their disks free, so that they can be started elsewhere.

Of a host that is dead at once; of one that is a member again and whose cardumed does not come, after a while.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from cardume.core.unmanaged import UnmanagedHosts, managed_again, unmanaged
from cardume.daemons.ha_heard import Connected, HaHeard
from cardume.datamodel import api_messages
from cardume.datamodel.api_messages import Alert
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.hostops.errors import HostError
from cardume.messages.dead_host import bury
from cardume.messages.message import add_alert
from cardume.messages.vm_placement import guests_of
from cardume.pooldb.db import Database

log = structlog.get_logger()

ANSWER_S = 3.0


class Burials:
    """On the master that leads, once the pool database has given up the dead."""

    def __init__(
        self,
        db: Database,
        hosts: Connected,
        here: Ref[Host],
        heard: HaHeard,
        halted: Callable[[Sequence[Ref[VM]]], None],
    ) -> None:
        """`halted`: is called with the VMs of a host as soon as they are."""
        self._db, self._hosts, self._here, self._heard = db, hosts, here, heard
        self._halted = halted
        self._unmanaged = UnmanagedHosts()

    async def bury(self) -> None:
        """Bury whom there is to bury, and tell of members whose cardumed stays away."""
        await self._bury_the_dead()
        await self._look_after_unmanaged()

    async def _bury_the_dead(self) -> None:
        for host, record in list(self._db.all(Host).items()):
            uuid, life = record.uuid, self._heard.ended.get(record.uuid)
            if life is None or host == self._here or self._heard.has_come(uuid) or await self._lives_on(host, life):
                continue
            await self._hosts.drop(host)
            async with self._db.transaction() as txn:
                # It may have come back while this waited, and run what it was told to start since.
                is_dead = self._heard.ended.get(uuid) == life and not self._is_back(host, uuid)
                halted = bury(txn, host) if is_dead and txn.find(host) is not None else []
            self._note(uuid, life, halted)

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

    async def _look_after_unmanaged(self) -> None:
        """Tell of members whose cardumed stays away, and bury their earlier lives.

        What the present life of a member may run stays as recorded: that it does not tell does not say that it is over.
        """
        members = {ref: host for ref, host in self._db.all(Host).items() if host.uuid in self._heard.members}
        connected = {host.uuid: self._hosts.is_connected(ref) for ref, host in members.items()}
        long = self._unmanaged.look(connected, time.monotonic())
        for ref, host in members.items():
            if host.uuid in long and host.uuid in self._heard.readmitted:
                await self._bury_earlier_life(ref, host.uuid)
        untold = self._unmanaged.untold(long)
        heard = await self._heard_by_network() if untold else frozenset()  # who is not heard is told of by that
        for host in members.values():
            if host.uuid in untold & heard:
                vms, are_over = len(guests_of(self._db, host)), host.uuid in self._heard.readmitted
                told = unmanaged(host.name_label, vms, are_over=are_over)
                await self._raise(api_messages.HA_HOST_UNMANAGED, host.uuid, told)
                self._unmanaged.tell(host.uuid)
        managed = frozenset(uuid for uuid, is_there in connected.items() if is_there)
        for uuid in self._unmanaged.end(managed, self._heard.members):
            name = next(host.name_label for host in members.values() if host.uuid == uuid)
            await self._raise(api_messages.HA_HOST_MANAGED_AGAIN, uuid, managed_again(name))

    async def _bury_earlier_life(self, host: Ref[Host], uuid: str) -> None:
        life = self._heard.readmitted[uuid]
        async with self._db.transaction() as txn:
            # It may have come while this waited.
            is_over = self._heard.readmitted.get(uuid) == life and not self._is_back(host, uuid)
            halted = bury(txn, host) if is_over and txn.find(host) is not None else []
        self._note(uuid, life, halted)

    def _note(self, uuid: str, life: int, halted: Sequence[Ref[VM]]) -> None:
        if halted:
            log.warning("ha_host_buried", host=uuid, life=life, halted=len(halted))
            self._halted(halted)

    def _is_back(self, host: Ref[Host], uuid: str) -> bool:
        return self._hosts.is_connected(host) or self._heard.has_come(uuid)

    async def _heard_by_network(self) -> frozenset[str]:
        """Whom this host hears over the network; nobody, when its HA daemon does not tell."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return frozenset((await self._hosts.hands(self._here).ha.status()).hears)
        except (HostError, TimeoutError) as fault:
            log.warning("ha_not_heard", reason=str(fault))
            return frozenset()

    async def _raise(self, alert: Alert, uuid: str, told: str) -> None:
        async with self._db.transaction() as txn:
            add_alert(txn, alert, AlertClass.HOST, uuid, told)
