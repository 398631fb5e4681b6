"""A LUN's name is what udev's scsi_id prints, from the bytes that LUNs really send."""

import pytest

from cardume.lun.identity import designators, scsi_id, serial_number, text

VENDOR, PRODUCT = b"FreeNAS ", b"iSCSI Disk      "
TGT_83 = bytes.fromhex(
    "00830048"
    "02010024"
    + "4945542020202020"
    + "3030303130303031"
    + "00" * 20
    + "01030008"
    + "3000000100000001"
    + "01030010"
    + "60000000000000000e00000000010001"
)
TGT_80 = bytes.fromhex("00800024") + b"080027f9441700".rjust(36)


def page_83(*names: bytes) -> bytes:
    body = b"".join(names)
    return b"\0\x83" + len(body).to_bytes(2, "big") + body


def name(kind: int, content: bytes, *, code_set: int = 1, association: int = 0) -> bytes:
    return bytes((code_set, association << 4 | kind, 0, len(content))) + content


NAA_LOCAL = name(3, bytes.fromhex("3000000100000001"))
NAA_5 = name(3, bytes.fromhex("5000c500a1b2c3d4"))
NAA_6 = name(3, bytes.fromhex("6589cfc000000f00ba7e5a3c1d2e4f60"))
EUI = name(2, bytes.fromhex("0002c9030005a1b2"))
T10 = name(1, b"FreeNAS iSCSI Disk      080027f9441700", code_set=2)
OWN = name(0, b"disk-7", code_set=2)


@pytest.mark.parametrize(
    ("names", "printed"),
    [
        ((NAA_6,), "36589cfc000000f00ba7e5a3c1d2e4f60"),
        ((NAA_5,), "35000c500a1b2c3d4"),
        ((T10, NAA_LOCAL), "33000000100000001"),
        ((NAA_LOCAL, NAA_5, NAA_6), "36589cfc000000f00ba7e5a3c1d2e4f60"),
        ((NAA_LOCAL, NAA_5), "35000c500a1b2c3d4"),
        ((T10, EUI), "20002c9030005a1b2"),
        ((OWN, T10), "1FreeNAS iSCSI Disk      080027f9441700"),
        ((OWN,), "0FreeNAS iSCSI Disk      disk-7"),
        ((name(1, b"ACME    7\0\0\0", code_set=2),), "1ACME    7"),
        ((name(3, b"6589cfc000000f00", code_set=2), NAA_5), "35000c500a1b2c3d4"),
        ((name(3, bytes.fromhex("5000c500a1b2c3d5"), association=1), EUI), "20002c9030005a1b2"),
        ((name(3, bytes.fromhex("5000c500a1b2c3d5"), association=2),), "S" + "FreeNAS iSCSI Disk      " + "42"),
        ((name(4, b"\0\0\0\1"), name(8, b"iqn.x", code_set=3)), "S" + "FreeNAS iSCSI Disk      " + "42"),
        ((), "S" + "FreeNAS iSCSI Disk      " + "42"),
    ],
)
def test_the_best_name_is_taken_as_udev_takes_it(names: tuple[bytes, ...], printed: str) -> None:
    assert scsi_id(VENDOR, PRODUCT, page_83(*names), b"\0\x80\0\x0242") == printed


def test_what_tgt_sends() -> None:
    assert len(TGT_83) == 0x48 + 4
    assert [(each.kind, each.content[:4]) for each in designators(TGT_83)] == [
        (1, b"IET "),
        (3, b"\x30\0\0\1"),
        (3, b"\x60\0\0\0"),
    ]
    assert scsi_id(VENDOR, PRODUCT, TGT_83, TGT_80) == "360000000000000000e00000000010001"
    assert serial_number(TGT_80) == "080027f9441700"


def test_without_page_83_the_serial_number_is_the_name_padded_as_it_is_sent() -> None:
    assert scsi_id(VENDOR, PRODUCT, b"", TGT_80) == "SFreeNAS iSCSI Disk      " + "080027f9441700".rjust(36)


def test_a_page_from_before_spc_2_is_one_bare_name() -> None:
    assert scsi_id(VENDOR, PRODUCT, bytes.fromhex("0083000a60060480000190300100"), b"") == "360060480000190300100"


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\0\x83\0",
        b"\0\x83\0\0",
        b"\0\x80\0\x0c" + NAA_5,
        page_83(NAA_5)[:-1],
        b"\0\x83\xff\xff" + bytes(300),
    ],
)
def test_a_page_that_says_nothing_names_nothing(page: bytes) -> None:
    assert scsi_id(VENDOR, PRODUCT, page, b"") == ""


def test_a_field_is_read_without_its_padding() -> None:
    assert (text(b"iSCSI Disk      "), text(b"0123"), text(b"ab\0\0"), text(b"\xff ")) == (
        "iSCSI Disk",
        "0123",
        "ab",
        "�",
    )
