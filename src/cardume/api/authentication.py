"""Logging in with a password: as slow for a wrong user as for a wrong password, and slower with every failure."""

import asyncio
import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cardume.core.passwords import NOBODY, hash_password, verify_password
from cardume.datamodel.roles import Role
from cardume.messages.session import Identity

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 10.0
FORGIVEN_AFTER_S = 600.0
MOST_ADDRESSES = 10_000
MOST_WAITING = 32
"""Log-ins of one address that may queue behind a failed one; those above fail at once."""


class Accounts(Protocol):
    """Where users and their kept passwords are; the daemon has the implementation."""

    def find_password(self, user: str) -> str | None:
        """What `hash_password` made of the user's password."""
        ...

    async def set_password(self, user: str, kept: str) -> None: ...


@dataclass(slots=True)
class _Address:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    failed_s: float = 0.0
    waiting: int = 0


class PasswordAuthenticator:
    """The `Authenticator` and the `PasswordChanger` of messages/session.py, over local accounts: each is root."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        first_delay_s: float = FIRST_DELAY_S,
        longest_delay_s: float = LONGEST_DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._clock = clock
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._key = os.urandom(32)
        self._proven: dict[str, tuple[str, bytes]] = {}  # user to kept text and keyed digest of what matched it

    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        """Whose password it is; None, after a delay, when it is nobody's.

        The log-ins of one address go one after the other, so that guessing in parallel gains nothing.
        """
        place = self._address(address)
        if place.waiting >= MOST_WAITING and place.failures:
            return None
        place.waiting += 1
        try:
            async with place.lock:
                if await self._is_right(user, password):
                    place.failures = 0
                    return Identity(user, Role.LOCAL_ROOT, is_local_superuser=True)
                place.failures += 1
                place.failed_s = self._clock()
                await asyncio.sleep(self._delay_s(place.failures))
                return None
        finally:
            place.waiting -= 1

    async def change(self, user: str, password: str) -> None:
        """Keep a new password."""
        await self._accounts.set_password(user, await asyncio.to_thread(hash_password, password))

    async def _is_right(self, user: str, password: str) -> bool:
        kept = self._accounts.find_password(user)
        digest = hmac.digest(self._key, f"{user}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        # A password that was proven dear is known again cheaply: clients log in by the hundred after a failover.
        proven = self._proven.get(user)
        if kept is not None and proven is not None and proven[0] == kept and hmac.compare_digest(proven[1], digest):
            return True
        is_right = await asyncio.to_thread(verify_password, password, NOBODY if kept is None else kept)
        if kept is None or not is_right:
            return False
        self._proven[user] = (kept, digest)
        return True

    def _delay_s(self, failures: int) -> float:
        return min(self._first_delay_s * 2.0 ** min(failures - 1, 20), self._longest_delay_s)

    def _address(self, address: str) -> _Address:
        place = self._addresses.setdefault(address, _Address())
        self._addresses.move_to_end(address)
        if place.failures and self._clock() - place.failed_s > FORGIVEN_AFTER_S:
            place.failures = 0
        if len(self._addresses) > MOST_ADDRESSES:
            oldest = next(iter(self._addresses))
            if not self._addresses[oldest].waiting:
                del self._addresses[oldest]
        return place
