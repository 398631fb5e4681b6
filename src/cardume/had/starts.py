"""Which starts of guests are under way. It outlives the core's process.

Who starts a guest asks before the order goes to libvirt and tells when the call has returned. A start of which that
was not told may still happen, whatever became of who asked: until then nobody says that no guest is left.
"""

import json
from pathlib import Path


class Starts:
    """The starts under way, by names that those who asked gave them."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        try:
            self._pending: set[str] = set(json.loads(kept.read_text()))
        except (OSError, ValueError):
            self._pending = set()

    @property
    def pending(self) -> frozenset[str]:
        """The starts that are under way, as far as is known."""
        return frozenset(self._pending)

    def begin(self, operation: str) -> None:
        self._keep(self._pending | {operation})

    def end(self, operation: str) -> None:
        self._keep(self._pending - {operation})

    def _keep(self, pending: set[str]) -> None:
        """First in the file: what could not be noted has not happened."""
        fresh = self._kept.with_suffix(".new")
        fresh.write_text(json.dumps(sorted(pending)))
        fresh.replace(self._kept)
        self._pending = pending
