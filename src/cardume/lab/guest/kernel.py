"""The distribution's kernel, packed anew so that it unpacks quickly under emulation. Nothing in it is changed."""

import lzma
import struct
from dataclasses import dataclass

SECTOR_BYTES = 512
# Kept between the end of the unpacked kernel and the end of the packed one: unpacking in place must not catch up.
UNPACK_MARGIN_BYTES = 1024 * 1024

# Fields of the boot protocol's header, by their offset in the file.
_SETUP_SECTORS = 0x1F1
_SYSTEM_SIZE = 0x1F4  # of the protected-mode part, in units of 16 bytes
_MAGIC = 0x202
_RELOCATABLE = 0x234
_LOAD_FLAGS_64 = 0x236
_PAYLOAD = 0x248  # offset in the protected-mode part, length
_INIT_SIZE = 0x260
_HANDOVER = 0x264


class KernelFormatError(Exception):
    """The kernel is not built the way this module knows; says what differs."""


@dataclass(frozen=True, slots=True)
class FlatKernel:
    """A kernel as it lies in memory before its first instruction."""

    address: int
    content: bytes

    @property
    def packed_end(self) -> int:
        """Where the packed kernel has to end so that it can be unpacked in place; a multiple of 4096."""
        return -(-(self.address + len(self.content) + UNPACK_MARGIN_BYTES) // 4096) * 4096


def unpack_kernel(bzimage: bytes) -> FlatKernel:
    """The kernel inside a boot file that is packed with XZ."""
    if bzimage[_MAGIC : _MAGIC + 4] != b"HdrS":
        raise KernelFormatError("the boot header is missing")
    offset, length = struct.unpack_from("<II", bzimage, _PAYLOAD)
    start = _setup_bytes(bzimage) + offset
    try:
        # What follows the stream, its unpacked size, is left alone.
        elf = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(bzimage[start : start + length])
    except lzma.LZMAError as error:
        raise KernelFormatError(f"the kernel is not packed with XZ: {error}") from error
    return flatten_elf(elf)


def flatten_elf(elf: bytes) -> FlatKernel:
    """The loadable parts of a 64-bit ELF file at their physical addresses."""
    if elf[:5] != b"\x7fELF\x02":
        raise KernelFormatError("the kernel is not a 64-bit ELF file")
    entry, table = struct.unpack_from("<QQ", elf, 0x18)
    entry_bytes, entries = struct.unpack_from("<HH", elf, 0x36)
    parts = []
    for number in range(entries):
        kind, _, offset, _, address, file_bytes = struct.unpack_from("<IIQQQQ", elf, table + number * entry_bytes)
        if kind == 1:  # PT_LOAD
            parts.append((address, elf[offset : offset + file_bytes]))
    first = min(address for address, _ in parts)
    if entry != first:
        raise KernelFormatError(f"the kernel is entered at {entry:#x} and lies at {first:#x}")
    content = bytearray(max(address + len(part) for address, part in parts) - first)
    for address, part in parts:
        content[address - first : address - first + len(part)] = part
    return FlatKernel(first, bytes(content))


def packed_blocks(lz4_legacy: bytes) -> bytes:
    """The blocks of a file of `lz4 -l`, each behind its length, with an empty one as end; a multiple of 4 bytes."""
    if lz4_legacy[:4] != b"\x02\x21\x4c\x18":
        raise KernelFormatError("the packed kernel is not in LZ4's legacy format")
    blocks = lz4_legacy[4:] + bytes(4)
    return blocks + bytes(-len(blocks) % 4)


def make_bzimage(original: bytes, unpacker: bytes, packed: bytes, memory_bytes: int) -> bytes:
    """A boot file with the original's real-mode part, and our unpacker and kernel in place of its own."""
    protected = unpacker + packed
    protected += bytes(-len(protected) % 16)
    setup = bytearray(original[: _setup_bytes(original)])
    struct.pack_into("<I", setup, _SYSTEM_SIZE, len(protected) // 16)
    struct.pack_into("<B", setup, _RELOCATABLE, 0)  # the unpacker has to lie at 1 MiB
    struct.pack_into("<H", setup, _LOAD_FLAGS_64, 0)  # neither a 64-bit entry nor EFI's
    struct.pack_into("<II", setup, _PAYLOAD, 0, 0)
    struct.pack_into("<I", setup, _HANDOVER, 0)
    (init_size,) = struct.unpack_from("<I", setup, _INIT_SIZE)
    struct.pack_into("<I", setup, _INIT_SIZE, max(init_size, memory_bytes))
    return bytes(setup) + protected


def _setup_bytes(bzimage: bytes) -> int:
    return (bzimage[_SETUP_SECTORS] + 1) * SECTOR_BYTES
