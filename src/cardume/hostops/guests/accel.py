"""Whether KVM really runs guests here: found out by running one, of forty instructions."""

import asyncio
import json
import os
import tempfile
from pathlib import Path

import structlog

from cardume.hostops.errors import RunError, RunTimeout
from cardume.hostops.guests.accelerator import Acceleration, Accelerator
from cardume.hostops.guests.kvm_probe_rom import SUCCESS, probe_rom
from cardume.hostops.run import run

log = structlog.get_logger()

DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CACHE = Path("/run/cardume/acceleration.json")

_LIMIT_S = 2.0
_QEMU = "qemu-system-x86_64"

# A 64-bit system takes exceptions from its first milliseconds on. Some KVMs (paravirtual ones without hardware under
# them) open their device, run real mode and enter long mode, but cannot deliver an exception there: a stock Linux
# hangs on them for ever. So that is what the probe does; see `kvm_probe_rom.py`.
_EXIT_STATUS = SUCCESS << 1 | 1  # what QEMU's isa-debug-exit device makes of it


async def probe(device: Path = DEVICE, *, qemu: str = _QEMU, limit_s: float = _LIMIT_S) -> Acceleration:
    """Try KVM; it never raises: what does not run guests here is a reason for emulation."""
    obstacle = _obstacle(device)
    if obstacle is not None:
        return Acceleration(Accelerator.TCG, obstacle)
    with tempfile.NamedTemporaryFile(prefix="cardume-kvm-probe-", suffix=".rom") as rom:
        rom.write(probe_rom())
        rom.flush()
        return await _run_rom(qemu, rom.name, limit_s)


async def acceleration(cache: Path = CACHE) -> Acceleration:
    """What guests of this host run on: probed once a boot, remembered in a file that a boot forgets."""
    boot_id = _boot_id()
    known = read_cache(cache, boot_id)
    if known is not None:
        return known
    found = await probe()
    log.info("acceleration_probed", accelerator=found.accelerator.value, reason=found.reason)
    await asyncio.to_thread(_write_cache, cache, boot_id, found)
    return found


def read_cache(cache: Path, boot_id: str) -> Acceleration | None:
    """What an earlier probe of this boot found; None when there was none."""
    try:
        record = json.loads(cache.read_text())
        if record["boot_id"] != boot_id:
            return None
        return Acceleration(Accelerator(record["accelerator"]), str(record["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _boot_id() -> str:
    return BOOT_ID.read_text().strip()


def _obstacle(device: Path) -> str | None:
    if not device.exists():
        return f"there is no {device}: no KVM in this kernel or on this processor"
    return None if os.access(device, os.R_OK | os.W_OK) else f"{device} cannot be opened"


async def _run_rom(qemu: str, rom: str, limit_s: float) -> Acceleration:
    command = (qemu, "-accel", "kvm", "-machine", "pc", "-cpu", "qemu64", "-m", "16", "-bios", rom)
    quiet = ("-nodefaults", "-no-user-config", "-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4")
    try:
        await run(*command, *quiet, timeout_s=limit_s)
    except RunTimeout:
        return Acceleration(
            Accelerator.TCG,
            f"KVM hangs: a probe that takes an exception in 64-bit mode did not end within {limit_s:g} s",
        )
    except RunError as error:
        if error.status == _EXIT_STATUS:
            return Acceleration(Accelerator.KVM, "a probe ran under KVM")
        return Acceleration(Accelerator.TCG, f"KVM does not start (status {error.status}): {_last_line(error.output)}")
    return Acceleration(Accelerator.TCG, "the KVM probe ended without an answer")


def _write_cache(cache: Path, boot_id: str, found: Acceleration) -> None:
    record = {"boot_id": boot_id, "accelerator": found.accelerator.value, "reason": found.reason}
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        new = cache.with_suffix(".new")
        new.write_text(json.dumps(record))
        new.replace(cache)
    except OSError as error:
        log.warning("acceleration_not_remembered", error=str(error))  # the next start probes again


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1][-300:] if lines else "it said nothing"
