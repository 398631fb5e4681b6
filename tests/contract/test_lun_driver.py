"""SRs on LUNs: what the driver promises of disks on the storage server's target, with the host's own LVM and QEMU."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.iscsi_link import iscsi_link
from tests.contract.lun_room import (
    EXTENT,
    TARGETS,
    Mastery,
    Room,
    Sized,
    blank_room,
    make_driver,
    outcome,
    portal,
    sr_room,
)
from tests.contract.storage_cases import MIB, new_uuid

from cardume.hostops import chap_secrets
from cardume.hostops.errors import (
    Cause,
    StorageError,
    StorageFull,
    StorageInUse,
    StorageUnreachable,
    VolumeNotFound,
)
from cardume.hostops.storage import lun_groups, lun_seats
from cardume.hostops.storage.driver import Volume
from cardume.hostops.storage.found import FoundRepositories
from cardume.hostops.storage.lun_volumes import State, group_name, sr_tags
from cardume.hostops.storage.lvm import editing
from cardume.hostops.storage.lvm.editing import Create
from cardume.hostops.storage.lvm.errors import LunShrunk, NoContiguousSpace
from cardume.hostops.storage.lvm.reader import what_is_there
from cardume.hostops.storage.threads import in_thread
from cardume.lun.interface import LunFacts
from cardume.lun.userspace import Chap

pytestmark = [pytest.mark.inside_host("CARDUME_CONTRACT_LVM"), pytest.mark.inside_host("CARDUME_CONTRACT_ISCSI")]

CHAP = Chap("cardume", "chap-secret-12")
STRANGE = "São Paulo, 'quoted' \"twice\" & <b> \n\t\0 = . ; $(x) -- 漢字 🦈 \\ %s"
LIMIT_S = 60.0


def nothing(fraction: float) -> None:
    """A progress nobody looks at."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with sr_room(tmp_path) as made:
        yield made


@pytest.fixture
async def blank(tmp_path: Path) -> AsyncIterator[Room]:
    async with blank_room(tmp_path) as made:
        yield made


async def new(room: Room, size_bytes: int = 8 * MIB, name_label: str = "") -> Volume:
    return await room.driver.create_volume(room.repo, new_uuid(), size_bytes, name_label=name_label)


# Places


async def test_a_disk_grows_where_it_is_and_what_is_new_reads_as_zeros(room: Room) -> None:
    await room.fill()
    disk = await new(room, 4 * MIB, "data")
    await room.write(disk, b"\xaa" * (4 * MIB))
    before = await room.source(disk)

    grown = await room.driver.resize_volume(room.repo, disk, 10 * MIB, online=True)

    assert (grown.virtual_size, grown.physical_utilisation, grown.name_label) == (10 * MIB, 12 * MIB, "data")
    assert (await room.source(disk)).offset == before.offset
    assert await room.read(grown) == b"\xaa" * (4 * MIB) + bytes(6 * MIB)
    await room.assert_only(grown)
    again = await room.driver.resize_volume(room.repo, grown, 12 * MIB)  # in the extents that it has
    assert await room.read(again, at=4 * MIB) == bytes(8 * MIB)


async def test_a_disk_without_room_beside_it_moves_with_its_content_unless_a_guest_has_it(room: Room) -> None:
    await room.fill()
    disk = await new(room, 8 * MIB, "moves")
    await new(room)
    await room.write(disk, b"\xaa" * (8 * MIB))
    before = await room.group()

    with pytest.raises(StorageFull):
        await room.driver.resize_volume(room.repo, disk, 16 * MIB, online=True)
    assert await room.group() == before

    moved = await room.driver.resize_volume(room.repo, disk, 16 * MIB)
    assert (moved.virtual_size, moved.name_label) == (16 * MIB, "moves")
    assert await room.read(moved) == b"\xaa" * (8 * MIB) + bytes(8 * MIB)
    assert len((await room.group()).volumes) == 2


