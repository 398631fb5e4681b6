"""The header of a qcow2 image, read without QEMU: how large the disk is, and on which other image it stands."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

MAGIC = b"QFI\xfb"
_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_BACKING_FORMAT = 0xE2792ACA
_END_OF_EXTENSIONS = 0
_LONGEST_NAME = 1023
_CORRUPT, _EXTERNAL_DATA_FILE, _COMPRESSION_TYPE, _EXTENDED_TABLES = 1 << 1, 1 << 2, 1 << 3, 1 << 4
_COMPRESSION_AT = 104
_KNOWN_INCOMPATIBLE = 0b11111  # dirty, corrupt, external data file, compression type, extended L2


class Compression(IntEnum):
    """How an image's compressed clusters are packed."""

    DEFLATE = 0
    ZSTD = 1


class NotQcow2(ValueError):
    """The file is no qcow2 image, or one that cannot be used alone; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image say."""

    version: int
    header_length: int
    backing_offset: int
    backing_length: int
    virtual_size: int
    cluster_size: int
    has_data_file: bool
    encrypted: bool
    least_file_size: int  # a shorter file was cut off
    l1_offset: int
    l1_entries: int
    is_corrupt: bool = False
    has_extended_tables: bool = False
    compression: Compression = Compression.DEFLATE

    @property
    def has_backing_file(self) -> bool:
        return self.backing_offset != 0

    def assert_stands_alone(self, file_size: int) -> None:
        """Raise NotQcow2 for an image that would pull in another file, or whose end is missing."""
        if self.has_backing_file:
            raise NotQcow2("it names a backing file")
        self.assert_usable(file_size)

    def assert_usable(self, file_size: int) -> None:
        """Raise NotQcow2 for an image whose data are elsewhere, or whose end is missing.

        A data file named in an image from outside could show any file of the host to a guest.
        """
        if self.has_data_file:
            raise NotQcow2("its data are in another file")
        if self.encrypted:
            raise NotQcow2("it is encrypted")
        if file_size < self.least_file_size:
            raise NotQcow2(f"its end is missing: {file_size} bytes of at least {self.least_file_size}")


def parse_header(data: bytes) -> Header:
    """The header in the first 104 bytes of a file, or 105 where its compression matters."""
    if len(data) < _V2.size or data[:4] != MAGIC:
        raise NotQcow2("it does not begin as a qcow2 image does")
    (_, version, backing_offset, backing_length, cluster_bits, size, crypt, l1_entries, l1_offset, *_rest) = (
        _V2.unpack_from(data)
    )
    if version not in (2, 3):
        raise NotQcow2(f"qcow2 version {version} is not known")
    if not 9 <= cluster_bits <= 21:
        raise NotQcow2(f"clusters of 2^{cluster_bits} bytes cannot be")
    incompatible, header_length = 0, _V2.size
    if version == 3:
        if len(data) < _V2.size + _V3.size:
            raise NotQcow2("its header is cut off")
        incompatible, _, _, _, header_length = _V3.unpack_from(data, _V2.size)
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise NotQcow2(f"it uses features that are not known: {incompatible:#x}")
    return Header(
        version=version,
        header_length=header_length,
        backing_offset=backing_offset,
        backing_length=backing_length,
        virtual_size=size,
        cluster_size=1 << cluster_bits,
        has_data_file=bool(incompatible & _EXTERNAL_DATA_FILE),
        encrypted=crypt != 0,
        least_file_size=l1_offset + 8 * l1_entries,
        l1_offset=l1_offset,
        l1_entries=l1_entries,
        is_corrupt=bool(incompatible & _CORRUPT),
        has_extended_tables=bool(incompatible & _EXTENDED_TABLES),
        compression=_compression(data, header_length) if incompatible & _COMPRESSION_TYPE else Compression.DEFLATE,
    )


def _compression(data: bytes, header_length: int) -> Compression:
    if header_length <= _COMPRESSION_AT or len(data) <= _COMPRESSION_AT:
        return Compression.DEFLATE
    try:
        return Compression(data[_COMPRESSION_AT])
    except ValueError:
        raise NotQcow2(f"its compression {data[_COMPRESSION_AT]} is not known") from None


def read_header(file: BinaryIO) -> Header:
    """The header of an image that is read from its beginning."""
    return parse_header(file.read(_V2.size + _V3.size))


@dataclass(frozen=True, slots=True)
class Backing:
    """The image under a layer, as the layer names it."""

    name: str
    format: str  # empty: whoever opens it would have to guess


def read_backing(file: BinaryIO, header: Header) -> Backing | None:
    """What an image stands on; None when it stands alone."""
    if not header.has_backing_file:
        return None
    if header.backing_length > _LONGEST_NAME or header.backing_offset > header.cluster_size:
        raise NotQcow2("the name of its backing file is too long")
    file.seek(header.backing_offset)
    name = file.read(header.backing_length).decode(errors="replace")
    file.seek(header.header_length)
    return Backing(name, _backing_format(file.read(header.backing_offset - header.header_length)))


def _backing_format(extensions: bytes) -> str:
    at = 0
    while at + _EXTENSION.size <= len(extensions):
        kind, length = _EXTENSION.unpack_from(extensions, at)
        at += _EXTENSION.size
        if kind == _BACKING_FORMAT:
            return extensions[at : at + length].decode(errors="replace")
        if kind == _END_OF_EXTENSIONS:
            break
        at += -(-length // 8) * 8
    return ""
