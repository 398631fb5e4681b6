"""The host's accounts: a small file with a line `user:kept password` for each, readable by root alone."""

import asyncio
from pathlib import Path

from cardume.hostops.durable import write_text


class AccountFile:
    """The `Accounts` of api/authentication.py, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = _parse(path.read_text()) if path.exists() else {}

    def find_password(self, user: str) -> str | None:
        return self._kept.get(user)

    async def set_password(self, user: str, kept: str) -> None:
        """Durable when it returns."""
        changed = {**self._kept, user: kept}
        text = "".join(f"{name}:{value}\n" for name, value in changed.items())
        await asyncio.to_thread(write_text, self._path, text, mode=0o600)
        self._kept = changed


def _parse(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: kept for name, _, kept in pairs}
