"""A host's meter: guests that come and go, histories that are saved and found again."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cardume.core.rrd import Fold
from cardume.core.rrd_file import load_archives
from cardume.hostops.errors import GuestError, HostError
from cardume.hostops.guests.guest import GuestSpec
from cardume.hostops.guests.guest_stats import GuestStats
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.metrics.host_meter import SAVE_S, HostMeter
from cardume.hostops.metrics.interface import NotMeasured
from cardume.hostops.metrics.memory_meter import MemoryHost, memory_meter

UUID = "6dd6d4ae-5f5c-4a0e-9d65-5b1b4ca0c2a1"
VM = f"vm:{UUID}"
MIB = 1 << 20


@dataclass
class Room:
    meter: HostMeter
    guests: MemoryGuests
    host: MemoryHost
    folder: Path

    async def ticks(self, count: int, spent_s: float = 2.5) -> None:
        """Five seconds each, of which the guest and each processor are busy for so long."""
        for _ in range(count):
            self.host.now_s += 5
            busy = {number: busy + spent_s for number, busy in self.host.stats.cpu_s.items()}
            self.host.stats = replace(self.host.stats, cpu_s=busy)
            for guest in await self.guests.list():
                self.guests.use(guest.uuid, GuestStats({0: int(self.host.now_s * spent_s / 5 * 1e9)}, 64 * MIB))
            await self.meter.tick()

    def again(self) -> "Room":
        """The daemon's next life."""
        return replace(self, meter=memory_meter(self.guests, self.folder, host=self.host))

    async def cpu(self, owner: str, name: str = "cpu0") -> list[float]:
        """The latest rows of the finest archive, without those that are not known."""
        history = await self.meter.history(owner)
        assert history is not None
        archives = load_archives(history)
        last = archives.last_row(0)
        values = archives.column(name, 0, Fold.AVERAGE, range(last - 119, last + 1))
        return [round(value, 3) for value in values if not math.isnan(value)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    guests, host = MemoryGuests(), MemoryHost()
    return Room(memory_meter(guests, tmp_path / "rrd", host=host), guests, host, tmp_path / "rrd")


async def start(room: Room) -> None:
    await room.guests.start(GuestSpec(UUID, "web", 64 * MIB, 1, 1))


async def test_a_host_and_its_guests_are_measured(room: Room) -> None:
    await start(room)
    await room.ticks(4)
    assert await room.cpu(room.meter.host) == [0.5, 0.5, 0.5]
    assert await room.cpu(VM) == [0.5, 0.5, 0.5]
    assert {source.source.name: source.value for source in await room.meter.sources(VM)} == {
        "cpu0": 0.5,
        "cpu_usage": 0.5,
        "memory": 64 * MIB,
        "memory_target": 64 * MIB,
    }


async def test_a_guest_that_stopped_has_its_history_in_a_file_and_goes_on_with_it(room: Room) -> None:
    await start(room)
    await room.ticks(4)
    await room.guests.destroy(UUID)
    await room.ticks(2)
    with pytest.raises(NotMeasured):
        await room.meter.sources(VM)
    assert await room.cpu(VM) == [0.5, 0.5, 0.5]
    assert await room.meter.kept() == {UUID}

    await start(room)
    await room.ticks(3, 5)
    assert await room.cpu(VM) == [0.5, 0.5, 0.5, 1, 1]
    assert await room.meter.kept() == frozenset()


async def test_the_next_daemon_goes_on_with_every_history(room: Room) -> None:
    await start(room)
    await room.meter.open()
    await room.ticks(4)
    await room.meter.close()

    later = room.again()
    await later.meter.open()
    await later.ticks(3)
    for owner in (VM, later.meter.host):
        assert await later.cpu(owner) == [0.5] * 6


async def test_a_daemon_that_dies_loses_what_came_after_the_last_save(room: Room) -> None:
    await start(room)
    await room.ticks(int(SAVE_S / 5) + 2)
    later = room.again()
    await later.meter.open()
    await later.ticks(2)
    assert len(await later.cpu(later.meter.host)) > 100
    assert len(await later.cpu(VM)) > 100


async def test_a_file_that_is_damaged_costs_the_history_and_nothing_else(room: Room) -> None:
    await start(room)
    await room.ticks(3)
    await room.meter.close()
    for file in room.folder.iterdir():
        file.write_bytes(file.read_bytes()[:-10])
    later = room.again()
    await later.meter.open()
    await later.ticks(3)
    assert len(await later.cpu(VM)) == 2


async def test_guests_stay_when_libvirt_does_not_answer(room: Room) -> None:
    await start(room)
    await room.ticks(3)
    room.guests.fail_next("stats", GuestError("libvirt is busy"))
    await room.ticks(1)
    assert await room.meter.kept() == frozenset()
    await room.ticks(2)
    assert len(await room.cpu(room.meter.host)) == 5
    assert len(await room.cpu(VM)) == 5  # what was counted meanwhile is spread over both steps


async def test_a_folder_that_cannot_be_written_stops_nothing(room: Room) -> None:
    room.folder.write_text("no folder")
    await start(room)
    await room.ticks(3)
    await room.guests.destroy(UUID)
    await room.ticks(1)
    await room.meter.close()
    assert len(await room.cpu(room.meter.host)) == 3


async def test_a_history_moves_to_another_host(room: Room, tmp_path: Path) -> None:
    await start(room)
    await room.ticks(4)
    await room.guests.destroy(UUID)
    await room.ticks(1)
    history = await room.meter.history(VM)
    assert history is not None

    guests = MemoryGuests()
    there = replace(
        room, guests=guests, folder=tmp_path / "there", meter=memory_meter(guests, tmp_path / "there", host=room.host)
    )
    await start(there)
    await there.ticks(3, 5)
    await there.meter.take(UUID, history)
    await room.meter.drop(UUID)

    assert await there.cpu(VM) == [0.5, 0.5, 0.5, 1, 1]
    assert await room.meter.history(VM) is None
    assert await room.meter.kept() == frozenset()


async def test_a_history_that_waits_on_the_master_joins_what_is_there(room: Room, tmp_path: Path) -> None:
    await start(room)
    await room.ticks(3)
    first = await room.meter.history(VM)
    assert first is not None
    waiting = memory_meter(MemoryGuests(), tmp_path / "master", host=room.host)
    await waiting.take(UUID, first)
    assert await waiting.kept() == {UUID}
    await room.ticks(2)
    second = await room.meter.history(VM)
    assert second is not None
    await waiting.take(UUID, second)
    assert await replace(room, meter=waiting).cpu(VM) == [0.5] * 4
    with pytest.raises(HostError):
        await waiting.take(UUID, b"nonsense")


async def test_what_a_guest_is_measured_by_is_not_dropped_while_it_runs(room: Room) -> None:
    await start(room)
    await room.ticks(3)
    await room.meter.drop(UUID)
    assert len(await room.cpu(VM)) == 2


@pytest.mark.parametrize("owner", ["vm:../../etc/passwd", "vm:", "", "sr:6dd6d4ae-5f5c-4a0e-9d65-5b1b4ca0c2a1"])
async def test_a_history_is_only_of_hosts_and_vms(room: Room, owner: str) -> None:
    with pytest.raises(ValueError, match="no owner"):
        await room.meter.history(owner)


async def test_sources_are_recorded_and_forgotten_by_name(room: Room) -> None:
    await room.ticks(3)
    calls: list[Callable[[str, str], object]] = [room.meter.record, room.meter.forget]
    for call in calls:
        with pytest.raises(NotMeasured):
            await call(room.meter.host, "nothing")  # type: ignore[misc]
    await room.meter.record(room.meter.host, "pif_eth0_rx_errors")
    await room.ticks(2)
    assert await room.cpu(room.meter.host, "pif_eth0_rx_errors") == [0, 0]
    await room.meter.forget(room.meter.host, "pif_eth0_rx_errors")
    assert await room.cpu(room.meter.host, "pif_eth0_rx_errors") == []


async def test_all_are_saved_within_the_period(room: Room) -> None:
    await start(room)
    await room.ticks(int(SAVE_S / 5) + 4)
    assert {file.name for file in room.folder.iterdir()} == {
        f"{room.meter.host.replace(':', '_')}.rrd",
        f"vm_{UUID}.rrd",
    }
