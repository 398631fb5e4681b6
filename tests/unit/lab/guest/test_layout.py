"""The disk's layout, byte by byte where a BIOS reads it."""

from pathlib import Path

import pytest

from cardume.lab.guest.layout import boot_record, plan_disk, write_disk

MIB = 1024 * 1024


def test_a_disk_is_a_multiple_of_four_mib_and_ends_with_the_record_area() -> None:
    plan = plan_disk(11_800_000)
    assert plan.size_bytes == 16 * MIB
    assert (plan.boot.first_sector, plan.boot.sectors) == (2048, 30592)
    assert (plan.record.first_sector, plan.record.sectors) == (32640, 128)


def test_boot_files_that_no_longer_fit_get_the_next_size() -> None:
    assert plan_disk(16 * MIB).size_bytes == 20 * MIB


def test_the_boot_record_names_both_partitions_and_no_identity() -> None:
    record = boot_record(plan_disk(11_800_000), b"\xeb\x3c")
    assert len(record) == 512
    assert record[:2] == b"\xeb\x3c"
    assert record[440:446] == bytes(6)
    assert record[446:462].hex() == "80feffff0efeffff0008000080770000"
    assert record[462:478].hex() == "00feffff7ffeffff807f000080000000"
    assert record[478:] == bytes(32) + b"\x55\xaa"


def test_boot_code_that_would_overwrite_the_partition_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has 441 bytes"):
        boot_record(plan_disk(1), bytes(441))


def test_a_disk_carries_the_file_system_and_a_record_that_starts_at_zero(tmp_path: Path) -> None:
    fat = tmp_path / "fat"
    fat.write_bytes(b"FAT")
    plan = plan_disk(1)
    write_disk(plan, tmp_path / "disk", b"code", fat)
    content = (tmp_path / "disk").read_bytes()
    assert len(content) == 4 * MIB
    assert content[MIB : MIB + 4] == b"FAT\0"
    assert content[plan.record.first_sector * 512 :].startswith(b"cardume-lab-guest-ticks 0 .\n\0")