async def test_a_new_disk_never_shows_what_was_there(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lun_groups, "WIPE_BYTES", 16 * MIB)
    first = await new(room, 12 * MIB)
    await room.write(first, b"\xaa" * (12 * MIB))
    place = (await room.source(first)).offset
    await room.driver.destroy_volume(room.repo, first)
    await room.fill()

    again = await new(room, 12 * MIB)
    assert (await room.source(again)).offset == place
    assert not any(await room.read(again))
    larger = await new(room, 40 * MIB)  # more than is wiped at a time
    assert not any(await room.read(larger))


async def test_a_full_lun_says_how_much_is_missing_and_nothing_is_left(room: Room) -> None:
    free = (await room.group()).free_bytes
    disk = await new(room, free - 8 * MIB)

    for call in (new(room, 12 * MIB), room.driver.resize_volume(room.repo, disk, free + EXTENT)):
        with pytest.raises(NoContiguousSpace) as full:
            await call
        assert (full.value.free_bytes, full.value.largest_bytes) == (8 * MIB, 8 * MIB)
        assert full.value.needed_bytes > 8 * MIB
    await room.assert_only(disk)
    await new(room, 8 * MIB)
    with pytest.raises(StorageFull):
        await room.driver.clone_volume(room.repo, disk, new_uuid(), nothing)
    assert (await room.driver.space(room.repo)).physical_utilisation == free


async def test_free_space_in_pieces_is_told_as_such(room: Room) -> None:
    disks = [await new(room, size * MIB) for size in (40, 8, 40, 8)]
    rest = await new(room, (await room.group()).free_bytes)
    for hole in (disks[0], disks[2]):
        await room.driver.destroy_volume(room.repo, hole)

    with pytest.raises(NoContiguousSpace) as full:
        await new(room, 60 * MIB)

    assert (full.value.largest_bytes, full.value.free_bytes) == (40 * MIB, 80 * MIB)
    await room.assert_only(disks[1], disks[3], rest)


# The LUN itself


