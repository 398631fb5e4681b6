"""The HA daemon's status, in the toolstack's words."""

from collections.abc import Mapping
from typing import Any

from cardume.core.stepping_aside import Word
from cardume.daemons.stepping_aside import Heard
from cardume.daemons.vote import OwnLife
from cardume.had.watchdogs import warning_of
from cardume.hostops.ha.interface import HaPhase, HaStatus


def status_of(told: Mapping[str, Any], own: str) -> HaStatus:
    """`own`: the uuid of this host."""
    if not told["taking_part"]:
        return HaStatus(HaPhase.OFF, watchdog=str(told["watchdog"]))
    lease_s = float(told["lease_s"])
    hears = [uuid for uuid, peer in told["peers"].items() if _is_heard(peer["networks_s"], lease_s)]
    phase = phase_of(told)
    return HaStatus(
        phase=phase,
        generation=str(told["generation"]),
        life=int(told["life"]),
        epoch=int(told["epoch"]),
        members=tuple(told["members"]),
        master=str(told["master"] or ""),
        hears=tuple(sorted([*hears, own])) if phase is HaPhase.MEMBER else (),
        has_statefile=bool(told["statefile"]["ok"]),
        watchdog=str(told["watchdog"]),
        watchdog_warning=warning_of(str(told["watchdog"])),
    )


def heard_of(told: Mapping[str, Any]) -> Heard | None:
    """What the statefile has of every host's words; None on a host that is no member."""
    if phase_of(told) is not HaPhase.MEMBER:
        return None
    members = frozenset(str(uuid) for uuid in told["members"])
    others = {uuid: _word(word) for uuid, word in told["asides"].items()}
    return Heard(int(told["epoch"]), told["leading"] is not None, members, own_word(told), others)


def life_of(told: Mapping[str, Any]) -> int | None:
    """The life of a host that takes part."""
    return int(told["life"]) if told["taking_part"] and told.get("off") is None else None


def own_life_of(told: Mapping[str, Any]) -> OwnLife | None:
    """The same, with what went before it."""
    life = life_of(told)
    return OwnLife(life, int(told["follows"])) if life is not None else None


def phase_of(told: Mapping[str, Any]) -> HaPhase:
    """How far the host is."""
    if not told["taking_part"] or told.get("off") is not None:
        return HaPhase.OFF
    return {"candidate": HaPhase.CANDIDATE, "member": HaPhase.MEMBER}.get(str(told["phase"]), HaPhase.ATTACHED)


def _word(told: Mapping[str, Any]) -> Word:
    return Word(int(told["asked"]), int(told["done"]))


def own_word(told: Mapping[str, Any]) -> Word | None:
    """What the statefile says for this host; None when that may be more than one thing."""
    return _word(told["aside"]) if told.get("aside") else None


def _is_heard(ages_s: list[float | None], lease_s: float) -> bool:
    return any(age is not None and age < lease_s for age in ages_s)
