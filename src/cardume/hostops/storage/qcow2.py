"""The header of a qcow2 image, read without QEMU: how large the disk is, and whether the file stands on its own."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"QFI\xfb"
_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_EXTERNAL_DATA_FILE = 1 << 2
_KNOWN_INCOMPATIBLE = 0b11111  # dirty, corrupt, external data file, compression type, extended L2


class NotQcow2(ValueError):
    """The file is no qcow2 image, or one that cannot be used alone; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image say."""

    version: int
    virtual_size: int
    cluster_size: int
    has_backing_file: bool
    has_data_file: bool
    encrypted: bool
    least_file_size: int  # a shorter file was cut off

    def assert_stands_alone(self, file_size: int) -> None:
        """Raise NotQcow2 for an image that would pull in another file, or whose end is missing.

        A backing or data file named in an image from outside could show any file of the host to a guest.
        """
        if self.has_backing_file:
            raise NotQcow2("it names a backing file")
        if self.has_data_file:
            raise NotQcow2("its data are in another file")
        if self.encrypted:
            raise NotQcow2("it is encrypted")
        if file_size < self.least_file_size:
            raise NotQcow2(f"its end is missing: {file_size} bytes of at least {self.least_file_size}")


def parse_header(data: bytes) -> Header:
    """The header in the first 104 bytes of a file."""
    if len(data) < _V2.size or data[:4] != MAGIC:
        raise NotQcow2("it does not begin as a qcow2 image does")
    (_, version, backing_offset, _, cluster_bits, size, crypt, l1_entries, l1_offset, *_rest) = _V2.unpack_from(data)
    if version not in (2, 3):
        raise NotQcow2(f"qcow2 version {version} is not known")
    if not 9 <= cluster_bits <= 21:
        raise NotQcow2(f"clusters of 2^{cluster_bits} bytes cannot be")
    incompatible = 0
    if version == 3:
        if len(data) < _V2.size + _V3.size:
            raise NotQcow2("its header is cut off")
        incompatible = _V3.unpack_from(data, _V2.size)[0]
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise NotQcow2(f"it uses features that are not known: {incompatible:#x}")
    return Header(
        version=version,
        virtual_size=size,
        cluster_size=1 << cluster_bits,
        has_backing_file=backing_offset != 0,
        has_data_file=bool(incompatible & _EXTERNAL_DATA_FILE),
        encrypted=crypt != 0,
        least_file_size=l1_offset + 8 * l1_entries,
    )


def read_virtual_size(file: BinaryIO) -> int:
    """The size of the disk in an image that stands alone; NotQcow2 otherwise."""
    header = parse_header(file.read(_V2.size + _V3.size))
    header.assert_stands_alone(os.fstat(file.fileno()).st_size)
    return header.virtual_size