async def test_a_lun_that_shrank_is_refused_and_one_that_grew_is_used(blank: Room) -> None:
    name, tags, size = group_name(blank.repo.uuid), sr_tags("Disks", ""), blank.lun.size_bytes

    def format(lun_bytes: int) -> None:
        editing.format_lun(
            Sized(blank.lun, lun_bytes), name, tags, fence=lambda: None, overwrite=True, folder=blank.place / "hand"
        )

    await in_thread(format, size + 64 * MIB)
    with pytest.raises(LunShrunk, match=f"{64 * MIB} bytes smaller"):
        await blank.driver.attach(blank.repo)
    with pytest.raises(LunShrunk):
        await blank.driver.create_volume(blank.repo, new_uuid(), 8 * MIB)

    await in_thread(format, size // 2)
    await blank.driver.attach(blank.repo)
    await blank.other().scan(blank.repo)
    assert (await blank.driver.space(blank.repo)).physical_size == size // 2 - 16 * MIB
    await blank.driver.scan(blank.repo)
    assert (await blank.driver.space(blank.repo)).physical_size == size - 16 * MIB


GPT = b"EFI PART"
EXT4 = b"\x53\xef"


@pytest.mark.parametrize(("at", "magic", "name"), [(1080, EXT4, "ext file system"), (512, GPT, "GPT partition")])
async def test_what_is_on_a_lun_is_named_and_kept_until_it_may_go(
    blank: Room, at: int, magic: bytes, name: str
) -> None:
    head = bytes(at) + magic + bytes(4096 - at - len(magic))
    await in_thread(blank.lun.write, 0, head)

    with pytest.raises(StorageInUse, match=name):
        await blank.driver.create(blank.repo)
    assert await in_thread(blank.lun.read, 0, 4096) == head

    await blank.driver.create(blank.at(overwrite="true"))
    await blank.driver.create(blank.repo)  # a second try of the same
    await blank.driver.attach(blank.repo)
    await blank.assert_only()
    await blank.driver.destroy(blank.repo)
    assert await in_thread(what_is_there, blank.lun) is None


async def test_another_sr_on_the_lun_is_named_and_never_overwritten_while_it_is_attached(room: Room) -> None:
    disk = await new(room)
    stranger = room.other(Mastery())
    other = replace(room.repo, uuid=new_uuid())
    over = replace(other, device_config={**other.device_config, "overwrite": "true"})

    with pytest.raises(StorageInUse, match=group_name(room.repo.uuid)):
        await stranger.create(other)
    with pytest.raises(StorageInUse, match=room.repo.uuid):
        await room.driver.create(over)
    await room.assert_only(disk)
    with pytest.raises(StorageError, match="does not hold this SR"):
        await stranger.attach(other)

    await stranger.create(over)
    await stranger.detach(other)
    with pytest.raises(StorageError, match="does not hold this SR"):
        await room.driver.attach(room.repo)


# Names


async def test_names_of_any_characters_are_found_by_another_host(room: Room) -> None:
    disk = await new(room, name_label=STRANGE)
    await room.driver.set_names(room.repo, disk, STRANGE[::-1], STRANGE * 40)
    await room.driver.set_names(room.repo, None, STRANGE, "")

    (found,) = await room.other().scan(room.repo)
    assert (found.name_label, found.name_description) == (STRANGE[::-1], STRANGE * 40)
    looked = await room.other().probe(room.repo.device_config)
    assert isinstance(looked, FoundRepositories)
    assert [(each.uuid, each.name_label, each.name_description) for each in looked.repositories] == [
        (room.repo.uuid, STRANGE, "")
    ]
    await room.driver.set_names(room.repo, disk, "", "")
    (found,) = await room.driver.scan(room.repo)
    assert (found.name_label, found.name_description) == ("", "")


async def test_a_name_that_no_program_can_be_given_is_refused(room: Room) -> None:
    disk = await new(room)
    with pytest.raises(StorageError):
        await room.driver.set_names(room.repo, disk, "é" * 1_000_000, "")
    await room.assert_only(disk)


# Leftovers


async def test_a_scan_removes_what_crashes_left(room: Room) -> None:
    disk = await new(room)
    await room.leave(State.MAKING, State.GOING, State.GOING)
    await room.assert_only(disk)


async def test_what_a_crash_left_is_in_nobodys_way(room: Room) -> None:
    disk = await new(room)
    await new(room)
    left = (f"vdi-{(uuid := new_uuid())}", f"moving-{disk.uuid}", f"old-vdi-{disk.uuid}")
    await room.edit(*(Create(name, 8 * MIB, frozenset({State.MAKING})) for name in left))

    await room.driver.create_volume(room.repo, uuid, 8 * MIB)
    await room.driver.resize_volume(room.repo, disk, 16 * MIB)

    assert {logical.name for logical in (await room.group()).volumes} >= {f"vdi-{uuid}", f"vdi-{disk.uuid}"}
    assert len(await room.driver.scan(room.repo)) == len((await room.group()).volumes) == 3


async def test_a_disk_that_is_half_made_or_half_gone_cannot_be_used(room: Room) -> None:
    disk = await new(room)
    for state in State:
        await room.edit(editing.ChangeTags(disk.location, add=frozenset({state})))
        for call in (
            room.driver.open(room.repo, disk, writable=False),
            room.driver.stat_volume(room.repo, disk),
            room.driver.resize_volume(room.repo, disk, 16 * MIB),
            room.driver.clone_volume(room.repo, disk, new_uuid(), nothing),
            room.driver.set_names(room.repo, disk, "other", ""),
        ):
            with pytest.raises(VolumeNotFound):
                await call
        await room.edit(editing.ChangeTags(disk.location, remove=frozenset({state})))
    await room.assert_only(disk)


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.2])
async def test_a_scan_never_removes_a_disk_that_is_made_while_it_removes_others(room: Room, delay_s: float) -> None:
    await room.leave(State.GOING, State.MAKING)

    async def scan_later() -> None:
        await asyncio.sleep(delay_s)
        await room.driver.scan(room.repo)

    made, _ = await asyncio.gather(new(room), scan_later())

    await room.assert_only(made)


