"""The daemon's measuring: every five seconds on every host; on the master also where the histories of VMs belong.

A VM's history is on the host that it runs on, and on the master while it runs nowhere. What is elsewhere is brought
there a little later, so a VM that starts on another host begins a history of its own, and gets the older part.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from cardume.core.history_places import plan_moves
from cardume.core.rrd import STEP_S
from cardume.daemons.members import Members
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vm import VM
from cardume.hostops.errors import HostError
from cardume.hostops.hands import Hands
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.pooldb.db import Database

log = structlog.get_logger()

TICK_S = float(STEP_S)
LOOK_S = 15.0


@asynccontextmanager
async def metering(meter: HostMeter) -> AsyncIterator[None]:
    """Measure as long as the block lasts; all is saved at its end."""
    await meter.open()
    measuring = asyncio.create_task(_measure(meter))
    try:
        yield
    finally:
        measuring.cancel()
        await asyncio.wait([measuring])
        await meter.close()


async def _measure(meter: HostMeter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        try:
            await meter.tick()
        except Exception:
            log.exception("not_measured")  # the next round may do better
        await asyncio.sleep(max(0.1, began_s + TICK_S - loop.time()))


class Histories:
    """The master's side: tells each host which SR its guests' disks are in, and brings histories where they belong."""

    def __init__(self, db: Database, hosts: Members, master: Ref[Host]) -> None:
        self._db, self._hosts, self._master = db, hosts, master
        self._told: dict[Ref[Host], tuple[Hands, Mapping[str, Mapping[str, str]]]] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("histories_not_looked_at")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once for every host that is connected."""
        hands = {host: found for host in self._db.all(Host) if (found := self._find_hands(host)) is not None}
        seats = self._seats()
        kept: dict[Ref[Host], frozenset[str]] = {}
        for host, found in hands.items():
            try:
                await self._tell(host, found, seats.get(host, {}))
                kept[host] = await found.meter.kept()
            except HostError as fault:
                log.warning("host_not_asked_for_histories", host=host, reason=str(fault))
        homes = {vm.uuid: self._home(vm) for vm in self._db.all(VM).values()}
        for move in plan_moves(kept, homes):
            try:
                await self._move(hands, move.vm, move.source, move.target)
            except HostError as fault:
                log.warning("history_not_moved", vm=move.vm, reason=str(fault))

    async def find(self, uuid: str) -> bytes | None:
        """The history of a VM, from whichever host has it; None when it has none."""
        try:
            vm = self._db.get(self._db.by_uuid(VM, uuid))
        except ApiError:
            return None
        for host in dict.fromkeys((vm.resident_on, self._master, *self._db.all(Host))):
            hands = self._find_hands(host)
            if hands is None:
                continue
            try:
                history = await hands.meter.history(f"vm:{uuid}")
            except HostError:
                continue  # it has just gone
            if history is not None:
                return history
        return None

    def _find_hands(self, host: Ref[Host]) -> Hands | None:
        return self._hosts.hands(host) if host != NULL and self._hosts.is_connected(host) else None

    def _home(self, vm: VM) -> Ref[Host]:
        return vm.resident_on if vm.resident_on != NULL else self._master

    def _seats(self) -> Mapping[Ref[Host], Mapping[str, Mapping[str, str]]]:
        """By host, VM and userdevice, the uuid of the SR that a plugged disk is in."""
        seats: dict[Ref[Host], dict[str, dict[str, str]]] = {}
        for vbd in self._db.all(VBD).values():
            vm, vdi = self._db.find(vbd.VM), self._db.find(vbd.VDI)
            if vbd.currently_attached and vm is not None and vdi is not None and vm.resident_on != NULL:
                of_host = seats.setdefault(vm.resident_on, {})
                of_host.setdefault(vm.uuid, {})[vbd.userdevice] = self._db.get(vdi.SR).uuid
        return seats

    async def _tell(self, host: Ref[Host], hands: Hands, seats: Mapping[str, Mapping[str, str]]) -> None:
        known = self._told.get(host)
        if known is None or known[0] is not hands or known[1] != seats:  # it knows nothing after it started anew
            await hands.meter.know_disks(seats)
            self._told[host] = (hands, seats)

    async def _move(
        self, hands: Mapping[Ref[Host], Hands], vm: str, source: Ref[Host], target: Ref[Host] | None
    ) -> None:
        if target is not None:
            if target not in hands:
                return  # it is not connected: the history waits
            history = await hands[source].meter.history(f"vm:{vm}")
            if history is not None:
                await hands[target].meter.take(vm, history)
                log.info("history_moved", vm=vm, to=target)
        await hands[source].meter.drop(vm)
