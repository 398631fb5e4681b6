"""A machine in memory, for tests of what stands above."""

from collections.abc import Mapping

from cardume.hostops.machine import plugins
from cardume.hostops.machine.interface import MachineError


class MemoryMachine:
    """An honest stand-in for a Machine; `begun` tells what was asked of it, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.hostname = ""
        self.kernel_log = "[    0.000000] Linux version 6.1.0\n"
        self.log = "Nov 22 10:00:00 d1-g1 cardumed[1]: level=info event=api_serving\n"
        self.plugins: plugins.Plugins = {"answer.py": {"say": _say, "fail": _fail}}

    async def reboot(self) -> None:
        self.begun.append("reboot")

    async def power_off(self) -> None:
        self.begun.append("power_off")

    async def restart_agent(self) -> None:
        self.begun.append("restart_agent")

    async def wake(self, mac: str, broadcast: str) -> None:
        self.begun.append(f"wake {mac} at {broadcast}")

    async def set_hostname(self, name: str) -> None:
        self.hostname = name

    async def read_kernel_log(self, *, clear: bool = False) -> str:
        told = self.kernel_log
        if clear:
            self.kernel_log = ""
        return told

    async def read_log(self) -> str:
        return self.log

    async def call_plugin(self, plugin: str, function: str, arguments: Mapping[str, str]) -> str:
        return await plugins.call(self.plugins, plugin, function, arguments)


async def _say(arguments: Mapping[str, str]) -> str:
    return arguments.get("text", "")


async def _fail(arguments: Mapping[str, str]) -> str:
    raise MachineError("the sensor is gone")