# The master


async def test_a_member_reads_everything_and_changes_nothing(room: Room) -> None:
    disk = await new(room)
    await room.leave(State.GOING)
    before = await room.group()
    for member in (room.other(), room.other(Mastery(refuses_after=0))):
        await member.attach(room.repo)
        assert await member.scan(room.repo) == (disk,)
        assert await member.stat_volume(room.repo, disk) == disk
        await member.open(room.repo, disk, writable=True)
        await member.close(room.repo, disk)
        for call in (
            member.create_volume(room.repo, new_uuid(), 8 * MIB),
            member.destroy_volume(room.repo, disk),
            member.resize_volume(room.repo, disk, 16 * MIB),
            member.clone_volume(room.repo, disk, new_uuid(), nothing),
            member.set_names(room.repo, disk, "other", ""),
            member.set_names(room.repo, None, "other", ""),
            member.create(room.at(overwrite="true")),
        ):
            with pytest.raises(StorageError, match="master"):
                await call
        with pytest.raises(StorageError):
            await member.destroy(room.repo)
        await member.detach(room.repo)
    assert await room.group() == before


Change = Callable[[Room, Volume], Coroutine[Any, Any, object]]

CHANGES: dict[str, Change] = {
    "create": lambda room, disk: room.driver.create_volume(room.repo, new_uuid(), 8 * MIB),
    "destroy": lambda room, disk: room.driver.destroy_volume(room.repo, disk),
    "grow": lambda room, disk: room.driver.resize_volume(room.repo, disk, 16 * MIB),
    "move": lambda room, disk: room.driver.resize_volume(room.repo, disk, 24 * MIB),
    "clone": lambda room, disk: room.driver.clone_volume(room.repo, disk, new_uuid(), nothing),
}


async def changing(room: Room) -> Volume:
    """A disk with 8 MiB free after it, and no more."""
    disk, gap, _ = [await new(room) for _ in range(3)]
    await room.driver.destroy_volume(room.repo, gap)
    await room.write(disk, b"\xaa" * (8 * MIB))
    return disk


async def sizes(room: Room) -> list[int]:
    return sorted(volume.virtual_size for volume in await room.driver.scan(room.repo))


async def assert_old_or_new(room: Room, disk: Volume, before: list[int], what: str) -> bool:
    """Whether the change was made; it was made or it was not, and nothing is left of it."""
    after = await sizes(room)
    new_sizes = {
        "create": sorted([*before, 8 * MIB]),
        "clone": sorted([*before, 8 * MIB]),
        "destroy": before[1:],
        "grow": sorted([*before[1:], 16 * MIB]),
        "move": sorted([*before[1:], 24 * MIB]),
    }[what]
    assert after in (before, new_sizes)
    assert len((await room.group()).volumes) == len(after)
    for volume in await room.driver.scan(room.repo):
        data = await room.read(volume)
        assert not any(data[8 * MIB :])
        assert data[: 8 * MIB] in (b"\xaa" * (8 * MIB), bytes(8 * MIB))
        assert volume.uuid != disk.uuid or data[0] == 0xAA
    return after == new_sizes


