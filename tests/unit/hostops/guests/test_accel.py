"""The KVM probe, with programs of ours in QEMU's place, and its memory."""

from pathlib import Path

from cardume.hostops.guests.accel import probe, read_cache
from cardume.hostops.guests.accelerator import Acceleration, Accelerator
from cardume.hostops.guests.kvm_probe_rom import SUCCESS, probe_rom


def _qemu(folder: Path, body: str) -> str:
    program = folder / "qemu"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


async def test_kvm_is_used_when_the_probes_guest_says_that_it_took_its_exception(tmp_path: Path) -> None:
    qemu = _qemu(tmp_path, f"exit {SUCCESS * 2 + 1}")
    assert (await probe(tmp_path, qemu=qemu)).accelerator is Accelerator.KVM


async def test_a_probe_that_hangs_means_emulation(tmp_path: Path) -> None:
    found = await probe(tmp_path, qemu=_qemu(tmp_path, "sleep 60"), limit_s=0.2)
    assert found.accelerator is Accelerator.TCG
    assert "did not end within 0.2 s" in found.reason


async def test_a_probe_that_skipped_the_exception_means_emulation(tmp_path: Path) -> None:
    qemu = _qemu(tmp_path, "echo odd >&2; exit 67")
    assert await probe(tmp_path, qemu=qemu) == Acceleration(Accelerator.TCG, "KVM does not start (status 67): odd")


async def test_no_device_and_no_qemu_mean_emulation(tmp_path: Path) -> None:
    assert "there is no" in (await probe(tmp_path / "kvm")).reason
    assert "is not installed" in (await probe(tmp_path, qemu=str(tmp_path / "missing"))).reason


def test_what_was_found_in_another_boot_or_cannot_be_read_is_forgotten(tmp_path: Path) -> None:
    cache = tmp_path / "acceleration.json"
    cache.write_text('{"boot_id": "a", "accelerator": "kvm", "reason": "ran"}')
    assert read_cache(cache, "a") == Acceleration(Accelerator.KVM, "ran")
    assert read_cache(cache, "b") is None
    cache.write_text('{"boot_id": "a", "accelerator": "xen", "reason": ""}')
    assert read_cache(cache, "a") is None
    cache.write_text("[")
    assert read_cache(cache, "a") is None


def test_the_rom_starts_at_the_reset_vector_and_its_code_is_where_its_jumps_go() -> None:
    rom = probe_rom()
    assert len(rom) == 0x10000
    assert rom[0xFFF0:0xFFF5] == bytes.fromhex("ea000000f0")
    assert rom[0x6A] == 0xBC  # where 64-bit mode begins
    assert rom[0x81:0x83] == bytes((0xB0, SUCCESS))  # the handler
    assert rom[0x90:0x98] == bytes.fromhex("00000000009b2000")  # its code segment
    assert rom[0xA8 + 3 * 16 : 0xA8 + 3 * 16 + 2] == b"\x81\x00"  # the breakpoint's entry leads to the handler
