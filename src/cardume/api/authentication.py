"""Logging in with a password: as slow for a wrong user as for a wrong password, and slower with every failure."""

import asyncio
import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from cardume.core.passwords import NOBODY, hash_password, verify_password
from cardume.datamodel import errors
from cardume.guessers import guesser
from cardume.messages.session import ROOT, Identity

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 10.0
FORGIVEN_AFTER_S = 600.0
MOST_ADDRESSES = 10_000
MOST_WAITING = 32
"""Log-ins of one address that may queue behind a failed one; those above fail at once."""
HASHES_AT_ONCE = 2
"""Each takes 16 MiB and a core: a storm of log-ins waits here, and neither fills the memory nor starves the rest."""

OWN_SOCKET = ""
"""The address of who comes over the host's own socket: root already, so never made to wait."""


class Accounts(Protocol):
    """Where users and their kept passwords are; the daemon has the implementation."""

    def find_password(self, user: str) -> str | None:
        """What `hash_password` made of the user's password."""
        ...

    async def set_password(self, user: str, kept: str) -> None: ...


Grant = Callable[[str], Identity | None]
"""Whose rights an account other than root has, by its name; None when it was given none."""


@dataclass(slots=True)
class _Address:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    failed_s: float = 0.0
    waiting: int = 0


class PasswordAuthenticator:
    """The `Authenticator` and the `PasswordChanger` of messages/session.py, over the pool's own accounts."""

    def __init__(
        self,
        accounts: Accounts,
        grant: Grant,
        *,
        first_delay_s: float = FIRST_DELAY_S,
        longest_delay_s: float = LONGEST_DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._grant = grant
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._clock = clock
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._hashing = ThreadPoolExecutor(HASHES_AT_ONCE, "passwords")
        self._key = os.urandom(32)
        self._proven: dict[str, tuple[str, bytes]] = {}  # user to kept text and keyed digest of what matched it

    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        """Whose password it is; None, after a delay, when it is nobody's.

        The log-ins of one address go one after the other, so that guessing in parallel gains nothing.
        """
        is_right = await (
            self._is_right(user, password) if address == OWN_SOCKET else self._in_turn(user, password, address)
        )
        if not is_right:
            return None
        identity = ROOT if user == ROOT.user else self._grant(user)
        if identity is None:
            raise errors.SESSION_AUTHORIZATION_FAILED(user, "The account has no role in this pool.")
        return identity

    async def change(self, user: str, password: str) -> None:
        """Keep a new password."""
        kept = await asyncio.get_running_loop().run_in_executor(self._hashing, hash_password, password)
        await self._accounts.set_password(user, kept)

    async def _in_turn(self, user: str, password: str, address: str) -> bool:
        """Whether the password is right, told when the address's earlier log-ins are done; and late when it is not."""
        place = self._address(address)
        if place.waiting >= MOST_WAITING and place.failures:
            return False
        place.waiting += 1
        try:
            async with place.lock:
                if await self._is_right(user, password):
                    place.failures = 0
                    return True
                place.failures += 1
                place.failed_s = self._clock()
                await asyncio.sleep(self._delay_s(place.failures))
                return False
        finally:
            place.waiting -= 1
            self._forget_if_idle(address, place)

    async def _is_right(self, user: str, password: str) -> bool:
        kept = self._accounts.find_password(user)
        digest = hmac.digest(self._key, f"{user}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        # A password that was proven dear is known again cheaply: clients log in by the hundred after a failover.
        proven = self._proven.get(user)
        if kept is not None and proven is not None and proven[0] == kept and hmac.compare_digest(proven[1], digest):
            return True
        loop = asyncio.get_running_loop()
        is_right = await loop.run_in_executor(
            self._hashing, verify_password, password, NOBODY if kept is None else kept
        )
        if kept is None or not is_right:
            return False
        self._proven[user] = (kept, digest)
        return True

    def _delay_s(self, failures: int) -> float:
        return min(self._first_delay_s * 2.0 ** min(failures - 1, 20), self._longest_delay_s)

    # Who failed

    def _address(self, address: str) -> _Address:
        who = guesser(address)
        place = self._addresses.setdefault(who, _Address())
        self._addresses.move_to_end(who)
        if place.failures and self._clock() - place.failed_s > FORGIVEN_AFTER_S:
            place.failures = 0
        if len(self._addresses) > MOST_ADDRESSES:
            # The one that failed longest ago, unless somebody waits there: those are as few as connections are.
            oldest = next((name for name, other in self._addresses.items() if not other.waiting and name != who), None)
            if oldest is not None:
                del self._addresses[oldest]
        return place

    def _forget_if_idle(self, address: str, place: _Address) -> None:
        if not place.failures and not place.waiting:
            self._addresses.pop(guesser(address), None)

    @property
    def remembered(self) -> int:
        """How many addresses have a failure or a log-in under way."""
        return len(self._addresses)
