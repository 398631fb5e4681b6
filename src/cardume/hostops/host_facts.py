"""What this host is: processor, memory, system, network cards; typed, read from the kernel and the programs here."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops import host_parsers as parse
from cardume.hostops.errors import RunError
from cardume.hostops.guests.qemu_process import start_time
from cardume.hostops.host_parsers import CPU, NIC, Distro, Memory
from cardume.hostops.run import run

_DMI = Path("/sys/class/dmi/id")
_DMI_NAMES = (
    "bios_vendor",
    "bios_version",
    "bios_date",
    "sys_vendor",
    "product_name",
    "product_version",
    "product_serial",
    "product_uuid",
    "board_vendor",
    "board_name",
    "chassis_asset_tag",
)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """This host; empty text is unknown."""

    hostname: str
    machine_id: str
    cpu: CPU
    memory: Memory
    boot_time: float  # Unix seconds when its first process started: a container's own boot in a container
    kernel: str
    architecture: str
    distro: Distro
    dmi: dict[str, str]  # by the kernel's names, only what is there
    qemu_version: str
    libvirt_version: str
    nics: tuple[NIC, ...]
    dns: tuple[str, ...]


async def read_host_facts(*, timeout_s: float = 10) -> HostFacts:
    """Everything there is to know of this host; RunError when the kernel's own network list cannot be read."""
    qemu, libvirt, nics = await asyncio.gather(
        _version("qemu-system-x86_64", timeout_s), _version("libvirtd", timeout_s), read_nics(timeout_s=timeout_s)
    )
    system = os.uname()
    return HostFacts(
        hostname=system.nodename,
        machine_id=_read("/etc/machine-id").strip(),
        cpu=parse.cpu(_read("/proc/cpuinfo")),
        memory=read_memory(),
        boot_time=start_time(1) or 0.0,
        kernel=system.release,
        architecture=system.machine,
        distro=parse.distro(_read("/etc/os-release")),
        dmi={name: text for name in _DMI_NAMES if (text := _read(str(_DMI / name)).strip())},
        qemu_version=qemu,
        libvirt_version=libvirt,
        nics=nics,
        dns=parse.dns(_read("/etc/resolv.conf")),
    )


async def read_nics(*, timeout_s: float = 10) -> tuple[NIC, ...]:
    """The physical network cards, those under a bridge too."""
    links, routes = await asyncio.gather(
        run("ip", "-json", "-details", "address", "show", timeout_s=timeout_s),
        run("ip", "-json", "-4", "route", "show", "default", timeout_s=timeout_s),
    )
    names = parse.nic_names(links)
    speeds = {name: parse.speed(_read(f"/sys/class/net/{name}/speed")) for name in names}
    return parse.nics(links, routes, speeds)


def read_memory() -> Memory:
    """This host's memory as it is now."""
    return parse.memory(_read("/proc/meminfo"))


async def _version(program: str, timeout_s: float) -> str:
    try:
        return parse.version(await run(program, "--version", timeout_s=timeout_s))
    except RunError:
        return ""  # not installed: a fact too


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""  # not there in a container, or not for us
