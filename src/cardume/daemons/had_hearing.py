"""What happens, as the HA daemon tells it over its socket: each thing once, over one connection after the other."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from cardume.daemons.had_events import event_of, events_of_status
from cardume.daemons.had_line import had_line
from cardume.hostops.ha.interface import HaError, HaEvent, HaEventKind

log = structlog.get_logger()

AGAIN_S = 1.0
_LEADS = frozenset({HaEventKind.LEAD, HaEventKind.STOP_LEADING})
_LEADING = _LEADS | {HaEventKind.TURNED_OFF}


class HadHearing:
    """The events so far, and those that come."""

    def __init__(self, host_uuid: str, socket: Path, gate_opened: Callable[[int | None], object]) -> None:
        """`gate_opened`: is told of the life whose guests may start here now."""
        self._uuid, self._socket, self._gate_opened = host_uuid, socket, gate_opened
        self._events: list[HaEvent] = []
        self._last_heard: Mapping[str, Any] = {}
        self._happened = asyncio.Event()

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        if len(self._events) <= after:
            self._happened.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._happened.wait()
            except TimeoutError:
                return ()
        return tuple(self._events[after:])

    async def listen(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._follow()
            except HaError as fault:
                log.debug("had_not_heard", reason=str(fault))
            except Exception:
                log.exception("had_not_understood")
            # Whether this host leads nobody can say now.
            self._note(HaEvent(0, HaEventKind.STOP_LEADING, host=self._uuid))
            await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        """Take in what happened, then what is, then what happens; until the daemon goes."""
        async with had_line(self._socket) as line:
            await line.say("events", after=0)
            await line.say("status")
            past: list[Mapping[str, Any]] | None = []
            while True:
                told = await line.hear()
                if "taking_part" in told:
                    for each in _unheard(past or (), self._last_heard):
                        self._take(each, is_past=True)
                    past = None
                    self._gate_opened(told.get("gate"))
                    for event in events_of_status(told, self._uuid):
                        self._note(event)
                elif past is not None:
                    past.append(told)
                else:
                    self._take(told, is_past=False)

    def _take(self, told: Mapping[str, Any], *, is_past: bool) -> None:
        """Take in what happened.

        Who led once does not lead now for that: only what is true now says so. That it was off is heard: decisions and
        lives of before that were counted from another beginning.
        """
        self._last_heard = told
        event = event_of(told, self._uuid)
        if told.get("event") == "gate-opened" and not is_past:
            self._gate_opened(told["life"])
        elif event is not None and not (is_past and event.kind in _LEADS):
            self._note(event)

    def _note(self, event: HaEvent) -> None:
        if event.kind is HaEventKind.STOP_LEADING and not self._may_lead():
            return
        self._events.append(replace(event, number=len(self._events) + 1))
        self._happened.set()

    def _may_lead(self) -> bool:
        """Whether the last word on it was that this host leads."""
        words = (event.kind for event in reversed(self._events) if event.kind in _LEADING)
        return next(words, None) is HaEventKind.LEAD


def _unheard(past: Sequence[Mapping[str, Any]], last: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What was not heard yet of what a daemon tells once more; `last`: what was heard last, of this or another one."""
    heard = next((at for at, told in enumerate(past, 1) if told == last), 0)
    return past[heard:]
