"""What the HA daemon tells over its socket, as the toolstack knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cardume.ha.profile import PROFILES
from cardume.hostops.ha.interface import HaEvent, HaEventKind

_NOTES = {
    "storage_lost": HaEventKind.STATEFILE_LOST,
    "storage_twin": HaEventKind.STATEFILE_LOST,
    "storage_back": HaEventKind.STATEFILE_BACK,
    "peer_network_lost": HaEventKind.PEER_NETWORK_LOST,
    "peer_storage_lost": HaEventKind.PEER_STATEFILE_LOST,
    "peer_back": HaEventKind.PEER_BACK,
    "write_slow": HaEventKind.STATEFILE_SLOW,
}
_RULES = {
    "silent": "nothing was heard of it on any channel for as long as its lease lasts",
    "rebooted": "it started anew, so its former life is over",
    "left": "it left in good order",
    "uplink": "its networks have no uplink, and those of the others have",
    "storage": "it has lived without the statefile for too long",
    "operator": "an operator left it out",
    "formed": "an operator confirmed that it is off",
}


@dataclass(slots=True)
class Told:
    """What was told so far, so that a daemon that starts again is not taken for news."""

    host: str
    profile: str = ""
    epoch: int = -1
    leading: int | None = None
    ended: dict[str, int] = field(default_factory=dict)
    fenced: str = ""


def events_of_status(told: Told, status: Mapping[str, Any]) -> list[HaEvent]:
    """What holds and was not told: a daemon numbers anew after each start, and says some things once only."""
    found: list[HaEvent] = []
    fenced = status.get("fenced") or {}
    if fenced and fenced.get("boot_id") != told.fenced:
        told.fenced = str(fenced.get("boot_id"))
        found.append(HaEvent(0, HaEventKind.FENCED, host=told.host, rule=str(fenced.get("reason"))))
    if not status["taking_part"] or status["off"]:
        if told.epoch >= 0:
            found.append(_off(told))
        return found
    told.profile = status["profile"]
    if status["epoch"] != told.epoch:
        found.append(_members(told, status))
    for host, life in status["ended_lives"].items():
        if host not in status["members"]:
            found += _ended(told, host, life, status["epoch"], status["reason"])
    if status["leading"] is not None and status["leading"] != told.leading:
        found.append(_lead(told, status["leading"]))
    elif status["leading"] is None and told.leading is not None:
        told.leading = None
        found.append(HaEvent(0, HaEventKind.STOP_LEADING, told.epoch, told.host))
    return found


def events_of(told: Told, event: Mapping[str, Any]) -> list[HaEvent]:
    """One thing that the daemon told; nothing when the toolstack has no use for it, or had it before."""
    match event:
        case {"event": "members"} if event["epoch"] != told.epoch:
            return [_members(told, event)]
        case {"event": "proved-dead", "host": host, "life": life, "epoch": epoch, "reason": reason}:
            return _ended(told, host, life, epoch, reason)
        case {"event": "lead", "epoch": epoch} if epoch != told.leading:
            return [_lead(told, epoch)]
        case {"event": "lost"}:
            told.leading = None
            return [HaEvent(0, HaEventKind.STOP_LEADING, told.epoch, told.host)]
        case {"event": "guests-killed", "reason": reason}:
            return [HaEvent(0, HaEventKind.KILL_GUESTS, max(told.epoch, 0), told.host, rule=reason)]
        case {"event": "off"}:
            return [_off(told)]
        case {"event": "was-fenced", "reason": reason}:
            return [HaEvent(0, HaEventKind.FENCED, host=told.host, rule=reason)]
        case {"event": "note", "notice": notice, "host": host, "detail": detail} if notice in _NOTES:
            channel = "network" if notice == "peer_network_lost" else "statefile"
            return [HaEvent(0, _NOTES[notice], max(told.epoch, 0), host or told.host, rule=detail, channel=channel)]
    return []


def _members(told: Told, facts: Mapping[str, Any]) -> HaEvent:
    told.epoch = facts["epoch"]
    rule = _RULES.get(facts["reason"], facts["reason"])
    host = facts["about"][0] if len(facts["about"]) == 1 else ""
    members, master = tuple(facts["members"]), facts["master"] or ""
    return HaEvent(0, HaEventKind.MEMBERS, told.epoch, host, members=members, master=master, rule=rule)


def _ended(told: Told, host: str, life: int, epoch: int, reason: str) -> list[HaEvent]:
    if life <= told.ended.get(host, 0):
        return []
    told.ended[host] = life
    is_silent = reason == "silent"
    lasted_s = PROFILES[told.profile].silence_s if is_silent and told.profile else 0.0
    channel = "both" if is_silent else ""
    rule = _RULES.get(reason, reason)
    return [HaEvent(0, HaEventKind.LIFE_ENDED, epoch, host, life, rule=rule, channel=channel, lasted_s=lasted_s)]


def _lead(told: Told, epoch: int) -> HaEvent:
    told.leading = epoch
    return HaEvent(0, HaEventKind.LEAD, epoch, told.host)


def _off(told: Told) -> HaEvent:
    epoch = max(told.epoch, 0)
    told.epoch, told.leading = -1, None
    told.ended.clear()
    return HaEvent(0, HaEventKind.TURNED_OFF, epoch, told.host)
