"""Starts of guests as the HA daemon knows them: which are under way, and for which life they were ordered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from cardume.daemons.gated_guests import StartNote
from cardume.daemons.had_status import life_of
from cardume.datamodel.refs import new_uuid
from cardume.hostops.ha.interface import HaError

log = structlog.get_logger()

AGAIN_S = 1.0


class Ask(Protocol):
    """Asks the HA daemon; HaError."""

    async def __call__(self, do: str, **given: Any) -> Mapping[str, Any]: ...


class HadStarts:
    """The `Gate` of gated_guests.py. To be closed."""

    def __init__(self, ask: Ask, config: Path) -> None:
        """`config`: the file that there is while HA is on here."""
        self._ask, self._config = ask, config
        self._ending: set[asyncio.Task[None]] = set()
        self.run = new_uuid()  # in the names of starts: none is of an earlier life of this daemon too
        self._unnoted: set[str] = set()
        """Starts that were ordered while HA was off, and are with libvirt still."""
        self._life: int | None = None  # that orders are meant for
        self._on_new_life: Callable[[], None] | None = None

    async def close(self) -> None:
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)

    @property
    def life(self) -> int | None:
        """That orders are meant for; None: for any."""
        return self._life

    def mean(self, life: int | None) -> None:
        """Orders are meant for this life from now on: it has just begun, and nobody has ordered anything yet."""
        self._life = life

    async def take_orders(self, on_new_life: Callable[[], None], *, is_on: bool = True) -> None:
        """What is ordered from now on is meant for the life that this host has now. HaError: that is not known.

        Orders for an earlier life are refused: its guests may run elsewhere by now. `on_new_life` is called once, when
        another life goes on here: orders have to be taken anew for that one. `is_on`: as far as the pool knows it has
        high availability; without it an HA daemon that does not answer is no error, whatever it has left here.
        """
        self._on_new_life = on_new_life
        try:
            self._life = life_of(await self._ask("status")) if self._config.exists() else None
        except HaError:
            if is_on:
                raise
            self._life = None

    def look_at_life(self, life: int | None) -> bool:
        """Whether orders are meant for this life; None: high availability is off, and they are for any."""
        if life is None or self._life is None or life == self._life:
            return True
        tell, self._on_new_life = self._on_new_life, None
        if tell is not None:
            log.warning("orders_for_another_life", meant=self._life, life=life)
            tell()
        return False

    @asynccontextmanager
    async def guest_begins(self, operation: str) -> AsyncIterator[StartNote]:
        """Hold while an order to start a guest is with libvirt; HaError when this host may run none now."""
        operation = f"{operation}/{self.run}"
        note = StartNote()
        is_unnoted = not self._config.exists()  # HA is off: nobody has to know, until it is switched on
        try:
            if is_unnoted:
                self._unnoted.add(operation)
            else:
                told = await self._ask("guest-begins", operation=operation)
                if not self.look_at_life(told.get("life")):
                    raise HaError("this host has begun another life since it was told to run this guest")
            yield note
        finally:  # also when no answer came: the daemon may have noted it
            ending = self._end_later(operation, note)
            if note.until is None:
                await asyncio.wait((ending,), timeout=AGAIN_S)

    async def note_starts(self) -> None:
        """Have the daemon know of what was ordered before there was an arrangement; the rest it is told as it comes."""
        for operation in list(self._unnoted):
            await self._ask("guest-begins", operation=operation)
            if operation in self._unnoted:
                self._unnoted.discard(operation)  # who ordered it tells of its end
            else:
                await self._ask("guest-ended", operation=operation)

    def _end_later(self, operation: str, note: StartNote) -> "asyncio.Task[None]":
        return self._spawn(self._tell_ended(operation, note))

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _tell_ended(self, operation: str, note: StartNote) -> None:
        """Until the daemon has heard it: a start that never ends would keep this host from leaving."""
        if note.until is not None:
            await note.until()
        if operation in self._unnoted:
            self._unnoted.discard(operation)
            return
        while True:
            try:
                await self._ask("guest-ended", operation=operation)
                return
            except HaError as fault:
                log.warning("had_start_not_ended", operation=operation, reason=str(fault))
                await asyncio.sleep(AGAIN_S)

    async def recall_starts(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        """Tell of the end of each start that an earlier life of this daemon had begun, when `until_over` returns.

        An HA daemon that does not answer now is asked again until it does: it would wait for these ends for ever.
        """
        try:
            await self._recall(until_over)
        except HaError as fault:
            log.warning("had_starts_not_recalled", reason=str(fault))
            self._spawn(self._recall_later(until_over))

    async def _recall_later(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            with suppress(HaError):
                await self._recall(until_over)
                return

    async def _recall(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        if self._config.exists():
            for operation in (await self._ask("status")).get("pending", ()):
                if not operation.endswith(self.run):
                    self._end_later(operation, StartNote(partial(until_over, operation)))
