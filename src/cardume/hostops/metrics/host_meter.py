"""The measurements of this host: read every few seconds, kept in memory, saved now and then."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import structlog

from cardume.core.rrd import STEP_S, Archives, Fold, SourceNow, merged
from cardume.core.rrd_file import NoArchives, dump_archives, load_archives
from cardume.core.rrd_table import Table, make_table
from cardume.hostops.errors import GuestError, HostError
from cardume.hostops.guests.guest_stats import GuestStats
from cardume.hostops.guests.interface import Guests
from cardume.hostops.metrics.disk_book import DiskBook, Seats
from cardume.hostops.metrics.history_files import HistoryFiles
from cardume.hostops.metrics.host_stats import HostStats, read_host_stats
from cardume.hostops.metrics.interface import NotMeasured
from cardume.hostops.metrics.readings import guest_readings, host_readings
from cardume.hostops.storage.threads import in_thread

log = structlog.get_logger()

SAVE_S = 600.0
"""How often each history is saved: what a power cut costs."""

CARDS_S = 60.0


class HostMeter:
    """The `Meter` of this host. `open` first; `tick` every five seconds; `close` at the end."""

    def __init__(
        self,
        host_uuid: str,
        folder: Path,
        guests: Guests,
        card_names: Callable[[], Awaitable[Sequence[str]]],
        read_host: Callable[[Sequence[str]], HostStats] = read_host_stats,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = f"host:{host_uuid}"
        self._guests, self._card_names, self._read_host, self._clock = guests, card_names, read_host, clock
        self._files = HistoryFiles(folder)
        self._owners: dict[str, Archives] = {self.host: Archives()}  # the host, and the VMs that run here
        self._saved_s: dict[str, float] = {}
        self._seats: Seats = {}
        self._disks = DiskBook()
        self._cards: Sequence[str] = ()
        self._cards_read_s = -math.inf
        self._is_guests_known = True
        self._lock = asyncio.Lock()  # held while histories go to files, or come from them

    async def open(self) -> None:
        """Go on with the host's own history."""
        known = await self._load(self.host)
        if known is not None:
            self._owners[self.host] = known

    async def close(self) -> None:
        """Save everything. What could not be saved is logged."""
        for owner in list(self._owners):
            await self._save(owner)

    async def tick(self) -> None:
        """Read everything once."""
        guests = await self._read_guests()
        now_s = self._clock()
        await self._look_for_cards(now_s)
        host = await in_thread(self._read_host, self._cards)
        disks = self._disks.look(guests or {}, self._seats)
        self._owners[self.host].update(now_s, host_readings(host, guests, disks))
        if guests is not None:
            async with self._lock:
                known = await self._find_known(guests)
                for uuid, stats in guests.items():
                    owner = f"vm:{uuid}"
                    archives = self._owners.get(owner) or known[owner]
                    archives.update(now_s, guest_readings(uuid, stats, disks))
                    self._owners[owner] = archives
                await self._put_aside(guests)
        await self._save_some(now_s)

    def table(
        self, folds: Iterable[Fold], interval_s: float, start_s: float, *, host: bool, vms: frozenset[str] | None
    ) -> Table:
        """What is kept since a moment (negative: before now) of the host and of guests here; `vms`: None for all."""
        wanted = {}
        if host:
            wanted[self.host] = self._owners[self.host]
        for owner, archives in self._owners.items():
            if owner != self.host and (vms is None or owner.removeprefix("vm:") in vms):
                wanted[owner] = archives
        if start_s < 0:
            start_s += self._clock()
        last_s = self._owners[self.host].updated_s
        return make_table(wanted, tuple(folds), interval_s, start_s, last_s or self._clock())

    def present(self) -> Mapping[str, tuple[SourceNow, ...]]:
        """All that is measured now, by owner."""
        return {owner: archives.sources() for owner, archives in self._owners.items()}

    def is_present(self, owner: str) -> bool:
        """Whether it is measured here now."""
        return owner in self._owners

    async def sources(self, owner: str) -> tuple[SourceNow, ...]:
        return self._get(owner).sources()

    async def record(self, owner: str, name: str) -> None:
        if not self._get(owner).record(name):
            raise NotMeasured(name)

    async def forget(self, owner: str, name: str) -> None:
        if not self._get(owner).forget(name):
            raise NotMeasured(name)

    async def history(self, owner: str) -> bytes | None:
        if owner in self._owners:
            return dump_archives(self._owners[owner])
        return await in_thread(self._files.read, owner)

    async def kept(self) -> frozenset[str]:
        owners = await in_thread(self._files.owners)
        return frozenset(
            owner.removeprefix("vm:") for owner in owners if owner.startswith("vm:") and owner not in self._owners
        )

    async def take(self, vm: str, history: bytes) -> None:
        owner = f"vm:{vm}"
        try:
            theirs = load_archives(history)
        except NoArchives as fault:
            raise HostError(f"this is no history: {fault}") from None
        async with self._lock:
            ours = self._owners.get(owner) or await self._load(owner)
            if owner in self._owners:
                self._owners[owner].merge(theirs)
                both = self._owners[owner]
            else:
                both = merged(ours, theirs) if ours is not None else theirs
            try:
                await self._write(owner, dump_archives(both))
            except OSError as fault:
                raise HostError(f"the history cannot be written: {fault}") from fault

    async def drop(self, vm: str) -> None:
        owner = f"vm:{vm}"
        if owner not in self._owners:
            await in_thread(self._files.remove, owner)

    async def know_disks(self, seats: Mapping[str, Mapping[str, str]]) -> None:
        self._seats = seats

    def _get(self, owner: str) -> Archives:
        if owner not in self._owners:
            raise NotMeasured(owner)
        return self._owners[owner]

    async def _read_guests(self) -> Mapping[str, GuestStats] | None:
        try:
            guests = await self._guests.stats()
        except GuestError as fault:
            if self._is_guests_known:
                log.warning("guests_not_measured", reason=str(fault))
            self._is_guests_known = False
            return None
        self._is_guests_known = True
        return guests

    async def _look_for_cards(self, now_s: float) -> None:
        if 0 <= now_s - self._cards_read_s < CARDS_S:
            return
        try:
            self._cards = tuple(await self._card_names())
            self._cards_read_s = now_s
        except HostError as fault:
            log.warning("cards_not_measured", reason=str(fault))

    async def _find_known(self, guests: Iterable[str]) -> Mapping[str, Archives]:
        """What the histories of guests that came go on from."""
        new = [owner for uuid in guests if (owner := f"vm:{uuid}") not in self._owners]
        return {owner: await self._load(owner) or Archives() for owner in new}

    async def _load(self, owner: str) -> Archives | None:
        return await in_thread(self._files.load, owner)

    async def _put_aside(self, guests: Mapping[str, GuestStats]) -> None:
        """Save the histories of guests that went, and let go of them."""
        gone = [owner for owner in self._owners if owner != self.host and owner.removeprefix("vm:") not in guests]
        for owner in gone:
            self._owners[owner].break_counters()
            await self._save(owner)
            del self._owners[owner]
            self._saved_s.pop(owner, None)

    async def _save_some(self, now_s: float) -> None:
        """Save those whose turn it is: all of them within the period, a few at each tick."""
        most = math.ceil(len(self._owners) * STEP_S / SAVE_S)
        waiting = [(self._saved_s.setdefault(owner, now_s), owner) for owner in self._owners]
        for saved_s, owner in sorted(waiting)[:most]:
            if not 0 <= now_s - saved_s < SAVE_S:
                await self._save(owner)
                self._saved_s[owner] = now_s

    async def _save(self, owner: str) -> None:
        try:
            await self._write(owner, dump_archives(self._owners[owner]))
        except OSError as fault:
            log.error("history_not_saved", owner=owner, reason=str(fault))

    async def _write(self, owner: str, data: bytes) -> None:
        await in_thread(self._files.write, owner, data)
