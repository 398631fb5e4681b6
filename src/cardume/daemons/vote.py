"""What this host may believe of its own etcd's data after all others are lost: that it has everything.

The master says so, after all voters have together decided something. It counts for the life in high availability that
this host has then, and for the next one if nobody can have decided anything in between: the hosts lost their power
together, and this one comes back first. Else a later life cannot know what was decided while it was away.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardume.daemons.pool_map import PoolMap
from cardume.hostops.durable import sync_folder, write_json

OFF = 0
"""Instead of a life, while high availability is off."""


@dataclass(frozen=True, slots=True)
class OwnLife:
    """A life of this host in high availability."""

    number: int
    follows: int  # the life before it, if nobody decided anything in between; OFF: it began with the enabling; else -1


class Vote:
    """The note, in one small file."""

    def __init__(self, path: Path, uuid: str, boot_id: str, life: Callable[[], int | None] = lambda: None) -> None:
        """`life`: the life that what the master says is meant for; None while high availability is off."""
        self._path, self._uuid, self._boot_id, self._life = path, uuid, boot_id, life

    def holds(self, known: PoolMap, life: OwnLife | None = None) -> bool:
        """Whether this host is one of the voters that this map names, and has all that was acknowledged.

        `life`: the one that it has now; None while high availability is off.
        """
        kept = self._read()
        if kept is None or kept["said"] != self._said(known):
            return False
        same_boot = bool(kept["boot"] == self._boot_id)
        if life is None:
            return same_boot
        return kept["life"] in (life.number, life.follows) and (kept["life"] != OFF or same_boot)

    def note(self, known: PoolMap) -> None:
        """The master has told this map: keep what it says of this host's vote."""
        if known.settled and self._uuid in known.voters:
            self._write(known, self._life() or OFF)
        else:
            self.drop()

    def carry(self, known: PoolMap, life: OwnLife) -> None:
        """What holds in this life is from now on noted for it, so that the next one may go on with it."""
        if self.holds(known, life):
            self._write(known, life.number)

    def drop(self) -> None:
        """Have no vote any more, whatever comes."""
        if self._path.exists():
            self._path.unlink()
            sync_folder(self._path.parent)

    def _write(self, known: PoolMap, life: int) -> None:
        fresh = {"said": self._said(known), "boot": self._boot_id, "life": life}
        if self._read() != fresh:
            write_json(self._path, fresh)

    def _read(self) -> dict[str, object] | None:
        try:
            kept = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return kept if isinstance(kept, dict) and {"said", "boot", "life"} <= kept.keys() else None

    def _said(self, known: PoolMap) -> dict[str, object]:
        voters = sorted(known.voters)
        return {"cluster": known.cluster, "generation": known.generation, "master": known.master, "voters": voters}
