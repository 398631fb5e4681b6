"""Waiting for an NFS server: for so long, and no longer."""

import select
import time
from typing import Any

from cardume.hostops.errors import Cause, StorageUnreachable

_TICK_S = 1.0


class Loop:
    """Waits for the socket of a context of libnfs: how long, and what is said when that was in vain."""

    def __init__(self, lib: Any, prefix: str, context: Any, place: str, silence_s: float) -> None:
        self._fd, self._events = getattr(lib, f"{prefix}_get_fd"), getattr(lib, f"{prefix}_which_events")
        self._service, self._error = getattr(lib, f"{prefix}_service"), getattr(lib, f"{prefix}_get_error")
        self._place, self._silence_s = place, silence_s
        self._heard_at = time.monotonic()
        self.context = context
        self.fault: Exception | None = None
        self.what_is_lost = "cannot be reached"

    def begin(self) -> None:
        if self.context is None:
            raise StorageUnreachable(f"{self._place}: the session has ended", Cause.SERVER)
        self.heard()

    def heard(self) -> None:
        self._heard_at = time.monotonic()

    def turn(self) -> None:
        """Wait for the server once and let libnfs take what came; StorageUnreachable when it was silent too long."""
        left = self._heard_at + self._silence_s - time.monotonic()
        if left <= 0:
            raise StorageUnreachable(f"{self._place} does not answer within {self._silence_s:g} s", Cause.SERVER)
        descriptor = self._fd(self.context)
        if descriptor < 0:
            raise self.lost()
        waited = select.poll()
        waited.register(descriptor, self._events(self.context))
        happened = waited.poll(min(left, _TICK_S) * 1000)
        failed = self._service(self.context, happened[0][1] if happened else 0) < 0
        if failed:
            raise self.fault or self.lost()
        if self.fault is not None:
            raise self.fault

    def lost(self) -> StorageUnreachable:
        return StorageUnreachable(f"{self._place} {self.what_is_lost}: {self.told()}", Cause.SERVER)

    def told(self) -> str:
        words: bytes | None = self._error(self.context)
        return (words or b"").decode("utf-8", "replace").strip()

    def end(self, destroy: Any) -> None:
        """What is still to be sent is not sent any more: libnfs closes its sockets without lingering."""
        context, self.context = self.context, None
        if context is not None:
            destroy(context)