@pytest.mark.parametrize("what", CHANGES)
async def test_a_master_that_is_none_any_more_in_the_middle_leaves_the_old_or_the_new(room: Room, what: str) -> None:
    disk = await changing(room)
    await room.fill()
    before = await sizes(room)
    for refuses_after in range(40):
        room.mastery.begin(refuses_after)
        ended = await outcome(CHANGES[what](room, disk))
        room.mastery.begin()
        was_made = await assert_old_or_new(room, disk, before, what)
        if not isinstance(ended, StorageError):
            assert was_made
            return
        if was_made:
            assert what == "destroy"  # the rest of it is done by the next scan
            return
    pytest.fail("it asks without an end")


async def test_two_hosts_on_one_lun_see_at_once_what_the_other_did(room: Room) -> None:
    other = room.other()
    await other.attach(room.repo)
    for size in (8 * MIB, 16 * MIB):
        disk = await new(room, size)
        assert await other.open(room.repo, disk, writable=True) == await room.source(disk)
        await other.close(room.repo, disk)
        await room.driver.destroy_volume(room.repo, disk)
        with pytest.raises(VolumeNotFound):
            await other.open(room.repo, disk, writable=True)
    await other.detach(room.repo)


@pytest.mark.parametrize(("what", "question"), [("create", 3), ("destroy", 3), ("grow", 3)])
async def test_a_master_that_slept_over_its_end_destroys_nothing_of_the_next_ones(
    room: Room, what: str, question: int
) -> None:
    disk = await changing(room)
    next_one = room.other(Mastery())
    made: list[Volume] = []

    async def meanwhile() -> None:
        """Another host is the master by now, and all that was free or left belongs to its disks."""
        await next_one.scan(room.repo)
        if what == "grow":
            made.append(await next_one.resize_volume(room.repo, disk, 16 * MIB))
        else:
            made.append(await next_one.create_volume(room.repo, new_uuid(), 8 * MIB))
            made.append(await next_one.create_volume(room.repo, new_uuid(), 8 * MIB))
        for volume in made:
            source = await next_one.open(room.repo, volume, writable=True)
            await in_thread(room.lun.write, source.offset, b"\xbb" * volume.virtual_size)  # type: ignore[union-attr]
            await next_one.close(room.repo, volume)

    room.mastery.begin()
    room.mastery.when_asked[question] = meanwhile
    ended = await outcome(CHANGES[what](room, disk))

    assert isinstance(ended, StorageError)
    assert made
    for volume in made:
        assert set(await room.read(volume)) == {0xBB}
    await next_one.detach(room.repo)


async def test_a_copy_ends_when_its_host_is_no_master_any_more(room: Room) -> None:
    disk = await new(room, 96 * MIB)
    await room.write(disk, b"\xaa" * (96 * MIB))
    seen: list[float] = []

    def progress(fraction: float) -> None:
        seen.append(fraction)
        room.mastery.refuses_after = 0

    with pytest.raises(StorageError, match="master"):
        await room.driver.clone_volume(room.repo, disk, new_uuid(), progress)
    room.mastery.begin()
    assert 1.0 not in seen
    await room.assert_only(disk)


# Cancelled


@pytest.mark.parametrize("what", ["create", "clone", "move"])
async def test_a_cancelled_call_leaves_the_old_or_the_new(room: Room, what: str) -> None:
    disk = await changing(room)
    await room.fill()
    before = await sizes(room)
    chance = random.Random(what)
    for _ in range(3):
        call = asyncio.create_task(CHANGES[what](room, disk))
        await asyncio.sleep(chance.random() * 0.5)
        call.cancel()
        await asyncio.wait([call], timeout=LIMIT_S)
        if await assert_old_or_new(room, disk, before, what):
            return


# The way to it


