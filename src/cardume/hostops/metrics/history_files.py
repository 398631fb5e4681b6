"""The files that archives are kept in over restarts, one for the host and one for each VM. Blocking calls."""

import re
from pathlib import Path

import structlog

from cardume.core.rrd import Archives
from cardume.core.rrd_file import NoArchives, load_archives
from cardume.hostops.durable import write_bytes

log = structlog.get_logger()

SUFFIX = ".rrd"
_NAME = re.compile(r"(?:host|vm):[0-9a-f-]{36}")


class HistoryFiles:
    """A folder of archives by their owners, `host:` or `vm:` and a uuid."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, owner: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(self._path(owner), data, mode=0o600)

    def read(self, owner: str) -> bytes | None:
        """The owner's file; None when there is none that can be read."""
        path = self._path(owner)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            log.warning("history_unreadable", owner=owner, reason=str(fault))
            return None

    def load(self, owner: str) -> Archives | None:
        """The owner's archives; None when there are none that can be read."""
        data = self.read(owner)
        if data is None:
            return None
        try:
            return load_archives(data)
        except NoArchives as fault:
            log.warning("history_unreadable", owner=owner, reason=str(fault))
            return None

    def remove(self, owner: str) -> None:
        self._path(owner).unlink(missing_ok=True)

    def owners(self) -> frozenset[str]:
        """Of whom there is something."""
        names = (path.name.removesuffix(SUFFIX).replace("_", ":") for path in self._folder.glob(f"*{SUFFIX}"))
        return frozenset(name for name in names if _NAME.fullmatch(name))

    def _path(self, owner: str) -> Path:
        if not _NAME.fullmatch(owner):
            raise ValueError(f"no owner of a history: {owner[:80]}")
        return self._folder / f"{owner.replace(':', '_')}{SUFFIX}"
