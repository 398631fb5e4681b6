"""The plug-ins of `host.call_plugin`: questions about a host that clients ask at their start, answered truly.

The names and forms are those of XCP-ng's plug-ins, as Xen Orchestra and others call them. None takes arguments, none
changes anything. A plug-in whose program is not installed here is told as missing, which clients understand.
"""

import asyncio
import json
import shlex
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from cardume.hostops.errors import HostError, RunError
from cardume.hostops.machine.interface import PluginFailed, PluginFunctionMissing, PluginMissing
from cardume.hostops.machine.raid import read_raid
from cardume.hostops.run import run

Function = Callable[[Mapping[str, str]], Awaitable[str]]
Plugins = Mapping[str, Mapping[str, Function]]

PROGRAM_S = 20.0
SMT_ACTIVE = Path("/sys/devices/system/cpu/smt/active")
IPMI_DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
BLOCK_COLUMNS = ("NAME", "KNAME", "PKNAME", "SIZE", "TYPE", "RO", "MOUNTPOINT")


async def call(known: Plugins, plugin: str, function: str, arguments: Mapping[str, str]) -> str:
    """The answer of a function of one of the known plug-ins."""
    functions = known.get(plugin)
    if functions is None:
        raise PluginMissing(plugin)
    if function not in functions:
        raise PluginFunctionMissing(function)
    try:
        return await functions[function](arguments)
    except PluginMissing:
        raise
    except (HostError, OSError, ValueError) as fault:
        raise PluginFailed(str(fault)) from fault


# Answers


async def _hyperthreading(_: Mapping[str, str]) -> str:
    """Whether processor cores run two threads each now."""
    return json.dumps(await asyncio.to_thread(_smt_active))


async def _ipmi_available(_: Mapping[str, str]) -> str:
    return json.dumps(await asyncio.to_thread(_has_ipmi))


async def _netdata_installed(_: Mapping[str, str]) -> str:
    return json.dumps(shutil.which("netdata") is not None)


async def _raid(_: Mapping[str, str]) -> str:
    return json.dumps(await asyncio.to_thread(read_raid))


async def _block_devices(_: Mapping[str, str]) -> str:
    text = await run("lsblk", "--pairs", "--bytes", f"--output={','.join(BLOCK_COLUMNS)}", timeout_s=PROGRAM_S)
    return json.dumps({"blockdevices": block_devices(text)})


async def _smart_health(_: Mapping[str, str]) -> str:
    """What each disk says of itself: PASSED or FAILED."""
    found = {}
    for disk in await _smart_disks():
        status = (await _smartctl("--health", disk)).get("smart_status", {})
        if "passed" in status:
            found[disk] = "PASSED" if status["passed"] else "FAILED"
    return json.dumps(found)


async def _smart_information(_: Mapping[str, str]) -> str:
    return json.dumps({disk: await _smartctl("--all", disk) for disk in await _smart_disks()})


PLUGINS: Plugins = {
    "hyperthreading.py": {"get_hyperthreading": _hyperthreading},
    "ipmitool.py": {"is_ipmi_device_available": _ipmi_available},
    "lsblk.py": {"list_block_devices": _block_devices},
    "netdata.py": {"is_netdata_installed": _netdata_installed},
    "raid.py": {"check_raid_pool": _raid},
    "smartctl.py": {"health": _smart_health, "information": _smart_information},
}


# How they are found


def _smt_active() -> bool:
    return SMT_ACTIVE.exists() and SMT_ACTIVE.read_text().strip() == "1"


def _has_ipmi() -> bool:
    return any(Path(device).exists() for device in IPMI_DEVICES)


def block_devices(text: str) -> list[dict[str, Any]]:
    """lsblk's pairs as a forest: what is on a device is among its `children`."""
    devices = [_pairs(line) for line in text.splitlines()]
    known = {device["kname"] for device in devices}

    def below(parent: str, passed: frozenset[str]) -> list[dict[str, Any]]:
        return [_with_children(device, below, passed) for device in devices if device["pkname"] == parent]

    roots = [device for device in devices if device["pkname"] not in known]
    return [_with_children(device, below, frozenset()) for device in roots]


def _with_children(
    device: dict[str, str], below: Callable[[str, frozenset[str]], list[dict[str, Any]]], passed: frozenset[str]
) -> dict[str, Any]:
    name = device["kname"]
    # A text that names a device below itself would never end.
    children = [] if name in passed else below(name, passed | {name})
    return {**device, "children": children} if children else dict(device)


def _pairs(line: str) -> dict[str, str]:
    """`NAME="sda" SIZE="10"` as a mapping with names in lower case, each column there."""
    found = dict(part.split("=", 1) for part in shlex.split(line))
    return {name.lower(): found.get(name, "") for name in BLOCK_COLUMNS}


async def _smart_disks() -> list[str]:
    scanned = await _smartctl("--scan")
    return [str(device["name"]) for device in scanned.get("devices", [])]


async def _smartctl(*arguments: str) -> dict[str, Any]:
    """smartctl's answer. Its exit status tells of the disk; only an answer that is no JSON is a failure of its own."""
    if shutil.which("smartctl") is None:
        raise PluginMissing("smartctl.py")
    try:
        text = await run("smartctl", "--json", *arguments, timeout_s=PROGRAM_S)
    except RunError as fault:
        text = fault.output
    answer: dict[str, Any] = json.loads(text)
    return answer