async def test_a_password_is_there_as_long_as_the_sr_is_attached(tmp_path: Path) -> None:
    async with blank_room(tmp_path, "chap", CHAP) as room:
        wrong = room.at(chappassword="wrong-secret-12")
        with pytest.raises(StorageUnreachable) as refused:
            await room.driver.attach(wrong)
        assert refused.value.cause is Cause.LOGIN
        assert "secret" not in str(refused.value)
        file = chap_secrets.secret_file(room.repo.uuid)
        assert not file.exists()

        await room.driver.create(room.repo)
        await room.driver.attach(room.repo)
        assert (file.read_text(), file.stat().st_mode & 0o777) == (CHAP.password, 0o600)
        with pytest.raises(StorageUnreachable):
            await room.driver.attach(wrong)
        assert file.read_text() == CHAP.password
        await room.driver.attach(room.repo)
        disk = await new(room)
        await room.write(disk, b"\xaa" * (8 * MIB))
        copy = await room.driver.clone_volume(room.repo, disk, new_uuid(), nothing)
        assert set(await room.read(copy)) == {0xAA}
        await room.driver.detach(room.repo)
        assert not file.exists()


async def test_a_way_that_leads_nowhere_is_told_in_time(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lun_seats, "LOOK_S", 1.0)
    for lead, cause in (
        ({"port": "1"}, Cause.TARGET),
        ({"target": "nowhere.invalid"}, Cause.NAME),
        ({"targetIQN": f"{TARGETS}nothing"}, Cause.TARGET),
        ({"SCSIid": "3600000000000000000e0000000000dead"}, Cause.TARGET),
    ):
        driver = make_driver(room.place / new_uuid(), None)
        with pytest.raises(StorageUnreachable) as told:
            async with asyncio.timeout(LIMIT_S):
                await driver.attach(room.at(**lead))
        assert told.value.cause is cause
    with iscsi_link(portal().address, portal().port) as link:
        link.hold()
        with pytest.raises(StorageUnreachable) as told:
            async with asyncio.timeout(LIMIT_S):
                await make_driver(room.place / "held", None).attach(room.at(target="127.0.0.1", port=str(link.port)))
        assert told.value.cause is Cause.TARGET


async def test_after_a_lost_session_the_next_call_works(room: Room) -> None:
    with iscsi_link(portal().address, portal().port) as link:
        room.repo = room.at(target="127.0.0.1", port=str(link.port))
        await room.driver.attach(room.repo)
        disk = await new(room)
        for what in ("create", "grow", "clone", "destroy"):
            link.drop()
            await CHANGES[what](room, disk)
        assert len(await room.driver.scan(room.repo)) == len((await room.group()).volumes) == 2


@pytest.mark.parametrize("question", [2, 3, 5])
async def test_a_session_that_is_lost_in_the_middle_leaves_the_old_or_the_new(room: Room, question: int) -> None:
    with iscsi_link(portal().address, portal().port) as link:
        disk = await new(room)
        room.repo = room.at(target="127.0.0.1", port=str(link.port))

        async def drop() -> None:
            link.drop()

        for what in ("create", "clone"):
            room.mastery.begin()
            room.mastery.when_asked[question] = drop
            ended = await outcome(CHANGES[what](room, disk))
            room.mastery.when_asked.clear()
            assert isinstance(ended, Volume | StorageUnreachable)

            after = await new(room)  # what failed before is no matter of this call
            made = [ended] if isinstance(ended, Volume) else []
            await room.assert_only(disk, after, *made)
            for volume in (after, *made):
                await room.driver.destroy_volume(room.repo, volume)


class OfBefore(Sized):
    """A LUN as a session knows it that was opened before it grew."""

    def refresh(self) -> None:
        self._lun.refresh()
        self.size_bytes = self._lun.size_bytes

    def unmap(self, offset: int, length: int) -> None:
        self._lun.unmap(offset, length)

    @property
    def facts(self) -> LunFacts:
        return self._lun.facts

    def close(self) -> None:
        """The tests' own session goes on."""


async def test_a_host_whose_session_is_older_than_the_luns_new_size_opens_disks(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = await new(room)
    monkeypatch.setattr(lun_seats, "open_lun", lambda *_: OfBefore(room.lun, room.lun.size_bytes // 2))
    await room.other().open(room.repo, disk, writable=True)
