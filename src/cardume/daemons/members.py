"""The master's side of the pool: which hosts are connected, their hands, and the standing work for each of them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog

from cardume.channel.link import Link
from cardume.channel.remote import RemoteHost
from cardume.channel.sockets import SocketWire
from cardume.channel.streams import StreamWire
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.upkeep import StartVM, Upkeep
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import HostError
from cardume.hostops.hands import Hands
from cardume.hostops.host_names import names_of
from cardume.messages.certificate import record_certificate
from cardume.messages.inventory import HostInventory, record_host
from cardume.messages.layer_merging import RunTask
from cardume.pooldb.db import Database

log = structlog.get_logger()

TELL_S = 30.0
ACCOUNTS_S = 2.0
"""How often the accounts are looked at: `cardume account` changes their file beside the daemon."""

DialHost = Callable[[str, str], AbstractAsyncContextManager[StreamWire]]
"""Given a host's uuid and address: a connection to it for one stream of bytes; HostError when there is none."""


class Members:
    """The `Hosts` of messages/call.py for a pool of any size."""

    def __init__(
        self,
        db: Database,
        here: Hands,
        host: Ref[Host],
        accounts: Callable[[], str] = lambda: "",
        told_map: Callable[[], PoolMap] = PoolMap,
        dial: DialHost | None = None,
    ) -> None:
        """`accounts`: the text of the pool's accounts as they are now. `told_map`: the pool. Every member has both.

        `dial`: makes a connection for a stream of bytes; without it members give none.
        """
        self._db, self._here, self._host = db, here, host
        self._accounts, self._told_map, self._dial = accounts, told_map, dial
        self._connected: dict[Ref[Host], tuple[RemoteHost, Hands]] = {}
        self._unknown: set[str] = set()  # that were told of
        self._arrivals: dict[Ref[Host], int] = {}
        self._start_vm: StartVM | None = None
        self._run_task: RunTask | None = None

    def work_with(self, start_vm: StartVM, run_task: RunTask) -> None:
        """What the standing work for members needs of the API; before anybody arrives."""
        self._start_vm, self._run_task = start_vm, run_task

    def hands(self, host: Ref[Any]) -> Hands:
        """The hands of a host; HOST_OFFLINE when it is not connected."""
        if host == self._host:
            return self._here
        found = self._connected.get(host)
        if found is None or not found[0].is_up:
            raise errors.HOST_OFFLINE(host)
        return found[1]

    def is_connected(self, host: Ref[Any]) -> bool:
        """Whether it can be worked with."""
        found = self._connected.get(host)
        return host == self._host or (found is not None and found[0].is_up)

    def arrivals(self, host: Ref[Any]) -> int:
        """How often it has come and told what runs there; counted before anything may be started there."""
        return self._arrivals.get(host, 0)

    def is_here(self, host: Ref[Any]) -> bool:
        """Whether it is this very host."""
        return host == self._host

    async def drop(self, host: Ref[Any]) -> None:
        """Take a host for gone at once, whose connection still looks alive."""
        found = self._connected.pop(host, None)
        if found is not None:
            await found[0].close()
            await self._mark(host, live=False)

    async def ask(self, host: Ref[Any], do: str, given: dict[str, Any], timeout_s: float) -> Any:
        """A member's own answer; HOST_OFFLINE when it is not connected, HostError when it cannot do it."""
        found = self._connected.get(host)
        if found is None or not found[0].is_up:
            raise errors.HOST_OFFLINE(host)
        return await found[0].ask("host", do, given, timeout_s)

    async def arrived(self, uuid: str, wire: SocketWire) -> None:
        """A host of this pool, or one that wants to join it, has dialled: work with it until it goes."""
        remote = RemoteHost(self._here, lambda: self._dialled(uuid))
        link = Link(wire, remote.answer)
        remote.use(link)
        async with asyncio.TaskGroup() as group:
            carrying = group.create_task(link.run())
            working = group.create_task(self._work_with(uuid, remote))
            await asyncio.wait((carrying, working), return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            await link.close()  # one that cannot be worked with tries again

    def _dialled(self, uuid: str) -> AbstractAsyncContextManager[StreamWire]:
        host = next((host for host in self._db.all(Host).values() if host.uuid == uuid), None)
        if host is None or self._dial is None:
            raise HostError(f"the host {uuid} is no member of this pool")
        return self._dial(uuid, host.address)

    async def _work_with(self, uuid: str, remote: RemoteHost) -> None:
        """All that the master does for a member, as long as it is connected."""
        host = next((ref for ref, record in self._db.all(Host).items() if record.uuid == uuid), None)
        if host is None:
            if uuid not in self._unknown:
                self._unknown.add(uuid)
                log.warning("host_unknown", host=uuid)  # it was forgotten while it was away; it tries for ever
            return
        try:
            await self._take_in(host, remote)
        except HostError as fault:
            log.warning("member_lost", host=uuid, reason=str(fault))
        except ExceptionGroup as faults:
            lost, rest = faults.split(HostError)
            log.warning("member_lost", host=uuid, reason=str(lost))
            if rest is not None:
                log.exception("member_failed", host=uuid)
                raise
        except Exception:
            log.exception("member_failed", host=uuid)
            raise
        finally:
            if self._connected.get(host, (None, None))[0] is remote:
                del self._connected[host]
                await asyncio.shield(self._mark(host, live=False))

    async def _take_in(self, host: Ref[Host], remote: RemoteHost) -> None:
        assert self._start_vm is not None, "work_with comes first"
        assert self._run_task is not None, "work_with comes first"
        hands = remote.hands()
        inventory: HostInventory = await remote.inventory(HostInventory)
        await record_host(self._db, inventory.this, inventory.facts, hands.storage, inventory.guest_vms, live=False)
        # Not before it counts as not live: nothing is started there until it has told what runs there.
        self._connected[host] = (remote, hands)
        await record_certificate(self._db, host, inventory.certificate)
        upkeep = Upkeep(self._db, hands, host, shared=False)
        await upkeep.recover(after_boot=inventory.after_boot)
        self._arrivals[host] = self.arrivals(host) + 1
        await self._mark(host, live=True)
        log.info("member_connected", host=self._db.get(host).uuid, address=self._db.get(host).address)
        async with upkeep.running(self._start_vm, self._run_task):
            await self.spread_map()
            told = ""
            while True:  # until it goes
                if (text := self._accounts()) != told:
                    await remote.ask("host", "accounts", {"text": text}, TELL_S)
                    told = text
                await asyncio.sleep(ACCOUNTS_S)

    async def _mark(self, host: Ref[Host], *, live: bool) -> None:
        """Say whether it can be worked with. VMs of one that is lost stay as recorded: nobody knows what they do."""
        record = self._db.find(host)
        if record is not None and self._db.find(record.metrics) is not None:
            await self._db.update(record.metrics, live=live)

    async def spread_map(self) -> None:
        """Tell every connected host what the pool is: who is in it, who keeps the database."""
        await names_of([(host.address, host.hostname) for host in self._told_map().hosts])
        for remote, _ in list(self._connected.values()):
            if remote.is_up:
                # As it is now: while another was slow to answer, this one may have been told that its vote is gone.
                await remote.ask("host", "map", {"known": self._told_map().told()}, TELL_S)
