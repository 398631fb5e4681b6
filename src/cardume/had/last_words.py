"""What this host did before it reset itself: kept while it happens, written at the end, read after the next boot."""

import json
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

_MOST = 64
_ROOM = 7_000  # of the 8 KiB that a black box has at least


class LastWords:
    """The newest things worth telling, with the wall clock's time, which is for people only."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST)

    def note(self, text: str) -> None:
        self._lines.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}")

    def text(self, reason: str, boot_id: str, evidence_age_s: float | None) -> bytes:
        """As it is written: JSON that says why, and what came before, the newest first."""
        lines = list(reversed(self._lines))
        while True:
            facts = {
                "reason": reason,
                "boot_id": boot_id,
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "evidence_age_s": evidence_age_s,
                "before": lines,
            }
            data = json.dumps(facts).encode()
            if len(data) <= _ROOM or not lines:
                return data
            lines = lines[: len(lines) // 2]


def parse(text: bytes | None) -> dict[str, Any] | None:
    """What was written; None when nothing was, or it cannot be read."""
    try:
        facts = json.loads(text or b"")
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and "reason" in facts else None


def recall_words(path: Path) -> dict[str, Any] | None:
    """What a core of this boot has read of them already."""
    try:
        return parse(path.read_bytes())
    except OSError:
        return None


def keep_locally(path: Path, text: bytes) -> threading.Thread:
    """Write them on this host's own disk as well, in a thread that nobody has to wait for."""

    def write() -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DSYNC, 0o600)
            os.write(descriptor, text)
            os.fsync(descriptor)
            os.close(descriptor)
        except OSError:
            pass

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    return writing
