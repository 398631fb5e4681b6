"""What cardume-had tells, in the toolstack's words."""

from collections.abc import Mapping, Sequence
from typing import Any

from cardume.hostops.ha.interface import HaEvent, HaEventKind

_NOTES: Mapping[str, HaEventKind] = {
    "storage_lost": HaEventKind.STATEFILE_LOST,
    "storage_twin": HaEventKind.STATEFILE_LOST,
    "storage_back": HaEventKind.STATEFILE_BACK,
    "peer_network_lost": HaEventKind.PEER_NETWORK_LOST,
    "peer_storage_lost": HaEventKind.PEER_STATEFILE_LOST,
    "peer_back": HaEventKind.PEER_BACK,
    "peer_quiet": HaEventKind.NETWORK_SLOW,
    "write_slow": HaEventKind.STATEFILE_SLOW,
}
_CHANNELS: Mapping[HaEventKind, str] = {
    HaEventKind.PEER_NETWORK_LOST: "network",
    HaEventKind.PEER_STATEFILE_LOST: "statefile",
    HaEventKind.NETWORK_SLOW: "both",
}
TWIN = "the disk is not the one that the others see"
_RULES: Mapping[str, tuple[str, str]] = {
    "silent": ("it was silent on every channel for longer than its lease lasts", "both"),
    "rebooted": ("it has started anew", ""),
    "left": ("it has left in good order", ""),
    "uplink": ("its networks had lost their uplink, and others' had not", ""),
    "storage": ("it had lived without the statefile for too long", "statefile"),
    "operator": ("an administrator had it left out", ""),
    "none": ("it was left out by an earlier decision", ""),
    "formed": ("an administrator has sworn that it is off", ""),
}
LEFT = _RULES["left"][0]
"""The rule of a life that nobody need be told of."""
REBOOTED = _RULES["rebooted"][0]
"""The rule of a life whose host may be a member again by the same decision."""


def event_of(told: Mapping[str, Any], own: str) -> HaEvent | None:
    """An event of the daemon's socket; None for one that is of no use here. `own`: the uuid of this host."""
    match told.get("event"):
        case "members":
            members, master = _uuids(told["members"]), str(told["master"] or "")
            return HaEvent(0, HaEventKind.MEMBERS, int(told["epoch"]), members=members, master=master)
        case "proved-dead":
            rule, channel = _RULES.get(str(told["reason"]), (str(told["reason"]), ""))
            host, life, epoch = str(told["host"]), int(told["life"]), int(told["epoch"])
            silent_s = _silent_s(told, channel)
            return HaEvent(0, HaEventKind.LIFE_ENDED, epoch, host, life, rule=rule, channel=channel, lasted_s=silent_s)
        case "lead":
            return HaEvent(0, HaEventKind.LEAD, int(told["epoch"]), own)
        case "lost":
            return HaEvent(0, HaEventKind.STOP_LEADING, host=own)
        case "off":
            return HaEvent(0, HaEventKind.TURNED_OFF, host=own, rule=str(told["why"]))
        case "was-fenced":
            return HaEvent(0, HaEventKind.FENCED, host=own, rule=str(told["reason"]))
        case "note" if told["notice"] in _NOTES:
            return _noted(told, own)
    return None


def _noted(told: Mapping[str, Any], own: str) -> HaEvent:
    kind, host = _NOTES[told["notice"]], str(told["host"] or own)
    channel = _CHANNELS.get(kind, "")
    lasted_s = _silent_s(told, channel) or float(told.get("lasted_s") or 0.0)
    rule = TWIN if told["notice"] == "storage_twin" else ""
    return HaEvent(0, kind, host=host, rule=rule, channel=channel, lasted_s=lasted_s)


def _silent_s(told: Mapping[str, Any], channel: str) -> float:
    """How long nothing new of a host came by a channel; 0.0 when nobody knows."""
    ages_s = [told.get(f"{one}_s") for one in ("network", "statefile") if channel in (one, "both")]
    return float(min((age_s for age_s in ages_s if age_s is not None), default=0.0))


def events_of_status(told: Mapping[str, Any], own: str) -> list[HaEvent]:
    """What a daemon's state says that may have happened unheard: who is a member, whose life is over, who leads."""
    if not told.get("taking_part"):
        return [HaEvent(0, HaEventKind.TURNED_OFF, host=own)]
    epoch = int(told["epoch"])
    members, master = _uuids(told["members"]), str(told["master"] or "")
    found = [HaEvent(0, HaEventKind.MEMBERS, epoch, members=members, master=master)]
    ended = {uuid: life for uuid, life in told["ended_lives"].items() if uuid not in members}
    found += [HaEvent(0, HaEventKind.LIFE_ENDED, epoch, uuid, int(life)) for uuid, life in ended.items()]
    if told["off"] is not None:
        found.append(HaEvent(0, HaEventKind.TURNED_OFF, epoch, own))
    elif told["leading"] is not None:
        found.append(HaEvent(0, HaEventKind.LEAD, int(told["leading"]), own))
    else:
        found.append(HaEvent(0, HaEventKind.STOP_LEADING, epoch, own))
    return found


def _uuids(told: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(uuid) for uuid in told)
