"""What can be done with a host as a machine."""

from collections.abc import Mapping
from typing import Protocol

from cardume.hostops.errors import HostError


class MachineError(HostError):
    """The machine could not do what was asked."""


class PluginMissing(MachineError):
    """There is no plug-in of this name here."""


class PluginFunctionMissing(MachineError):
    """The plug-in has no function of this name."""


class PluginFailed(MachineError):
    """The plug-in's function failed; the message is its own."""


class Machine(Protocol):
    """One host, apart from its guests, disks and network."""

    async def reboot(self) -> None:
        """Begin to restart the host; MachineError when that cannot begin."""
        ...

    async def power_off(self) -> None:
        """Begin to switch the host off."""
        ...

    async def restart_agent(self) -> None:
        """Begin to restart Cardume's daemon: the calls that it has taken are still answered."""
        ...

    async def wake(self, mac: str, broadcast: str) -> None:
        """Tell everybody at a broadcast address that the machine with this card is to be switched on."""
        ...

    async def set_hostname(self, name: str) -> None:
        """Give the operating system another name, at once and for good."""
        ...

    async def read_kernel_log(self, *, clear: bool = False) -> str:
        """The kernel's messages; `clear` empties them after reading."""
        ...

    async def read_log(self) -> str:
        """The end of the system's log."""
        ...

    async def call_plugin(self, plugin: str, function: str, arguments: Mapping[str, str]) -> str:
        """The text that a plug-in's function answers; PluginMissing, PluginFunctionMissing or PluginFailed."""
        ...
