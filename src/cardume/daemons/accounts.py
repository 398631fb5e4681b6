"""The pool's own accounts: a small file, readable by root alone, with a line `user:kept password:identifier` for each.

The daemon and `cardume account` both write it: each reads it anew under a lock, and sees what the other wrote.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cardume.datamodel.refs import new_uuid
from cardume.hostops.durable import write_text

ROOT = "root"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._@-]{0,63}")


class AccountError(Exception):
    """The account cannot be changed so; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. Root alone has no identifier: it is no subject."""

    kept: str
    identifier: str = ""


Accounts = Mapping[str, Account]


class AccountFile:
    """The `Accounts` of api/authentication.py and the `Directory` of messages/auth.py, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, int, int] | None = None
        self._accounts: Accounts = {}

    def find_password(self, user: str) -> str | None:
        account = self._now().get(user)
        return account.kept if account is not None else None

    def find_identifier(self, name: str) -> str | None:
        account = self._now().get(name)
        return account.identifier or None if account is not None else None

    def find_name(self, identifier: str) -> str | None:
        accounts = self._now().items()
        return next((name for name, account in accounts if identifier and account.identifier == identifier), None)

    def names(self) -> list[str]:
        """The names of all accounts."""
        return sorted(self._now())

    def text(self) -> str:
        """All accounts, as the file has them: for other hosts of the pool alone."""
        return _render(self._now())

    async def take(self, text: str) -> None:
        """Have the accounts that the pool's master has, and no others."""
        accounts = _parse(text)
        if ROOT not in accounts:
            raise AccountError("the pool's accounts came without root")
        await asyncio.to_thread(self._change, lambda _: accounts)

    async def set_password(self, user: str, kept: str) -> None:
        """Durable when it returns. An account of root is made when there is none."""

        def change(accounts: Accounts) -> Accounts:
            if user not in accounts and user != ROOT:
                raise AccountError(f"there is no account {user}")
            return {**accounts, user: replace(accounts.get(user, Account("")), kept=kept)}

        await asyncio.to_thread(self._change, change)

    async def add(self, user: str, kept: str) -> None:
        """Make an account, with an identifier that no account had before."""
        if not _NAME.fullmatch(user):
            raise AccountError(f"{user!r} is no name for an account: letters, digits and . _ @ - make one")

        def change(accounts: Accounts) -> Accounts:
            if user in accounts:
                raise AccountError(f"there is an account {user} already")
            return {**accounts, user: Account(kept, f"local-{new_uuid()}")}

        await asyncio.to_thread(self._change, change)

    async def remove(self, user: str) -> None:
        """Remove an account: nobody logs in with it any more."""

        def change(accounts: Accounts) -> Accounts:
            if user == ROOT:
                raise AccountError("root is the pool's own account and stays")
            if user not in accounts:
                raise AccountError(f"there is no account {user}")
            return {name: account for name, account in accounts.items() if name != user}

        await asyncio.to_thread(self._change, change)

    def _now(self) -> Accounts:
        """What the file says; read anew when it is another file than the one that was read."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._state, self._accounts = None, {}
            return self._accounts
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
        if state != self._state:
            self._accounts = _parse(self._path.read_text())
            self._state = state
        return self._accounts

    def _change(self, change: Callable[[Accounts], Accounts]) -> None:
        with _locked(self._path.with_name(f"{self._path.name}.lock")):
            present = _parse(self._path.read_text()) if self._path.exists() else {}
            write_text(self._path, _render(change(present)), mode=0o600)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out. A file of its own, as the accounts' file is replaced with every change."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parse(text: str) -> Accounts:
    parts = (line.split(":") for line in text.splitlines() if ":" in line)
    return {name: Account(kept, more[0] if more else "") for name, kept, *more in parts}


def _render(accounts: Accounts) -> str:
    lines = ([name, account.kept, account.identifier] for name, account in accounts.items())
    return "".join(":".join(part for part in line if part) + "\n" for line in lines)
