"""Packing the kernel anew: every byte of it arrives, and the boot header says what is now true."""

import lzma
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from cardume.lab.guest import kernel
from cardume.lab.guest.kernel import (
    FlatKernel,
    KernelFormatError,
    flatten_elf,
    make_bzimage,
    packed_blocks,
    unpack_kernel,
)

KERNEL_AT = 0x1000000


def small_elf(entry: int = KERNEL_AT) -> bytes:
    """An ELF file of two loadable parts with a hole between them, and a part that is not loaded."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    parts = (
        struct.pack("<IIQQQQQQ", 1, 5, 232, 0xFFFFFFFF81000000, KERNEL_AT, 4, 4, 4096)
        + struct.pack("<IIQQQQQQ", 4, 5, 0, 0, 0, 4, 4, 4096)
        + struct.pack("<IIQQQQQQ", 1, 6, 236, 0, KERNEL_AT + 8, 4, 64, 4096)
    )
    return header + parts + b"TEXTDATA"


def small_bzimage(payload: bytes) -> bytes:
    """A boot file of two setup sectors whose payload begins 16 bytes into the rest."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    setup[0x202:0x206] = b"HdrS"
    setup[0x234] = 1
    struct.pack_into("<H", setup, 0x236, 0x3F)
    struct.pack_into("<II", setup, 0x248, 16, len(payload))
    struct.pack_into("<I", setup, 0x260, 5000)
    struct.pack_into("<I", setup, 0x264, 0x190)
    return bytes(setup) + bytes(16) + payload


def test_the_kernel_is_found_in_its_boot_file_with_the_size_behind_it_left_alone() -> None:
    packed = lzma.compress(small_elf(), check=lzma.CHECK_CRC32)
    assert unpack_kernel(small_bzimage(packed + b"\x00\x01\x00\x00")) == FlatKernel(KERNEL_AT, b"TEXT\0\0\0\0DATA")


def test_a_kernel_packed_otherwise_is_refused_with_the_reason() -> None:
    with pytest.raises(KernelFormatError, match="not packed with XZ"):
        unpack_kernel(small_bzimage(b"\x28\xb5\x2f\xfd" + bytes(60)))
    with pytest.raises(KernelFormatError, match="boot header"):
        unpack_kernel(bytes(2048))


def test_a_kernel_that_is_not_entered_at_its_start_is_refused() -> None:
    with pytest.raises(KernelFormatError, match="entered at 0x1000004 and lies at 0x1000000"):
        flatten_elf(small_elf(entry=KERNEL_AT + 4))


def test_the_packed_kernel_ends_a_margin_behind_the_unpacked_one() -> None:
    assert FlatKernel(0x1000000, bytes(5000)).packed_end == 0x1000000 + 0x2000 + 0x100000


def test_blocks_get_an_empty_one_as_end_and_a_length_of_whole_words() -> None:
    block = struct.pack("<I", 5) + b"abcde"
    assert packed_blocks(b"\x02\x21\x4c\x18" + block) == block + bytes(4) + bytes(3)
    with pytest.raises(KernelFormatError, match="legacy"):
        packed_blocks(b"\x04\x22\x4d\x18" + block)


def test_the_new_boot_file_says_where_it_must_lie_and_offers_no_other_entry() -> None:
    image = make_bzimage(small_bzimage(b"old"), unpacker=b"U" * 20, packed=b"P" * 8, memory_bytes=0x900000)
    assert image[1024:] == b"U" * 20 + b"P" * 8 + bytes(4)
    assert struct.unpack_from("<I", image, 0x1F4) == (2,)
    assert image[0x234] == 0
    assert struct.unpack_from("<H", image, 0x236) == (0,)
    assert struct.unpack_from("<II", image, 0x248) == (0, 0)
    assert struct.unpack_from("<II", image, 0x260) == (0x900000, 0)


@pytest.mark.skipif(shutil.which("as") is None, reason="needs an assembler")
def test_the_unpacker_assembles_and_ends_with_whole_pages_of_tables(tmp_path: Path) -> None:
    source = Path(kernel.__file__).parent / "boot/unpack.s"
    symbols = ["--defsym=KERNEL=0x1000000", "--defsym=PACKED_BYTES=8", "--defsym=PACKED_END=0x2000000"]
    target = tmp_path / "unpack.o"
    subprocess.run(["as", "--32", *symbols, "-o", str(target), str(source)], check=True, timeout=30)
    link = ["ld", "-m", "elf_i386", "-Ttext=0x100000", "--oformat=binary", "-o", str(tmp_path / "unpack"), str(target)]
    subprocess.run(link, check=True, timeout=30)
    code = (tmp_path / "unpack").read_bytes()
    assert len(code) == 8 * 4096
    assert struct.unpack_from("<QQ", code, 0x2000) == (0x103003, 0)
    assert struct.unpack_from("<4Q", code, 0x3000) == (0x104003, 0x105003, 0x106003, 0x107003)
    assert struct.unpack_from("<QQ", code, 0x4000) == (0x83, 0x200083)
    assert struct.unpack_from("<Q", code, 0x8000 - 8) == (0xFFE00083,)
