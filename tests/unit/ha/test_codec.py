"""Bytes of what hosts tell each other: what goes in comes out, and what is broken is refused."""

import pytest

from cardume.ha import codec
from cardume.ha.codec import BadBlock
from cardume.ha.crc32c import crc32c
from cardume.ha.layout import Layout
from cardume.ha.records import (
    NO_BALLOT,
    Aside,
    Ballot,
    BallotBlock,
    Datagram,
    EpochKind,
    EpochRecord,
    Heard,
    HostEntry,
    Reason,
    Slot,
    SlotState,
    Superblock,
    no_epoch,
)
from cardume.ha.superblock import decode_superblock, encode_superblock

GENERATION = "00112233-4455-6677-8899-aabbccddeeff"
BOOT = "b0000000-0000-4000-8000-000000000001"
EPOCH = EpochRecord(
    number=7,
    kind=EpochKind.RUNNING,
    live=frozenset({0, 2}),
    lives=(3, 1, 9),
    unproven=frozenset({1}),
    master=2,
    witness=None,
    reason=Reason.UPLINK,
    about=frozenset({1}),
)
SLOT = Slot(
    GENERATION, 2, BOOT, 9, 123_456_789, SlotState.MEMBER, EPOCH, 5, 0b100, False, 3, (0, 8, 255), Aside(7, 1 << 40)
)
BLOCK = BallotBlock(GENERATION, 2, 7, Ballot(4, 2, 9), Ballot(3, 0, 3), EPOCH, 1, 0b10)
DATAGRAM = Datagram(
    GENERATION,
    2,
    BOOT,
    9,
    5_000_000,
    SlotState.MEMBER,
    EPOCH,
    (Heard(3, 17, 250), Heard(), Heard()),
    4_900_000,
    True,
    1,
)


def test_the_checksum_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE306_9283


def test_a_slot_is_one_sector_with_these_bytes() -> None:
    data = codec.encode_slot(SLOT)
    assert len(data) == 512
    assert data[:64].hex() == (
        "43415244736c743100112233445566778899aabbccddeeff0205040200000000b000000000004000800000000000000109000000"
        "15cd5b070000000003000000"
    )
    assert data[64:104].hex() == "07000000000000000002ff060000000005000000000000000200000000000000" + "0200000000000000"
    assert data[104:116].hex() == "030000000100000009000000"
    assert data[360:363].hex() == "0008ff"
    assert data[424:440].hex() == "0700000000000000" + "0000000000010000"
    assert codec.decode_slot(data, 3) == SLOT


def test_a_sector_of_a_large_block_device_fills_its_block() -> None:
    data = codec.encode_slot(SLOT, 4096)
    assert (len(data), codec.decode_slot(data, 3)) == (4096, SLOT)


@pytest.mark.parametrize("at", [0, 9, 60, 200, 511])
def test_a_sector_with_a_changed_byte_is_refused(at: int) -> None:
    data = bytearray(codec.encode_slot(SLOT))
    data[at] ^= 1
    with pytest.raises(BadBlock):
        codec.decode_slot(bytes(data), 3)


def test_hosts_beyond_the_table_are_refused() -> None:
    with pytest.raises(BadBlock, match="beyond the table of 2"):
        codec.decode_slot(codec.encode_slot(SLOT), 2)


@pytest.mark.parametrize("block", [BLOCK, BallotBlock(GENERATION, 0, 1, Ballot(1, 0, 1))])
def test_a_ballot_block_comes_back(block: BallotBlock) -> None:
    assert codec.decode_ballot(codec.encode_ballot(block), 3) == block


def test_a_ballot_for_another_number_than_its_value_is_refused() -> None:
    wrong = BallotBlock(GENERATION, 2, 8, Ballot(4, 2, 9), Ballot(3, 0, 3), EPOCH, 1)
    with pytest.raises(BadBlock, match="epoch 7 in a ballot for 8"):
        codec.decode_ballot(codec.encode_ballot(wrong), 3)


def test_a_datagram_comes_back_and_sixty_four_hosts_fit_one_packet() -> None:
    assert codec.decode_datagram(codec.encode_datagram(DATAGRAM), 3) == DATAGRAM
    everybody = Datagram(GENERATION, 63, BOOT, 1, 1, SlotState.MEMBER, no_epoch(64), (Heard(1, 2, 3),) * 64)
    assert len(codec.encode_datagram(everybody)) == 1384 <= codec.MAX_DATAGRAM_BYTES


@pytest.mark.parametrize("cut", [0, 3, 50, -1])
def test_a_datagram_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(BadBlock):
        codec.decode_datagram(codec.encode_datagram(DATAGRAM)[:cut], 3)


def test_the_newest_valid_sector_of_an_area_counts() -> None:
    def slot(life: int, number: int, sector: int, host: int = 2) -> bytes:
        return codec.encode_slot(Slot(GENERATION, host, BOOT, life, number, SlotState.MEMBER, EPOCH, sector))

    stray, torn = slot(99, 1, 0, host=1), slot(98, 1, 1)[:-1] + b"x"
    misplaced = slot(97, 1, 7)
    area = stray + torn + misplaced + slot(4, 900, 3) + slot(5, 10, 4) + slot(5, 11, 5) + bytes(1024)
    newest = codec.decode_slot_area(area, host=2, hosts=3, generation=GENERATION, unit_bytes=512)
    assert newest is not None
    assert (newest.life, newest.number) == (5, 11)
    other = "ffffffff-4455-6677-8899-aabbccddeeff"
    assert codec.decode_slot_area(area, host=2, hosts=3, generation=other, unit_bytes=512) is None


def test_ballot_sectors_of_an_area_are_one_block() -> None:
    young = BallotBlock(GENERATION, 2, 7, Ballot(5, 2, 10), NO_BALLOT, None, 0)
    area = codec.encode_ballot(young) + codec.encode_ballot(BLOCK) + bytes(6 * 512)
    merged = codec.decode_ballot_area(area, host=2, hosts=3, generation=GENERATION, unit_bytes=512)
    assert merged is not None
    assert (merged.mbal, merged.bal, merged.value) == (Ballot(5, 2, 10), Ballot(3, 0, 3), EPOCH)


def test_the_superblock_can_be_read_by_a_person() -> None:
    superblock = Superblock(
        GENERATION,
        "36005",
        512,
        "lab",
        (HostEntry(GENERATION, ("10.0.0.1", "10.0.1.1")), HostEntry(BOOT, ("10.0.0.2",))),
    )
    data = encode_superblock(superblock)
    assert b'"scsi_id":"36005","unit_bytes":512,"profile":"lab"' in data
    assert decode_superblock(data) == superblock
    with pytest.raises(BadBlock, match="checksum"):
        decode_superblock(data.replace(b"lab", b"lob"))


def test_a_table_that_is_not_sorted_is_refused() -> None:
    hosts = (HostEntry(BOOT, ("10.0.0.1",)), HostEntry(GENERATION, ("10.0.0.2",)))
    with pytest.raises(BadBlock, match="not sorted"):
        encode_superblock(Superblock(GENERATION, "36005", 512, "lab", hosts))


@pytest.mark.parametrize(("unit", "size"), [(512, 1_114_112), (4096, 8_454_144)])
def test_areas_follow_one_another_without_overlap(unit: int, size: int) -> None:
    layout = Layout(unit)
    assert layout.slot_offset(63, 7) + unit == layout.ballot_offset(0, 0)
    assert layout.ballot_offset(63, 7) + unit == layout.black_boxes_offset
    assert layout.size_bytes == size
