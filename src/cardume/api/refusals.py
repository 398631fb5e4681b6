"""What is said in the log about clients that are refused: enough to notice them, never enough to fill a disk."""

import logging
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger(__name__)


class Refusals:
    """Tells of refused clients, so many lines in a minute; the next minute begins with how many were left out."""

    def __init__(self, lines_per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines_per_minute = lines_per_minute
        self._clock = clock
        self._began_s = clock()
        self._told = 0
        self._left_out = 0

    def __call__(self, address: str, reason: str) -> None:
        """Tell of one, or count it."""
        if self._clock() - self._began_s >= 60.0:
            if self._left_out:
                log.info("clients_refused", left_out=self._left_out)
            self._began_s, self._told, self._left_out = self._clock(), 0, 0
        if self._told >= self._lines_per_minute:
            self._left_out += 1
            return
        self._told += 1
        log.info("client_refused", address=address, reason=reason[:200])


class HttpLog(logging.Logger):
    """The logger of an HTTP server: what is the client's fault, no HTTP or leaving early, has no traceback."""

    def __init__(self, refused: Refusals) -> None:
        super().__init__("cardume.http", logging.WARNING)
        self._refused = refused

    def exception(self, msg: object, *args: object, **more: Any) -> None:
        fault = more.get("exc_info")
        if isinstance(fault, HttpProcessingError):
            self._refused(str(args[0]) if args else "", "malformed HTTP")
        elif isinstance(fault, ConnectionError):
            self._refused(str(args[0]) if args else "", "left before its answer")
        else:
            log.error("http_failed", what=str(msg), exc_info=fault)
