"""What this host may believe of its own etcd's data after all others are lost: that it has everything.

The master says so, after all voters have together decided something. It counts until this host starts anew: what was
decided without it while it was off it cannot know, so the note lies where nothing outlives a boot.
"""

import json
from pathlib import Path

from cardume.daemons.pool_map import PoolMap
from cardume.hostops.durable import sync_folder, write_json


class Vote:
    """The note, in one small file."""

    def __init__(self, path: Path, uuid: str) -> None:
        self._path, self._uuid = path, uuid

    def holds(self, known: PoolMap) -> bool:
        """Whether this host is one of the voters that this map names, and has all that was acknowledged."""
        try:
            return bool(json.loads(self._path.read_text()) == self._said(known))
        except (FileNotFoundError, ValueError):
            return False

    def note(self, known: PoolMap) -> None:
        """The master has told this map: keep what it says of this host's vote."""
        if known.settled and self._uuid in known.voters:
            if not self.holds(known):
                write_json(self._path, self._said(known))
        else:
            self.drop()

    def drop(self) -> None:
        """Have no vote any more, whatever comes."""
        if self._path.exists():
            self._path.unlink()
            sync_folder(self._path.parent)

    def _said(self, known: PoolMap) -> dict[str, object]:
        voters = sorted(known.voters)
        return {"cluster": known.cluster, "generation": known.generation, "master": known.master, "voters": voters}
