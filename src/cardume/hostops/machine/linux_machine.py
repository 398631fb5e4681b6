"""A host as a machine, by systemd and the kernel."""

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

from cardume.core.wake_on_lan import magic_packet
from cardume.hostops.durable import write_text
from cardume.hostops.errors import RunError
from cardume.hostops.machine import plugins
from cardume.hostops.machine.interface import MachineError
from cardume.hostops.run import run

AGENT = "cardumed.service"
LOG_LINES = 2000
COMMAND_S = 20.0
ANSWERED_S = 1.0
"""For the answer to an order by which this daemon ends, too."""
DISCARD_PORT = 9
"""Where nobody listens but the cards of machines that are off."""


class LinuxMachine:
    """The `Machine` that this program runs on."""

    async def reboot(self) -> None:
        await _in_a_moment("reboot")

    async def power_off(self) -> None:
        await _in_a_moment("poweroff")

    async def restart_agent(self) -> None:
        # Only asked for, not waited for: the one who asks is the one who is stopped.
        await _run("systemctl", "--no-block", "restart", AGENT)

    async def wake(self, mac: str, broadcast: str) -> None:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.sendto(magic_packet(mac), (broadcast, DISCARD_PORT))
        except OSError as fault:
            raise MachineError(f"the packet could not be sent: {fault}") from fault

    async def set_hostname(self, name: str) -> None:
        try:
            await asyncio.to_thread(write_text, Path("/etc/hostname"), f"{name}\n")
            socket.sethostname(name)
        except OSError as fault:
            raise MachineError(f"the name could not be changed: {fault}") from fault

    async def read_kernel_log(self, *, clear: bool = False) -> str:
        return await _run("dmesg", "--read-clear") if clear else await _run("dmesg")

    async def read_log(self) -> str:
        return await _run("journalctl", "--no-pager", "--quiet", f"--lines={LOG_LINES}")

    async def call_plugin(self, plugin: str, function: str, arguments: Mapping[str, str]) -> str:
        return await plugins.call(plugins.PLUGINS, plugin, function, arguments)


async def _in_a_moment(what: str) -> None:
    """Have the machine go down when whoever asked has been answered, perhaps over a connection of this daemon."""
    timer = (f"--on-active={ANSWERED_S:g}", "--timer-property=AccuracySec=100ms")
    await _run("systemd-run", "--quiet", "--collect", *timer, "systemctl", "--no-block", what)


async def _run(*command: str) -> str:
    try:
        return await run(*command, timeout_s=COMMAND_S)
    except RunError as fault:
        raise MachineError(str(fault)) from fault
