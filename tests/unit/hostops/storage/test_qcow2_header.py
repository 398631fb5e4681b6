"""The qcow2 header, from bytes written out here."""

import struct

import pytest

from cardume.hostops.storage.qcow2 import NotQcow2, parse_header

GIB = 1 << 30


def header(
    *, magic: bytes = b"QFI\xfb", version: int = 3, backing: int = 0, bits: int = 16, crypt: int = 0, features: int = 0
) -> bytes:
    """A header of a 10 GiB disk whose L1 table is 160 bytes at 192 KiB."""
    first = struct.pack(
        ">4sIQIIQIIQQIIQ", magic, version, backing, 0, bits, 10 * GIB, crypt, 20, 196608, 65536, 1, 0, 0
    )
    return first + struct.pack(">QQQII", features, 0, 0, 4, 104)


def test_a_header_tells_the_size_of_the_disk() -> None:
    parsed = parse_header(header())
    assert (parsed.version, parsed.virtual_size, parsed.cluster_size) == (3, 10 * GIB, 65536)
    parsed.assert_stands_alone(196768)


def test_version_2_has_no_feature_bits() -> None:
    parsed = parse_header(header(version=2, features=0xFF)[:72])
    assert (parsed.version, parsed.virtual_size, parsed.has_data_file) == (2, 10 * GIB, False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not begin"),
        (header(magic=b"VMDK"), "does not begin"),
        (header()[:60], "does not begin"),
        (header()[:90], "cut off"),
        (header(version=4), "version 4"),
        (header(bits=8), "clusters of 2"),
        (header(bits=22), "clusters of 2"),
        (header(features=1 << 5), "features that are not known: 0x20"),
    ],
)
def test_what_is_no_image_we_know_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(NotQcow2, match=reason):
        parse_header(data)


@pytest.mark.parametrize(
    ("data", "file_size", "reason"),
    [
        (header(backing=512), 1 << 20, "backing file"),
        (header(features=4), 1 << 20, "in another file"),
        (header(crypt=2), 1 << 20, "encrypted"),
        (header(), 196767, "its end is missing: 196767 bytes of at least 196768"),
    ],
)
def test_an_image_that_needs_more_than_itself_does_not_stand_alone(data: bytes, file_size: int, reason: str) -> None:
    parsed = parse_header(data)
    with pytest.raises(NotQcow2, match=reason):
        parsed.assert_stands_alone(file_size)
