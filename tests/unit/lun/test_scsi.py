"""Commands and answers, byte for byte."""

import pytest

from cardume.lun import scsi
from cardume.lun.errors import LunError
from cardume.lun.scsi import MIB, Limits

TGT_INQUIRY = bytes.fromhex(
    "000005123d00000246726565" + "4e415320" + "6953435349204469736b202020202020" + "30313233"
) + bytes(30)
TGT_LIMITS = bytes.fromhex("00b0003c0080") + bytes(14) + b"\xff" * 8 + bytes(36)


def test_commands_are_these_bytes() -> None:
    assert scsi.read(0x123456789, 8).hex() == "88000000000123456789000000080000"
    assert scsi.write(1, 8, fua=False).hex() == "8a000000000000000001000000080000"
    assert scsi.write(1, 8, fua=True).hex() == "8a080000000000000001000000080000"
    assert scsi.write_same(1, 2, unmap=True).hex() == "93080000000000000001000000020000"
    assert scsi.write_same(1, 2, unmap=False).hex() == "93000000000000000001000000020000"
    assert scsi.FLUSH.hex() == "35000000000000000000"
    assert scsi.READ_CAPACITY.hex() == "9e100000000000000000000000200000"
    assert scsi.REPORT_LUNS.hex() == "a00000000000000040000000"
    assert scsi.inquiry().hex() == "12000000fe00"
    assert scsi.inquiry(0x83).hex() == "12018300fe00"
    cdb, ranges = scsi.unmap(5, 6)
    assert cdb.hex() == "42000000000000001800"
    assert ranges.hex() == "0016001000000000" + "0000000000000005" + "00000006" + "00000000"


def test_what_tgt_says_it_is() -> None:
    said = scsi.parse_inquiry(TGT_INQUIRY)

    assert said.is_disk
    assert (said.vendor, said.product, said.revision) == (b"FreeNAS ", b"iSCSI Disk      ", b"0123")


@pytest.mark.parametrize(
    ("first", "is_disk"), [(0x00, True), (0x0C, False), (0x05, False), (0x7F, False), (0x20, False)]
)
def test_only_a_disk_that_is_there_is_one(first: int, is_disk: bool) -> None:
    assert scsi.parse_inquiry(bytes((first,)) + TGT_INQUIRY[1:]).is_disk is is_disk


def test_an_answer_that_is_too_short_is_refused() -> None:
    for parse in (scsi.parse_inquiry, scsi.parse_capacity):
        with pytest.raises(LunError):
            parse(bytes(12))


def test_a_capacity_is_the_last_block_and_one() -> None:
    capacity = scsi.parse_capacity((0x9FFFFFF).to_bytes(8, "big") + (512).to_bytes(4, "big") + b"\0\0\xc0" + bytes(17))

    assert (capacity.size_bytes, capacity.block_bytes, capacity.is_thin) == (80 << 30, 512, True)


@pytest.mark.parametrize("block_bytes", [0, 256, 520, 4097])
def test_odd_blocks_are_refused(block_bytes: int) -> None:
    with pytest.raises(LunError):
        scsi.parse_capacity(bytes(8) + block_bytes.to_bytes(4, "big") + bytes(20))


def limits_page(transfer: int, unmapped: int, same: int) -> bytes:
    page = bytearray(64)
    page[1], page[3] = 0xB0, 0x3C
    page[8:12], page[20:24], page[36:44] = (
        transfer.to_bytes(4, "big"),
        unmapped.to_bytes(4, "big"),
        same.to_bytes(8, "big"),
    )
    return bytes(page)


@pytest.mark.parametrize(
    ("page", "limits"),
    [
        (b"", Limits(MIB, 256 * MIB, 256 * MIB)),
        (TGT_LIMITS, Limits(MIB, 256 * MIB, 256 * MIB)),
        (limits_page(64, 128, 256), Limits(32 << 10, 64 << 10, 128 << 10)),
        (limits_page(1 << 20, 0, 1 << 40), Limits(MIB, 256 * MIB, 256 * MIB)),
        (limits_page(64, 128, 256)[:24], Limits(32 << 10, 64 << 10, 256 * MIB)),
        (b"\0\x80" + limits_page(64, 128, 256)[2:], Limits(MIB, 256 * MIB, 256 * MIB)),
    ],
)
def test_the_targets_limits_hold_and_ours_where_it_has_none(page: bytes, limits: Limits) -> None:
    assert scsi.parse_limits(page, 512) == limits


@pytest.mark.parametrize(
    ("entries", "luns"),
    [
        (("0000000000000000", "0001000000000000"), (0, 1)),
        (("00ff000000000000", "4100000000000000"), (255, 256)),
        (("4001000000000000", "0002000000000000"), (1, 2)),
        (("c101000000000000", "0101000000000000", "8001000000000000"), ()),
        ((), ()),
    ],
)
def test_luns_are_listed_by_their_numbers(entries: tuple[str, ...], luns: tuple[int, ...]) -> None:
    answer = (8 * len(entries)).to_bytes(4, "big") + bytes(4) + bytes.fromhex("".join(entries))
    assert scsi.parse_luns(answer) == luns
    assert scsi.parse_luns(answer + bytes(5)) == luns


def test_a_list_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    assert scsi.parse_luns(b"\0\0\0\x18" + bytes(4) + bytes.fromhex("0001000000000000" + "0002000000")) == (1,)
    assert scsi.parse_luns(b"") == ()


def test_a_lun_is_named_as_targets_expect_it() -> None:
    assert [scsi.on_the_wire(lun) for lun in (0, 1, 255, 256)] == [0, 1, 255, 0x4100]


def test_pages_are_those_that_page_0_lists() -> None:
    assert scsi.parse_pages(bytes.fromhex("00000006008083b0b1b2")) == {0, 0x80, 0x83, 0xB0, 0xB1, 0xB2}
    assert scsi.parse_pages(TGT_INQUIRY[:4]) == frozenset()
    assert scsi.parse_pages(b"") == frozenset()
