"""What every implementation of Guests promises, on the one in memory and on libvirt.

libvirt's turn comes with CARDUME_CONTRACT_LIBVIRT=1, on a host (or in a container) that runs libvirtd, as root.
The guests have no operating system: SeaBIOS and empty disks are enough for all that is asked here.
"""

import asyncio
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contract.linked import CHANNEL, linked, memory_hands

from cardume.hostops.errors import DeviceRefused, GuestBadState, GuestError, GuestNotFound, GuestUncertain
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.console import ByteStream, ConsoleKind
from cardume.hostops.guests.guest import (
    CommitLayers,
    Disk,
    DiskBus,
    FileSource,
    GuestEvent,
    GuestEventKind,
    GuestPower,
    GuestSpec,
    Nic,
    StopReason,
)
from cardume.hostops.guests.interface import Guests
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.run import run

BRIDGE = "brcontract0"
MIB = 1 << 20

IMPLEMENTATIONS = [
    "memory",
    CHANNEL,
    pytest.param("libvirt", marks=pytest.mark.inside_host("CARDUME_CONTRACT_LIBVIRT")),
]


@dataclass
class Bench:
    """An implementation, a guest to try it with, and what it told."""

    guests: Guests
    spec: GuestSpec
    folder: Path
    kind: str
    events: list[GuestEvent]
    memory: MemoryGuests | None = None  # the one in memory, however it is reached

    async def disk(self, device: str, **fields: object) -> Disk:
        path = self.folder / f"disk-{device}.raw"
        path.touch()
        os.truncate(path, 4 * MIB)
        return Disk(device, FileSource(str(path), "raw"), **fields)  # type: ignore[arg-type]

    async def event(self, kind: GuestEventKind) -> GuestEvent:
        """The first event of this kind that was or will be told."""
        async with asyncio.timeout(90):
            while True:
                for event in self.events:
                    if event.kind is kind:
                        return event
                await asyncio.sleep(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that QEMU's user can enter, on a file system with O_DIRECT."""
    path = Path("/var/tmp") / f"contract-{uuid.uuid4()}"
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


@pytest_asyncio.fixture(params=IMPLEMENTATIONS)
async def bench(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Bench]:
    spec = GuestSpec(str(uuid.uuid4()), "contract", 64 * MIB, vcpus_max=2, vcpus=1)
    events: list[GuestEvent] = []
    if request.param == "memory":
        guests = MemoryGuests()
        guests.subscribe(events.append)
        yield Bench(guests, spec, folder, "memory", events, guests)
        return
    if request.param == CHANNEL:
        guests = MemoryGuests()
        async with linked(memory_hands(guests=guests)) as (remote, _):
            far = remote.hands().guests
            far.subscribe(events.append)
            yield Bench(far, spec, folder, "memory", events, guests)
        return
    from cardume.hostops.guests.libvirt_guests import LibvirtGuests

    await _bridge()
    async with LibvirtGuests(Accelerator.TCG) as real:
        real.subscribe(events.append)
        try:
            yield Bench(real, spec, folder, "libvirt", events)
        finally:
            await real.destroy(spec.uuid)


async def _bridge() -> None:
    if BRIDGE not in os.listdir("/sys/class/net"):
        await run("ip", "link", "add", BRIDGE, "type", "bridge", timeout_s=60)
        await run("ip", "link", "set", BRIDGE, "up", timeout_s=60)


async def test_a_started_guest_runs_and_is_found_and_told(bench: Bench) -> None:
    disk = await bench.disk("0", boot_index=0)
    nic = Nic("0", "02:00:00:00:0c:01", BRIDGE)
    spec = replace(bench.spec, disks=(disk, Disk("3", None, is_cdrom=True)), nics=(nic,))
    guest = await bench.guests.start(spec)
    assert (guest.uuid, guest.power, guest.vcpus) == (spec.uuid, GuestPower.RUNNING, 1)
    assert guest.memory_bytes == 64 * MIB
    assert (guest.disks, guest.nics) == (("0", "3"), ("0",))
    assert guest.domid > 0
    assert await bench.guests.find(spec.uuid) == guest
    assert guest in await bench.guests.list()
    assert (await bench.event(GuestEventKind.STARTED)).uuid == spec.uuid


async def test_what_a_guest_uses_is_told_until_it_is_gone(bench: Bench) -> None:
    disk = await bench.disk("0", boot_index=0)
    nics = (Nic("0", "02:00:00:00:0c:01", BRIDGE), Nic("2", "02:00:00:00:0c:02", BRIDGE))
    await bench.guests.start(replace(bench.spec, disks=(disk, Disk("3", None, is_cdrom=True)), nics=nics))

    first = (await bench.guests.stats())[bench.spec.uuid]
    assert first.memory_bytes == 64 * MIB
    assert first.memory_free_bytes is None
    assert (set(first.vcpu_ns), set(first.disks) - {"3"}, set(first.nics)) == ({0}, {"0"}, {"0", "2"})
    async with asyncio.timeout(90):
        while (await bench.guests.stats())[bench.spec.uuid].vcpu_ns[0] <= first.vcpu_ns[0]:
            await asyncio.sleep(0.05)

    more = Nic("1", "02:00:00:00:0c:03", BRIDGE)
    await bench.guests.attach_nic(bench.spec.uuid, more)
    assert set((await bench.guests.stats())[bench.spec.uuid].nics) == {"0", "1", "2"}
    await bench.guests.destroy(bench.spec.uuid)
    assert bench.spec.uuid not in await bench.guests.stats()


async def test_a_guest_started_paused_waits_to_be_unpaused(bench: Bench) -> None:
    guest = await bench.guests.start(bench.spec, paused=True)
    assert guest.power is GuestPower.PAUSED
    await bench.guests.unpause(bench.spec.uuid)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.RUNNING


async def test_pausing_and_unpausing_are_told_and_asking_twice_is_no_error(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    bench.events.clear()
    for _ in range(2):
        await bench.guests.pause(bench.spec.uuid)
        found = await bench.guests.find(bench.spec.uuid)
        assert found is not None
        assert found.power is GuestPower.PAUSED
    await bench.event(GuestEventKind.PAUSED)
    bench.events.clear()
    for _ in range(2):
        await bench.guests.unpause(bench.spec.uuid)
    await bench.event(GuestEventKind.RESUMED)


async def test_a_guest_that_runs_cannot_be_started_again(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    with pytest.raises(GuestBadState):
        await bench.guests.start(bench.spec)
    assert await bench.guests.find(bench.spec.uuid) is not None


async def test_a_guest_that_runs_stays_when_its_second_start_is_given_up(bench: Bench) -> None:
    guest = await bench.guests.start(bench.spec)
    for delay_s in (0, 0.001, 0.01):
        again = asyncio.create_task(bench.guests.start(bench.spec))
        await asyncio.sleep(delay_s)
        again.cancel()
        with pytest.raises((asyncio.CancelledError, GuestBadState)):
            await again
    assert await bench.guests.find(bench.spec.uuid) == guest


async def test_two_starts_at_once_give_one_guest(bench: Bench) -> None:
    both = await asyncio.gather(bench.guests.start(bench.spec), bench.guests.start(bench.spec), return_exceptions=True)
    assert sum(isinstance(one, GuestBadState) for one in both) == 1
    assert len([guest for guest in await bench.guests.list() if guest.uuid == bench.spec.uuid]) == 1


async def test_a_destroyed_guest_is_gone_and_its_end_is_told(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    await bench.guests.destroy(bench.spec.uuid)
    assert await bench.guests.find(bench.spec.uuid) is None
    assert (await bench.event(GuestEventKind.STOPPED)).reason is StopReason.DESTROYED


async def test_destroying_a_guest_that_is_not_here_is_no_error(bench: Bench) -> None:
    await bench.guests.destroy(bench.spec.uuid)


@pytest.mark.parametrize(
    "operation",
    [
        lambda guests, uuid: guests.pause(uuid),
        lambda guests, uuid: guests.unpause(uuid),
        lambda guests, uuid: guests.request_shutdown(uuid),
        lambda guests, uuid: guests.request_reboot(uuid),
        lambda guests, uuid: guests.reset(uuid),
        lambda guests, uuid: guests.save(uuid, "/var/tmp/never-written"),
        lambda guests, uuid: guests.set_vcpus(uuid, 1),
        lambda guests, uuid: guests.attach_disk(uuid, Disk("1", FileSource("/nowhere", "raw"))),
        lambda guests, uuid: guests.detach_disk(uuid, "1"),
        lambda guests, uuid: guests.change_media(uuid, "3", None),
        lambda guests, uuid: guests.attach_nic(uuid, Nic("1", "02:00:00:00:0c:02", BRIDGE)),
        lambda guests, uuid: guests.detach_nic(uuid, "1"),
        lambda guests, uuid: guests.agent_facts(uuid),
    ],
)
async def test_what_needs_a_guest_says_that_there_is_none(
    bench: Bench, operation: Callable[[Guests, str], Awaitable[object]]
) -> None:
    with pytest.raises(GuestNotFound):
        await operation(bench.guests, bench.spec.uuid)


async def _greeting(stream: ByteStream) -> bytes:
    greeting = b""
    async with asyncio.timeout(90):
        while len(greeting) < 12 and (piece := await stream.read()):
            greeting += piece
    return greeting


async def _end(stream: ByteStream) -> bytes:
    async with asyncio.timeout(90):
        while await stream.read():
            pass
    return b""


async def test_a_guests_screen_speaks_rfb_to_several_who_look(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    async with bench.guests.open_console(bench.spec.uuid, ConsoleKind.SCREEN) as one:
        async with bench.guests.open_console(bench.spec.uuid, ConsoleKind.SCREEN) as other:
            assert await _greeting(one) == await _greeting(other) == b"RFB 003.008\n"
        await one.write(b"RFB 003.008\n")
        await bench.guests.destroy(bench.spec.uuid)
        assert await _end(one) == b""


async def test_a_serial_line_ends_with_its_guest_for_all_who_look(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    async with (
        bench.guests.open_console(bench.spec.uuid, ConsoleKind.SERIAL) as one,
        bench.guests.open_console(bench.spec.uuid, ConsoleKind.SERIAL) as other,
    ):
        await one.write(b"x")
        await bench.guests.destroy(bench.spec.uuid)
        assert await _end(one) == await _end(other) == b""


@pytest.mark.parametrize("kind", ConsoleKind)
async def test_a_guest_that_is_not_here_has_no_console(bench: Bench, kind: ConsoleKind) -> None:
    with pytest.raises(GuestNotFound):
        async with bench.guests.open_console(bench.spec.uuid, kind):
            pass


async def test_a_paused_guest_cannot_be_asked_to_power_off(bench: Bench) -> None:
    await bench.guests.start(bench.spec, paused=True)
    with pytest.raises(GuestBadState):
        await bench.guests.request_shutdown(bench.spec.uuid)


async def test_a_request_to_power_off_returns_before_the_guest_is_off(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    if bench.memory is not None:
        bench.memory.ignore_requests(bench.spec.uuid)
    await bench.guests.request_shutdown(bench.spec.uuid)  # SeaBIOS alone does not listen to the power button
    await bench.guests.request_reboot(bench.spec.uuid)
    assert await bench.guests.find(bench.spec.uuid) is not None


async def test_a_reset_is_told_as_a_reboot_and_the_guest_runs_on(bench: Bench) -> None:
    guest = await bench.guests.start(bench.spec)
    await bench.guests.reset(bench.spec.uuid)
    await bench.event(GuestEventKind.REBOOTED)
    assert await bench.guests.find(bench.spec.uuid) == guest


async def test_a_saved_guest_is_gone_and_comes_back_with_its_disks_elsewhere(bench: Bench) -> None:
    disk = await bench.disk("0")
    nic = Nic("0", "02:00:00:00:0c:03", BRIDGE)
    spec = replace(bench.spec, disks=(disk, Disk("3", None, is_cdrom=True)), nics=(nic,))
    await bench.guests.start(spec)
    image = bench.folder / "memory.image"
    await bench.guests.save(spec.uuid, str(image))
    assert await bench.guests.find(spec.uuid) is None
    assert (await bench.event(GuestEventKind.STOPPED)).reason is StopReason.SAVED
    assert image.stat().st_size > 0
    moved = bench.folder / "moved.raw"
    os.rename(bench.folder / "disk-0.raw", moved)
    spec = replace(spec, name="renamed", disks=(Disk("0", FileSource(str(moved), "raw")), spec.disks[1]))
    guest = await bench.guests.restore(spec, str(image), paused=True)
    assert (guest.power, guest.disks, guest.nics) == (GuestPower.PAUSED, ("0", "3"), ("0",))
    assert image.exists()
    await bench.guests.destroy(spec.uuid)
    guest = await bench.guests.restore(spec, str(image))
    assert guest.power is GuestPower.RUNNING


async def test_a_guest_is_not_resumed_with_other_disks_than_it_was_saved_with(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    image = str(bench.folder / "memory.image")
    await bench.guests.save(bench.spec.uuid, image)
    with pytest.raises(GuestError, match="disks"):
        await bench.guests.restore(replace(bench.spec, disks=(await bench.disk("1"),)), image)
    assert await bench.guests.find(bench.spec.uuid) is None


async def test_a_save_that_fails_leaves_the_guest_running(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    with pytest.raises(GuestError):
        await bench.guests.save(bench.spec.uuid, str(bench.folder / "no-such-directory" / "image"))
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.RUNNING


async def test_nothing_is_resumed_from_a_file_that_is_no_saved_guest(bench: Bench) -> None:
    image = bench.folder / "memory.image"
    image.write_text("not an image")
    with pytest.raises(GuestError):
        await bench.guests.restore(bench.spec, str(image))
    assert await bench.guests.find(bench.spec.uuid) is None


async def test_disks_and_cards_can_be_added_while_the_guest_runs(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    for device in ("1", "15"):
        await bench.guests.attach_disk(bench.spec.uuid, await bench.disk(device))
    await bench.guests.attach_nic(bench.spec.uuid, Nic("6", "02:00:00:00:0c:04", BRIDGE))
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert (found.disks, found.nics) == (("1", "15"), ("6",))


async def test_every_place_for_a_disk_and_a_card_can_be_filled_while_the_guest_runs(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    for number in range(16):
        await bench.guests.attach_disk(bench.spec.uuid, await bench.disk(str(number)))
    for number in range(7):
        await bench.guests.attach_nic(bench.spec.uuid, Nic(str(number), f"02:00:00:00:0d:{number:02x}", BRIDGE))
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert (len(found.disks), len(found.nics)) == (16, 7)


async def test_a_place_that_is_taken_or_does_not_exist_is_refused(bench: Bench) -> None:
    disk = await bench.disk("1")
    await bench.guests.start(replace(bench.spec, disks=(disk,)))
    with pytest.raises(GuestError, match="already"):
        await bench.guests.attach_disk(bench.spec.uuid, disk)
    with pytest.raises(GuestError, match="16 disks"):
        await bench.guests.attach_disk(bench.spec.uuid, await bench.disk("16"))
    with pytest.raises(GuestError, match="while the guest is off"):
        await bench.guests.attach_disk(bench.spec.uuid, await bench.disk("2", bus=DiskBus.SATA))
    with pytest.raises(GuestError, match="no disk 9"):
        await bench.guests.detach_disk(bench.spec.uuid, "9")
    with pytest.raises(GuestError, match="no network card 3"):
        await bench.guests.detach_nic(bench.spec.uuid, "3")


async def test_a_disk_that_the_guest_does_not_give_up_stays(bench: Bench) -> None:
    await bench.guests.start(replace(bench.spec, disks=(await bench.disk("1"),)))
    if bench.memory is not None:
        bench.memory.keep_devices(bench.spec.uuid)
    for _ in range(2):  # the second request finds the first still standing
        with pytest.raises(DeviceRefused):
            await bench.guests.detach_disk(bench.spec.uuid, "1", timeout_s=1.5)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.disks == ("1",)


async def test_a_disc_goes_into_the_drive_and_out_again(bench: Bench) -> None:
    await bench.guests.start(replace(bench.spec, disks=(Disk("3", None, is_cdrom=True), await bench.disk("0"))))
    disc = await bench.disk("5")
    for source in (disc.source, None, disc.source):
        await bench.guests.change_media(bench.spec.uuid, "3", source)
    with pytest.raises(GuestError, match="no CD drive 0"):
        await bench.guests.change_media(bench.spec.uuid, "0", None)


async def test_virtual_cpus_can_be_added_up_to_the_maximum(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    await bench.guests.set_vcpus(bench.spec.uuid, 2)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.vcpus == 2
    with pytest.raises(GuestError):
        await bench.guests.set_vcpus(bench.spec.uuid, 3)


async def test_a_guest_without_an_agent_has_no_facts(bench: Bench) -> None:
    await bench.guests.start(bench.spec)
    assert await bench.guests.agent_facts(bench.spec.uuid) is None


async def test_a_guest_whose_disk_is_missing_does_not_start_and_can_be_started_later(bench: Bench) -> None:
    disk = await bench.disk("0")
    os.unlink(bench.folder / "disk-0.raw")
    if bench.memory is not None:
        bench.memory.fail_next("start", GuestError("there is no file"))
    spec = replace(bench.spec, disks=(disk,))
    with pytest.raises(GuestError, match="no file"):
        await bench.guests.start(spec)
    assert await bench.guests.find(spec.uuid) is None
    await bench.disk("0")
    assert (await bench.guests.start(spec)).power is GuestPower.RUNNING


async def test_a_guest_that_asks_too_much_is_refused_before_anything_happens(bench: Bench) -> None:
    with pytest.raises(GuestError, match="maximum"):
        await bench.guests.start(replace(bench.spec, vcpus=5))
    assert await bench.guests.find(bench.spec.uuid) is None


async def test_a_sink_that_stopped_listening_hears_nothing(bench: Bench) -> None:
    heard: list[GuestEvent] = []
    stop = bench.guests.subscribe(heard.append)
    stop()
    await bench.guests.start(bench.spec)
    await bench.event(GuestEventKind.STARTED)
    assert heard == []


async def layer_on(bench: Bench, disk: Disk) -> FileSource:
    """An empty layer on the disk's image, as a storage driver makes it."""
    assert isinstance(disk.source, FileSource)
    under, path = disk.source, f"{disk.source.path}.layer"
    if bench.kind == "libvirt":
        make = ("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", os.path.basename(under.path), "-F", under.format)
        await run(*make, path, str(4 * MIB), timeout_s=60)
    else:
        shutil.copyfile(under.path, path)
    return FileSource(path, "qcow2")


async def test_disks_move_to_layers_together_while_the_guest_runs(bench: Bench) -> None:
    disks = (await bench.disk("0"), await bench.disk("1"))
    await bench.guests.start(replace(bench.spec, disks=(*disks, Disk("3", None, is_cdrom=True))))
    layers = {disk.device: await layer_on(bench, disk) for disk in disks}
    await bench.guests.move_disks(bench.spec.uuid, layers)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert (found.power, found.disks) == (GuestPower.RUNNING, ("0", "1", "3"))
    # It goes on from there: the next layer stands on the one before.
    on_first = await layer_on(bench, replace(disks[0], source=layers["0"]))
    await bench.guests.move_disks(bench.spec.uuid, {"0": on_first})
    await bench.guests.pause(bench.spec.uuid)
    await bench.guests.move_disks(bench.spec.uuid, {"1": await layer_on(bench, replace(disks[1], source=layers["1"]))})


async def test_no_disk_moves_when_one_cannot(bench: Bench) -> None:
    disks = (await bench.disk("0"), await bench.disk("1"))
    await bench.guests.start(replace(bench.spec, disks=disks))
    good = await layer_on(bench, disks[0])
    with pytest.raises(GuestError, match="no disk 7"):
        await bench.guests.move_disks(bench.spec.uuid, {"0": good, "7": good})
    with pytest.raises(GuestError) as refused:
        await bench.guests.move_disks(bench.spec.uuid, {"0": good}, quiesce=True)  # there is no agent
    assert not isinstance(refused.value, GuestUncertain)
    await bench.guests.move_disks(bench.spec.uuid, {"0": good})
    with pytest.raises(GuestNotFound):
        await bench.guests.move_disks(str(uuid.uuid4()), {"0": good})


async def test_memory_is_written_as_of_the_moment_that_the_disks_move(bench: Bench) -> None:
    disk = await bench.disk("0")
    spec = replace(bench.spec, disks=(disk,))
    await bench.guests.start(spec)
    path = bench.folder / "memory"
    path.touch()
    assert not await bench.guests.is_saved(str(path))
    await bench.guests.move_disks(spec.uuid, {"0": await layer_on(bench, disk)}, memory_path=str(path))
    found = await bench.guests.find(spec.uuid)
    assert found is not None
    assert found.power is GuestPower.RUNNING
    assert await bench.guests.is_saved(str(path))
    await bench.guests.destroy(spec.uuid)
    assert (await bench.guests.restore(spec, str(path))).power is GuestPower.RUNNING


ON_LIBVIRT = pytest.mark.parametrize("bench", IMPLEMENTATIONS[2:], indirect=True)
"""For what only a real guest has: processors that stand still, and a libvirtd."""


async def make_chain(bench: Bench, layers: int, *, full: bool = False) -> list[str]:
    """A guest that runs with a disk 0 of so many layers on a raw image; the paths, from the root.

    full: the topmost layer holds data, and a commit of it at `SLOW` takes many seconds.
    """
    disk = await bench.disk("0")
    await bench.guests.start(replace(bench.spec, disks=(disk,)))
    assert isinstance(disk.source, FileSource)
    chain = [disk.source.path]
    for _ in range(layers):
        layer = await layer_on(bench, disk)
        if full and bench.kind == "libvirt" and len(chain) == layers:
            # Whole clusters, without the image under it: the guest has that one open.
            alone = {"driver": "qcow2", "file": {"driver": "file", "filename": layer.path}, "backing": None}
            await run("qemu-io", "-c", "write -q 0 4M", f"json:{json.dumps(alone)}", timeout_s=60)
        await bench.guests.move_disks(bench.spec.uuid, {"0": layer})
        disk = replace(disk, source=layer)
        chain.append(layer.path)
    return chain


@dataclass
class Settled:
    """What a commit told of its end, and how the guest was seen then."""

    bench: Bench
    times: int = 0
    fault: Exception | None = None

    async def __call__(self) -> None:
        self.times += 1
        found = await self.bench.guests.find(self.bench.spec.uuid)
        assert found is not None
        assert found.power is GuestPower.RUNNING
        if self.fault is not None:
            raise self.fault


FAST, SLOW = 64 * MIB, 128 * 1024


async def commit(
    bench: Bench, settled: Settled, base: str, top: str, active: str, device: str = "0", rate_bytes: int = FAST
) -> list[float]:
    seen: list[float] = []
    await bench.guests.commit_layers(
        *(bench.spec.uuid, device, CommitLayers(base, top, active), settled, seen.append),
        rate_bytes=rate_bytes,
        timeout_s=120,
    )
    return seen


async def test_a_layer_inside_the_chain_goes_while_the_guest_runs(bench: Bench) -> None:
    _, first, second, active = await make_chain(bench, 3)
    settled = Settled(bench)
    await commit(bench, settled, first, second, active)
    assert settled.times == 1
    if bench.kind == "libvirt":
        # By its bare name, as our own layers name theirs.
        info = json.loads(await run("qemu-img", "info", "-U", "--output=json", active, timeout_s=60))
        assert (info["backing-filename"], info["backing-filename-format"]) == (os.path.basename(first), "qcow2")
        with pytest.raises(GuestError, match="does not have"):
            await commit(bench, settled, first, second, active)
    assert await bench.guests.end_commit(bench.spec.uuid, "0") == active
    await bench.guests.move_disks(bench.spec.uuid, {"0": await layer_on(bench, Disk("0", FileSource(active, "qcow2")))})


async def test_the_layer_that_the_guest_writes_to_goes_while_it_stands_still(bench: Bench) -> None:
    _, first, active = await make_chain(bench, 2)
    settled = Settled(bench)
    bench.events.clear()
    await commit(bench, settled, first, active, active)
    assert settled.times == 1
    assert await bench.guests.end_commit(bench.spec.uuid, "0") == first
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.RUNNING
    if bench.kind == "libvirt":
        assert await run("virsh", "domstate", bench.spec.uuid, timeout_s=60) == "running\n\n"
    await bench.guests.pause(bench.spec.uuid)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.PAUSED


@ON_LIBVIRT
async def test_a_paused_guest_stays_paused_when_its_layer_goes(bench: Bench) -> None:
    _, first, active = await make_chain(bench, 2)
    await bench.guests.pause(bench.spec.uuid)
    await commit(bench, Settled(bench), first, active, active)
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.PAUSED


async def test_a_commit_that_is_refused_or_cancelled_leaves_the_disk_where_it_was(bench: Bench) -> None:
    _, first, second, active = await make_chain(bench, 3, full=True)
    settled = Settled(bench)
    with pytest.raises(GuestError):
        await commit(bench, settled, first, second, second)
    with pytest.raises(GuestError):
        await commit(bench, settled, first, second, active, device="7")
    if bench.memory is not None:
        bench.memory.slow("commit_layers", 0.5)
    for delay_s in (0, 0.02, 0.05, 0.1):
        work = asyncio.create_task(commit(bench, settled, second, active, active, rate_bytes=SLOW))
        await asyncio.sleep(delay_s)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert settled.times == 0
        assert await bench.guests.end_commit(bench.spec.uuid, "0") == active
    found = await bench.guests.find(bench.spec.uuid)
    assert found is not None
    assert found.power is GuestPower.RUNNING


async def test_a_snapshot_or_a_save_ends_a_commit_and_goes_on(bench: Bench) -> None:
    _, first, second, active = await make_chain(bench, 3)
    if bench.memory is not None:
        bench.memory.slow("commit_layers", 0.5)
    else:
        await run("qemu-img", "info", "-U", second, timeout_s=60)
    merging = asyncio.create_task(commit(bench, Settled(bench), first, second, active))
    await asyncio.sleep(0.05)
    layer = await layer_on(bench, Disk("0", FileSource(active, "qcow2")))
    await bench.guests.move_disks(bench.spec.uuid, {"0": layer})
    await asyncio.wait([merging], timeout=60)
    assert merging.done()
    merging.exception()
    merging = asyncio.create_task(commit(bench, Settled(bench), active, layer.path, layer.path))
    await asyncio.sleep(0.05)
    await bench.guests.save(bench.spec.uuid, str(bench.folder / "memory.image"))
    await asyncio.wait([merging], timeout=60)
    assert merging.done()
    assert await bench.guests.find(bench.spec.uuid) is None
    merging.exception()


async def test_a_guest_that_ends_in_the_middle_ends_the_commit(bench: Bench) -> None:
    _, _, second, active = await make_chain(bench, 3, full=True)
    if bench.memory is not None:
        bench.memory.slow("commit_layers", 0.5)
    settled = Settled(bench)
    merging = asyncio.create_task(commit(bench, settled, second, active, active, rate_bytes=SLOW))
    await asyncio.sleep(0.05)
    await bench.guests.destroy(bench.spec.uuid)
    with pytest.raises(GuestError):
        await merging
    assert settled.times == 0
    assert await bench.guests.end_commit(bench.spec.uuid, "0") is None
    await bench.guests.end_still(bench.spec.uuid)


@ON_LIBVIRT
async def test_a_guest_whose_end_of_a_commit_nobody_recorded_stands_still_until_somebody_did(bench: Bench) -> None:
    _, first, active = await make_chain(bench, 2)
    with pytest.raises(GuestUncertain):
        await commit(bench, Settled(bench, fault=OSError("the disk is full")), first, active, active)
    assert await run("virsh", "domstate", bench.spec.uuid, timeout_s=60) == "paused\n\n"
    with pytest.raises(GuestBadState, match="still"):
        await bench.guests.unpause(bench.spec.uuid)
    assert await bench.guests.end_commit(bench.spec.uuid, "0") == first
    await bench.guests.end_still(bench.spec.uuid)
    assert await run("virsh", "domstate", bench.spec.uuid, timeout_s=60) == "running\n\n"


@ON_LIBVIRT
async def test_libvirtd_that_restarts_in_the_middle_leaves_a_disk_that_can_be_told(bench: Bench) -> None:
    _, first, second, active = await make_chain(bench, 3)
    settled = Settled(bench)
    merging = asyncio.create_task(commit(bench, settled, second, active, active))
    await asyncio.sleep(0.1)
    await run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "libvirtd.service", timeout_s=60)
    await asyncio.wait([merging], timeout=60)
    assert merging.done()
    merging.exception()
    where = await _where(bench)
    if where is None:
        # libvirtd was killed in the one moment in which it forgets a guest: it is as if the guest had crashed.
        assert bench.spec.uuid not in await run("ps", "-eo", "args", timeout_s=60)
        return
    assert where == (second if settled.times else active)
    await bench.guests.end_still(bench.spec.uuid)
    if not settled.times:
        await commit(bench, settled, second, active, active)
    await commit(bench, settled, first, second, second)


async def _where(bench: Bench) -> str | None:
    """Where the disk is, once libvirtd is there again."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await bench.guests.end_commit(bench.spec.uuid, "0")
            except GuestError:
                await asyncio.sleep(0.2)
