"""The gate: whether guests may be started here, and which starts are under way. It outlives the core's process.

Who starts a guest asks before the order goes to libvirt and tells when the call has returned. A start of which that
was not told may still happen, whatever became of who asked: until then nobody says that no guest is left.
"""

import json
from pathlib import Path


class Gate:
    """Open for a life, or closed; without HA it is neither, and nobody needs it."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self.life: int | None = None
        """The life that it is open for."""
        try:
            self._pending: set[str] = set(json.loads(kept.read_text()))
        except (OSError, ValueError):
            self._pending = set()

    @property
    def pending(self) -> frozenset[str]:
        """The starts that are under way, as far as is known."""
        return frozenset(self._pending)

    def open(self, life: int) -> None:
        self.life = life

    def close(self) -> None:
        self.life = None

    def begin(self, operation: str) -> None:
        self._pending.add(operation)
        self._keep()

    def end(self, operation: str) -> None:
        self._pending.discard(operation)
        self._keep()

    def _keep(self) -> None:
        fresh = self._kept.with_suffix(".new")
        fresh.write_text(json.dumps(sorted(self._pending)))
        fresh.replace(self._kept)
