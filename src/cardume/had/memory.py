"""What the core leaves in /run for the next one of the same boot: whole, before it is acted on.

It is text with a name for each value, because the next core may be of another version of the program. A value that it
does not know is left out, one that is missing has its default; only what nothing can be said without is missed.
"""

import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cardume.ha.records import UNKNOWN, EpochKind, EpochRecord, Memory, Reason


def boot_id(folder: Path) -> str:
    """A name of this boot: /run is empty after every other. The kernel's own is shared by containers."""
    kept = folder / "boot-id"
    try:
        return str(uuid.UUID(kept.read_text().strip()))
    except (OSError, ValueError):
        fresh = str(uuid.uuid4())
        _put(kept, fresh)
        return fresh


def remember(path: Path, memory: Memory) -> None:
    """Replace what is kept."""
    _put(path, json.dumps(asdict(memory) | {"epoch": _epoch_facts(memory.epoch)}))


def recall(path: Path) -> Memory | None:
    """What was kept; None when nothing was, or it says too little."""
    try:
        return _memory(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _memory(facts: dict[str, Any]) -> Memory:
    evidence_s, leading = facts["evidence_s"], facts.get("leading")
    slots, ballots = facts.get("doubts") or ((), ())
    slot_sector, ballot_sector = facts.get("in_use") or (0, 0)
    return Memory(
        generation=str(facts["generation"]),
        boot_id=str(facts["boot_id"]),
        life=int(facts["life"]),
        epoch=_epoch(facts["epoch"]),
        evidence_s=None if evidence_s is None else float(evidence_s),
        guests=bool(facts.get("guests", True)),
        ended=bool(facts["ended"]),
        armed=bool(facts["armed"]),
        frozen=bool(facts["frozen"]),
        leading=None if leading is None else int(leading),
        doubts=(tuple(map(float, slots)), tuple(map(float, ballots))),
        in_use=(int(slot_sector), int(ballot_sector)),
        follows=int(facts.get("follows", UNKNOWN)),
    )


def _epoch_facts(epoch: EpochRecord) -> dict[str, Any]:
    sets = {"live": sorted(epoch.live), "unproven": sorted(epoch.unproven), "about": sorted(epoch.about)}
    return asdict(epoch) | sets | {"kind": epoch.kind.name, "reason": epoch.reason.name}


def _epoch(facts: dict[str, Any]) -> EpochRecord:
    master, witness = facts["master"], facts.get("witness")
    return EpochRecord(
        number=int(facts["number"]),
        kind=EpochKind[facts["kind"]],
        live=frozenset(map(int, facts["live"])),
        lives=tuple(map(int, facts["lives"])),
        unproven=frozenset(map(int, facts["unproven"])),
        master=None if master is None else int(master),
        witness=None if witness is None else int(witness),
        reason=Reason.__members__.get(facts.get("reason", ""), Reason.NONE),
        about=frozenset(map(int, facts.get("about", ()))),
    )


def _put(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.replace(path)
