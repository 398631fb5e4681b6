"""Run inside a lab host by `bench/metering.py`: many tiny guests, and what a round of measuring them costs.

The guests are started paused: their QEMU answers as any, and takes no processor time of its own.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from cardume.hostops.guests.accel import acceleration
from cardume.hostops.guests.guest import Disk, FileSource, GuestSpec, Nic
from cardume.hostops.guests.libvirt_guests import LibvirtGuests
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.hostops.run import run

MIB = 1 << 20
AT_ONCE = 4


async def main(count: int, rounds: int) -> None:
    """Start the guests, measure, end them; what it cost as one line of JSON."""
    found = await acceleration()
    with tempfile.TemporaryDirectory(dir="/var/lib/libvirt/images") as folder:
        async with LibvirtGuests(found.accelerator) as guests:
            specs = [_spec(number, folder) for number in range(count)]
            try:
                await _start(guests, specs)
                print(json.dumps(await _measure(guests, Path(folder), rounds)), flush=True)
            finally:
                await asyncio.gather(*(guests.destroy(spec.uuid) for spec in specs), return_exceptions=True)


def _spec(number: int, folder: str) -> GuestSpec:
    path = f"{folder}/{number}.raw"
    with open(path, "wb") as file:
        file.truncate(MIB)
    os.chmod(folder, 0o755)
    mac = f"52:54:00:be:{number >> 8:02x}:{number & 255:02x}"
    return GuestSpec(
        uuid=str(uuid.uuid4()),
        name=f"bench-{number}",
        memory_bytes=16 * MIB,
        vcpus_max=2,
        vcpus=2,
        disks=(Disk("0", FileSource(path, "raw")),),
        nics=(Nic("0", mac, "xenbr1"),),
    )


async def _start(guests: LibvirtGuests, specs: Sequence[GuestSpec]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def start(spec: GuestSpec) -> None:
        async with slots:
            await guests.start(spec, paused=True, timeout_s=120)

    await asyncio.gather(*map(start, specs))


async def _measure(guests: LibvirtGuests, folder: Path, rounds: int) -> dict[str, object]:
    async def cards() -> Sequence[str]:
        return ("eth0", "eth1")

    meter = HostMeter(str(uuid.uuid4()), folder / "rrd", guests, cards)
    await meter.open()
    for _ in range(2):
        await meter.tick()  # the first reads each guest's description
    libvirtd = int(await run("systemctl", "show", "-p", "MainPID", "--value", "libvirtd", timeout_s=10))
    took_s, own_s, theirs_s = [], [], []
    for _ in range(rounds):
        began_s, own, theirs = time.monotonic(), time.process_time(), _processor_s(libvirtd)
        await meter.tick()
        took_s.append(time.monotonic() - began_s)
        own_s.append(time.process_time() - own)
        theirs_s.append(_processor_s(libvirtd) - theirs)
        await asyncio.sleep(1)
    sources = sum(len(each) for each in meter.present().values())
    return {"took_s": took_s, "own_s": own_s, "libvirtd_s": theirs_s, "sources": sources}


def _processor_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
