"""The audit log: one line of JSON for each thing that was asked for, in a file that is renewed when it is long."""

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

MOST_BYTES = 8 << 20
KEPT = 8
"""Older files, besides the one that is written."""


class AuditFile:
    """The log in a file, and its older parts beside it: `audit.log.1` is the youngest of them."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._file: FileIO | None = None

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add a line. It is with the kernel when this returns: a crash of the daemon loses nothing.

        What was called is done by then: where there is no room, the journal tells of it and the call goes on.
        """
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            file = self._open()
            if file.write(line) < len(line):
                raise OSError("only a part of the line was written")
            if file.tell() >= self._most_bytes:
                self._renew()
        except OSError as error:
            log.error("audit_not_written", error=str(error), entry=line.decode().rstrip())
            self._close()

    def lines(self, since: str = "") -> Iterator[bytes]:
        """Every line, oldest first, whose time is not before this one (ISO 8601)."""
        for path in (*(self._older(number) for number in range(KEPT, 0, -1)), self._path):
            if not path.exists():
                continue
            with path.open("rb") as file:
                for line in file:
                    if not since or _time_of(line) >= since:
                        yield line

    def _open(self) -> FileIO:
        if self._file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = open(os.open(self._path, flags, 0o600), "a+b", buffering=0)  # noqa: SIM115 – kept open
            if self._file.tell() and os.pread(self._file.fileno(), 1, self._file.tell() - 1) != b"\n":
                self._file.write(b"\n")  # a power cut took the end of the last line
        return self._file

    def _close(self) -> None:
        """Open it anew for the next line: this one may have been written in part."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _renew(self) -> None:
        self._close()
        for number in range(KEPT, 1, -1):
            if self._older(number - 1).exists():
                self._older(number - 1).rename(self._older(number))
        self._path.rename(self._older(1))

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _time_of(line: bytes) -> str:
    try:
        return str(json.loads(line)["time"])
    except (ValueError, KeyError, TypeError):
        return ""  # cut by a crash
