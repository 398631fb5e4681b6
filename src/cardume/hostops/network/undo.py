"""The way back from a change of the host's network, kept on disk as long as the change is not known to be good.

Run as a program (`python -m cardume.hostops.network.undo STATE`) it takes a change back before networkd starts: a
host that lost power in the middle of a change comes up with the network it had before.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.durable import sync_folder, write_text
from cardume.hostops.network.management import FOLDER, write_files

UNDO_FILE = "network-undo.json"


@dataclass(frozen=True, slots=True)
class Undo:
    """What there was before."""

    files: Mapping[str, str | None]  # by name; None: there was no such file
    made: tuple[str, ...]  # devices that the change makes


def keep(state: Path, undo: Undo) -> None:
    """Write the way back down, durably, before the change begins."""
    state.mkdir(parents=True, exist_ok=True)
    write_text(state / UNDO_FILE, json.dumps({"files": dict(undo.files), "made": list(undo.made)}))


def find(state: Path) -> Undo | None:
    """The way back from a change that has not ended; None when the last one has."""
    path = state / UNDO_FILE
    if not path.exists():
        return None
    told = json.loads(path.read_text())
    return Undo(told["files"], tuple(told["made"]))


def forget(state: Path) -> None:
    """The change is good, or taken back: no way back is needed."""
    (state / UNDO_FILE).unlink(missing_ok=True)
    sync_folder(state)


def main() -> None:
    """Put the files back; for a unit that runs before systemd-networkd."""
    state = Path(sys.argv[1])
    undo = find(state)
    if undo is not None:
        write_files(FOLDER, undo.files)
        forget(state)


if __name__ == "__main__":
    main()
