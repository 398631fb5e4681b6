"""What the core leaves in /run for the next one of the same boot: whole, before it is acted on."""

import pickle
import uuid
from pathlib import Path

from cardume.ha.records import Memory


def boot_id(folder: Path) -> str:
    """A name of this boot: /run is empty after every other. The kernel's own is shared by containers."""
    kept = folder / "boot-id"
    try:
        return str(uuid.UUID(kept.read_text().strip()))
    except (OSError, ValueError):
        fresh = str(uuid.uuid4())
        _put(kept, fresh.encode())
        return fresh


def remember(path: Path, memory: Memory) -> None:
    """Replace what is kept."""
    _put(path, pickle.dumps(memory))


def recall(path: Path) -> Memory | None:
    """What was kept; None when nothing was, or a daemon of another version kept it."""
    try:
        memory = pickle.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except Exception:  # whatever bytes of another version do: they are as if they were not there
        return None
    return memory if isinstance(memory, Memory) else None


def _put(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)
