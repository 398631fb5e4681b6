"""What administrators are told of high availability: for each event a name and priority as XenServer has them, and why.

XenServer's alerts are empty or one sentence. These say what happened, which channel was silent and for how long, and by
which rule it was decided; and what got worse is told of again when it is well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.datamodel import api_messages
from cardume.datamodel.api_messages import Alert


@dataclass(frozen=True, slots=True)
class News:
    """One alert about one host."""

    alert: Alert
    host_uuid: str
    body: str
    is_new: bool = False  # it was told of for certain never before, even if an earlier alert says the same


@dataclass(frozen=True, slots=True)
class Happened:
    """What an HA daemon told, in words: `kind` as `hostops/ha/interface.py` has it."""

    kind: str
    host: str = ""  # uuid
    epoch: int = 0
    rule: str = ""
    channel: str = ""
    lasted_s: float = 0.0
    is_planned: bool = False  # a host that has left in good order, or was told of before


_BEGINS: Mapping[str, tuple[Alert, str]] = {
    "statefile lost": (api_messages.HA_STATEFILE_LOST, "Server '{name}' has lost access to the HA statefile"),
    "peer network lost": (
        api_messages.HA_NETWORK_PARTED,
        "Server '{name}' is heard by the HA statefile alone: the networks between the servers are cut",
    ),
    "statefile slow": (
        api_messages.HA_STATEFILE_APPROACHING_TIMEOUT,
        "The HA statefile answers server '{name}' slowly",
    ),
    "network slow": (
        api_messages.HA_HEARTBEAT_APPROACHING_TIMEOUT,
        "Heartbeats of server '{name}' come late",
    ),
    "peer statefile lost": (
        api_messages.HA_STATEFILE_LOST,
        "Server '{name}' is heard over the network alone: it has lost access to the HA statefile",
    ),
}
_ENDS: Mapping[str, Mapping[str, tuple[Alert, str]]] = {
    "statefile back": {
        "statefile lost": (api_messages.HA_STATEFILE_BACK, "Server '{name}' reaches the HA statefile again"),
        "statefile slow": (api_messages.HA_STATEFILE_BACK, "The HA statefile answers server '{name}' in time again"),
    },
    "peer back": {
        "peer network lost": (api_messages.HA_NETWORK_WHOLE, "Server '{name}' is heard over the network again"),
        "peer statefile lost": (api_messages.HA_STATEFILE_BACK, "Server '{name}' reaches the HA statefile again"),
        "network slow": (api_messages.HA_NETWORK_WHOLE, "Heartbeats of server '{name}' come in time again"),
    },
}


_LASTED = re.compile(r" for \d+\.\d s")


@dataclass(slots=True)
class HaWatch:
    """What was told of and is not well yet."""

    _told: set[tuple[str, str]] = field(default_factory=set)  # kind and host

    def look(self, what: Happened, name: str) -> list[News]:
        """The alerts that an event is worth; `name`: the host's."""
        match what.kind:
            case "life ended":
                # A host that is gone does not recover from anything: it comes anew.
                self._told = {(kind, host) for kind, host in self._told if host != what.host}
                if what.is_planned:
                    return []
                return [News(api_messages.HA_HOST_FAILED, what.host, f"Server '{name}' has failed{_why(what)}")]
            case "fenced":
                told = f"Server '{name}' had restarted itself to protect the disks of its VMs{_why(what)}"
                return [News(api_messages.HA_HOST_WAS_FENCED, what.host, told)]
            case kind if kind in _BEGINS and (kind, what.host) not in self._told:
                self._told.add((kind, what.host))
                alert, text = _BEGINS[kind]
                return [News(alert, what.host, text.format(name=name) + _why(what))]
            case kind if kind in _ENDS:
                return self._ended(what, name)
        return []

    def _ended(self, what: Happened, name: str) -> list[News]:
        news = []
        for kind, (alert, text) in _ENDS[what.kind].items():
            if (kind, what.host) in self._told:
                self._told.discard((kind, what.host))
                lasted = f" after {what.lasted_s:.1f} s" if what.lasted_s else ""
                news.append(News(alert, what.host, f"{text.format(name=name)}{lasted}."))
        return news


def _why(what: Happened) -> str:
    """`: nothing came by …, for …; by the rule …`, as far as it is known."""
    channels = {"network": "the network", "statefile": "the statefile", "both": "network and statefile"}
    parts = []
    if what.channel or what.lasted_s:
        silent = f"nothing came by {channels.get(what.channel, what.channel)}" if what.channel else "it lasted"
        parts.append(f"{silent} for {what.lasted_s:.1f} s" if what.lasted_s else silent)
    if what.rule:
        parts.append(f"decided because {what.rule}")
    if what.epoch:
        parts.append(f"epoch {what.epoch}")
    return f": {'; '.join(parts)}." if parts else "."


def untimed(body: str) -> str:
    """A body without how long it was: hosts that tell of the same thing have measured that each for itself."""
    return _LASTED.sub("", body)


def watchdog_unsafe(host: str, watchdog: str, warning: str) -> str:
    """The body of HA_WATCHDOG_UNSAFE."""
    return (
        f"The watchdog of server '{host}' is '{watchdog}': {warning}. HA works with it, and a server that hangs so is"
        " not reset. A watchdog of the hardware would do that: load its driver."
    )


def restart_failed(name: str, reason: str, tries: int) -> str:
    """The body of HA_PROTECTED_VM_RESTART_FAILED."""
    return f"The protected VM '{name}' could not be restarted, tried {tries} times: {reason} It is tried again."


def restarted(name: str, host: str, tries: int) -> str:
    """The body of its twin. `tries`: 0 when nobody knows."""
    after = f", after {tries} tries in vain" if tries else ""
    return f"The protected VM '{name}' runs again, on server '{host}'{after}."
