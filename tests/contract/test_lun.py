"""What a LUN promises, on memory, on a block device, and on the storage server's target over iSCSI.

Over iSCSI all of it is done on LUN 2 of the target `scratch`, which is left as zeros.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.iscsi_link import IscsiLink, iscsi_link

from cardume.lun.block import BlockLun
from cardume.lun.errors import (
    AddressUnknown,
    LunError,
    LunLoginRefused,
    LunNotFound,
    LunUnreachable,
    TargetNotFound,
)
from cardume.lun.interface import Lun
from cardume.lun.memory import MemoryLun
from cardume.lun.userspace import Chap, Login, Portal, UserspaceLun, discover, list_luns, open_lun

MIB = 1 << 20
TARGETS = "iqn.2005-10.org.freenas.cttl:"
SCRATCH, SCRATCH_LUN, SCRATCH_BYTES = f"{TARGETS}scratch", 2, 256 * MIB
LOGIN = Login("iqn.2026-01.org.cardume:contract")
CHAP = Chap("cardume", "chap-secret-12")
MUTUAL = Chap("freenas", "mutual-secret-34")
SHORT_S = 4.0
SLACK_S = 20.0
"""How much later than its bound a call may end on a machine that does other things as well."""

needs_loop = pytest.mark.inside_host("CARDUME_CONTRACT_LUN")
needs_iscsi = pytest.mark.inside_host("CARDUME_CONTRACT_ISCSI")


@dataclass(frozen=True)
class Room:
    """A LUN of at least 64 MiB of zeros, another way to the same one (not in memory), and the file that is under it."""

    lun: Lun
    other: Lun
    file: Path | None = None


def portal() -> Portal:
    return Portal.of_text(os.environ["CARDUME_CONTRACT_ISCSI"])


def losetup(*arguments: str) -> str:
    return subprocess.run(
        ("losetup", *arguments), check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


def memory_room() -> Iterator[Room]:
    lun = MemoryLun(64 * MIB)
    yield Room(lun, lun)


def block_room(tmp_path: Path) -> Iterator[Room]:
    file = tmp_path / "lun.img"
    with file.open("wb") as made:
        made.truncate(64 * MIB)
    device = losetup("--find", "--show", str(file))
    try:
        lun, other = BlockLun(device), BlockLun(device)
        yield Room(lun, other, file)
        lun.close()
        other.close()
    finally:
        losetup("--detach", device)


def iscsi_room() -> Iterator[Room]:
    lun = open_lun(portal(), SCRATCH, SCRATCH_LUN, LOGIN, timeout_s=SLACK_S)
    other = open_lun(portal(), SCRATCH, SCRATCH_LUN, LOGIN, timeout_s=SLACK_S)
    lun.write_zeros(0, lun.size_bytes)
    yield Room(lun, other)
    other.write_zeros(0, other.size_bytes)
    lun.close()
    other.close()


@pytest.fixture(
    params=["memory", pytest.param("block", marks=needs_loop), pytest.param("iscsi", marks=needs_iscsi)],
)
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    match request.param:
        case "memory":
            yield from memory_room()
        case "block":
            yield from block_room(tmp_path)
        case _:
            yield from iscsi_room()


# Every LUN


def test_what_was_written_is_read_in_any_length_and_nothing_else_changed(room: Room) -> None:
    data = os.urandom(3 * MIB + 512)
    room.lun.write(MIB - 512, data)

    assert room.lun.read(MIB - 512, len(data)) == data
    assert room.lun.read(2 * MIB, 1024) == data[MIB + 512 : MIB + 1536]
    assert room.lun.read(0, MIB - 512) == bytes(MIB - 512)
    assert not any(room.lun.read(MIB - 512 + len(data), MIB))


def test_another_one_reads_at_once_what_was_written(room: Room) -> None:
    for round in range(3):
        room.lun.write(4096, bytes((round + 1,)) * 4096, fua=bool(round % 2))
        assert room.other.read(4096, 4096) == bytes((round + 1,)) * 4096
    room.lun.flush()


def test_a_range_of_zeros_reads_as_zeros_and_its_neighbours_stay(room: Room) -> None:
    room.lun.write(0, b"\xaa" * (8 * MIB))
    room.lun.write_zeros(MIB + 512, 5 * MIB + 512)
    room.lun.flush()

    data = room.other.read(0, 8 * MIB)
    assert data[: MIB + 512] == b"\xaa" * (MIB + 512)
    assert data[MIB + 512 : 6 * MIB + 1024] == bytes(5 * MIB + 512)
    assert data[6 * MIB + 1024 :] == b"\xaa" * (2 * MIB - 1024)


def test_zeros_give_space_back(room: Room) -> None:
    if room.file is None:
        assert room.lun.facts.is_thin
        return
    room.lun.write(0, b"\xaa" * (8 * MIB))
    room.lun.flush()
    taken = room.file.stat().st_blocks * 512
    room.lun.write_zeros(0, 8 * MIB)
    room.lun.flush()

    assert taken >= 8 * MIB
    assert room.file.stat().st_blocks * 512 < MIB


def test_unmap_touches_nothing_outside_its_range(room: Room) -> None:
    room.lun.write(0, b"\xaa" * (4 * MIB))
    room.lun.unmap(MIB, 2 * MIB)

    assert room.lun.read(0, MIB) == b"\xaa" * MIB
    assert room.lun.read(3 * MIB, MIB) == b"\xaa" * MIB


@pytest.mark.parametrize(("offset", "length"), [(1, 512), (0, 511), (512, 513), (-1, 512)])
def test_what_is_no_whole_block_is_refused(room: Room, offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="no whole blocks"):
        room.lun.read(offset, length)
    with pytest.raises(ValueError, match="no whole blocks"):
        room.lun.write(offset, b"\xaa" * length)
    with pytest.raises(ValueError, match="no whole blocks"):
        room.lun.write_zeros(offset, length)
    with pytest.raises(ValueError, match="no whole blocks"):
        room.lun.unmap(offset, length)
    assert room.lun.read(0, 4096) == bytes(4096)


def test_what_is_not_inside_is_refused_before_any_of_it_is_done(room: Room) -> None:
    end = room.lun.size_bytes
    with pytest.raises(LunError, match="not inside"):
        room.lun.write(end - 512, b"\xaa" * 1024)
    for call in (room.lun.read, room.lun.write_zeros, room.lun.unmap):
        with pytest.raises(LunError, match="not inside"):
            call(end - 512, 1024)
        with pytest.raises(LunError, match="not inside"):
            call(-512, 1024)
    assert room.lun.read(end - 512, 512) == bytes(512)


def test_nothing_is_read_and_written_as_well(room: Room) -> None:
    assert room.lun.read(4096, 0) == b""
    room.lun.write(4096, b"")
    room.lun.write_zeros(4096, 0)
    room.lun.unmap(4096, 0)


def test_a_lun_knows_its_size_and_asks_for_it_again(room: Room) -> None:
    before = room.lun.facts
    assert (before.size_bytes, before.block_bytes) == (room.lun.size_bytes, room.lun.block_bytes)
    assert room.lun.block_bytes == 512
    room.lun.refresh()
    assert room.lun.facts == before


def test_a_closed_lun_does_nothing_any_more(room: Room) -> None:
    room.lun.close()
    room.lun.close()
    with pytest.raises(LunError, match="closed"):
        room.lun.read(0, 512)
    with pytest.raises(LunError, match="closed"):
        room.lun.write(0, bytes(512))


@needs_loop
def test_a_device_that_has_grown_is_larger_after_refresh(tmp_path: Path) -> None:
    for room in block_room(tmp_path):
        assert room.file is not None
        os.truncate(room.file, 65 * MIB)
        device = losetup("--noheadings", "--output", "NAME", "--associated", str(room.file))
        losetup("--set-capacity", device)
        assert room.lun.size_bytes == 64 * MIB
        room.lun.refresh()
        assert room.lun.size_bytes == 65 * MIB
        room.lun.write(64 * MIB, b"\xaa" * 512)


# Finding one over iSCSI


@needs_iscsi
def test_a_portal_tells_its_targets_and_a_target_its_luns() -> None:
    targets = discover(portal(), LOGIN)
    assert {f"{TARGETS}{name}" for name in ("lun1", "scratch", "chap", "mutual")} <= {each.iqn for each in targets}
    assert {each.portals for each in targets} == {(portal(),)}

    (found,) = list_luns(portal(), f"{TARGETS}lun1", LOGIN)
    assert found.lun == 1
    assert (found.facts.vendor, found.facts.product) == ("FreeNAS", "iSCSI Disk")
    assert (found.facts.serial, found.facts.scsi_id) == ("080027f9441700", "360000000000000000e00000000010001")
    assert (found.facts.size_bytes, found.facts.block_bytes, found.facts.is_thin) == (80 << 30, 512, True)

    sizes = [(found.lun, found.facts.size_bytes) for found in list_luns(portal(), SCRATCH, LOGIN)]
    assert sizes == [(1, 1 << 30), (SCRATCH_LUN, SCRATCH_BYTES)]


@needs_iscsi
@pytest.mark.parametrize(
    ("name", "chap", "mutual"),
    [("chap", CHAP, None), ("mutual", CHAP, MUTUAL), ("mutual", CHAP, None), ("scratch", CHAP, None)],
)
def test_who_proves_himself_is_let_in(name: str, chap: Chap, mutual: Chap | None) -> None:
    login = Login(LOGIN.initiator, chap, mutual)
    assert list_luns(portal(), f"{TARGETS}{name}", login)
    assert len(discover(portal(), login)) >= 4
    lun = open_lun(portal(), f"{TARGETS}{name}", 1, login)
    assert len(lun.read(0, 512)) == 512
    lun.close()


@needs_iscsi
@pytest.mark.parametrize(
    ("name", "chap", "mutual"),
    [
        ("chap", None, None),
        ("chap", Chap("cardume", "wrong-secret-12"), None),
        ("chap", Chap("nobody", "chap-secret-12"), None),
        ("mutual", CHAP, Chap("freenas", "wrong-secret-34")),
        ("mutual", CHAP, Chap("nobody", "mutual-secret-34")),
        ("scratch", CHAP, MUTUAL),  # a target that does not prove itself where that is wanted
    ],
)
def test_who_does_not_is_refused_and_no_password_is_told(name: str, chap: Chap | None, mutual: Chap | None) -> None:
    login = Login(LOGIN.initiator, chap, mutual)
    with pytest.raises(LunLoginRefused) as listing:
        list_luns(portal(), f"{TARGETS}{name}", login)
    with pytest.raises(LunLoginRefused) as opening:
        open_lun(portal(), f"{TARGETS}{name}", 1, login)
    for refused in (listing, opening):
        assert "secret" not in str(refused.value)


@needs_iscsi
def test_what_is_not_there_is_told_apart() -> None:
    with pytest.raises(TargetNotFound):
        list_luns(portal(), f"{TARGETS}nothing", LOGIN)
    for number in (0, 7, 300):  # 0 is the target's controller
        with pytest.raises(LunNotFound):
            open_lun(portal(), SCRATCH, number, LOGIN)
    with pytest.raises(LunUnreachable, match="refused"):
        discover(Portal("127.0.0.1", 1), LOGIN)
    with pytest.raises(AddressUnknown):
        discover(Portal("nowhere.invalid"), LOGIN)


# When the network or the session goes


@dataclass(frozen=True)
class Far:
    """A LUN behind a link that fails, and the same one without it."""

    link: IscsiLink
    lun: UserspaceLun
    direct: Lun


@pytest.fixture
def far() -> Iterator[Far]:
    for room in iscsi_room():
        with iscsi_link(portal().address, portal().port) as link:
            lun = open_lun(Portal("127.0.0.1", link.port), SCRATCH, SCRATCH_LUN, LOGIN, timeout_s=SHORT_S)
            yield Far(link, lun, room.other)
            lun.close()


@needs_iscsi
def test_a_read_finds_its_lost_session_again(far: Far) -> None:
    far.direct.write(0, b"\xaa" * 512)
    far.link.drop()
    assert far.lun.read(0, 512) == b"\xaa" * 512
    assert far.link.accepted == 2


@needs_iscsi
def test_a_write_on_a_lost_session_is_told_and_the_next_one_is_done(far: Far) -> None:
    far.link.drop()
    with pytest.raises(LunUnreachable):
        far.lun.write(0, b"\xaa" * 512)
    assert far.direct.read(0, 512) == bytes(512)
    far.lun.write(0, b"\xbb" * 512)
    assert far.direct.read(0, 512) == b"\xbb" * 512


@needs_iscsi
def test_a_session_that_died_while_nobody_called_costs_no_write(far: Far) -> None:
    far.link.drop()
    time.sleep(5)
    far.lun.write(0, b"\xaa" * 512)
    assert far.direct.read(0, 512) == b"\xaa" * 512


@needs_iscsi
def test_every_call_ends_in_time_when_nothing_answers(far: Far) -> None:
    far.link.hold()
    calls = (
        lambda: far.lun.read(0, 512),  # on the session there is
        lambda: far.lun.write(0, bytes(512)),  # and these in vain want another
        lambda: far.lun.write_zeros(0, MIB),
        far.lun.flush,
        far.lun.refresh,
        lambda: discover(Portal("127.0.0.1", far.link.port), LOGIN, timeout_s=SHORT_S),
        lambda: list_luns(Portal("127.0.0.1", far.link.port), SCRATCH, LOGIN, timeout_s=SHORT_S),
    )
    for call in calls:
        began = time.monotonic()
        with pytest.raises(LunUnreachable):
            call()
        assert time.monotonic() - began < SHORT_S + SLACK_S
    far.link.admit()
    assert far.lun.read(0, 512) == bytes(512)


@pytest.fixture
def far_with_chap() -> Iterator[Far]:
    login = Login(LOGIN.initiator, CHAP)
    direct = open_lun(portal(), f"{TARGETS}chap", 1, login, timeout_s=SLACK_S)
    try:
        with iscsi_link(portal().address, portal().port) as link:
            lun = open_lun(Portal("127.0.0.1", link.port), f"{TARGETS}chap", 1, login, timeout_s=SHORT_S)
            yield Far(link, lun, direct)
            lun.close()
    finally:
        direct.write_zeros(0, direct.size_bytes)
        direct.close()


@needs_iscsi
def test_a_write_that_was_given_up_is_never_done_after_a_later_one(far_with_chap: Far) -> None:
    # With CHAP: tgt forgets to look for the older session of the same name when there is nothing to prove.
    link, lun = far_with_chap.link, far_with_chap.lun
    link.hold()
    with pytest.raises(LunUnreachable):
        lun.write(0, b"\x01" * 4096, fua=True)
    link.admit()
    lun.write(0, b"\x02" * 4096, fua=True)

    assert link.release() > 4096
    time.sleep(1.0)
    assert far_with_chap.direct.read(0, 4096) == b"\x02" * 4096


@needs_iscsi
def test_a_flush_does_not_speak_for_writes_of_a_session_that_was_lost(far: Far) -> None:
    far.lun.write(0, b"\xaa" * 512)
    far.link.drop()
    far.lun.read(0, 512)
    with pytest.raises(LunUnreachable, match="since the last flush"):
        far.lun.flush()
    far.lun.flush()

    far.lun.write(0, b"\xbb" * 512, fua=True)
    far.link.drop()
    far.lun.read(0, 512)
    far.lun.flush()  # what was written with FUA needs none
