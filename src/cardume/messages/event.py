"""What event messages do: clients wait for changes of objects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from cardume.datamodel.event import EventOperation
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.registry import implements


@dataclass(frozen=True, slots=True)
class Happening:
    """One object's change, as a client is told it."""

    id: int
    cls: str  # as declared; the wire has it in lower case
    operation: EventOperation
    ref: Ref[Any]
    record: Any = None  # as it was when the batch was put together: its counts speak of that moment too


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """What `event.from` answers, or `event.next` without token and counts.

    One batch is handed to all clients that wait for the same; `texts` keeps it as each wire writes it.
    """

    happenings: tuple[Happening, ...]
    timestamp: str = "0.0"
    token: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


class Seat(Protocol):
    """A call that waits: whoever answers it may have the batch handed over at once, without waking anybody before."""

    deliver: Callable[[EventBatch], None] | None

    async def wait(self) -> EventBatch:
        """The batch, after it was delivered; SESSION_INVALID when the session ends, EVENTS_LOST."""
        ...


class EventService(Protocol):
    """Who waits for what; `api/events.py` is the implementation."""

    def ask_from(
        self, session: Ref[Any], classes: tuple[str, ...], token: str, timeout_s: float
    ) -> EventBatch | Seat: ...

    async def wait_next(self, session: Ref[Any]) -> EventBatch: ...

    def register(self, session: Ref[Any], classes: tuple[str, ...]) -> None: ...

    def unregister(self, session: Ref[Any], classes: tuple[str, ...]) -> None: ...

    def current_id(self) -> int: ...

    def inject(self, cls: str, ref: Ref[Any]) -> str: ...


@implements("event.from")
async def from_(call: Call, classes: tuple[str, ...], token: str, timeout: float) -> EventBatch | Seat:
    """What there is, or the place of a call that waits; the API's side writes the answer of one when there is one."""
    return _events(call).ask_from(call.caller.session, classes, token, timeout)


@implements("event.next")
async def next_(call: Call) -> EventBatch:
    return await _events(call).wait_next(call.caller.session)


@implements("event.register")
async def register(call: Call, classes: tuple[str, ...]) -> None:
    _events(call).register(call.caller.session, classes)


@implements("event.unregister")
async def unregister(call: Call, classes: tuple[str, ...]) -> None:
    _events(call).unregister(call.caller.session, classes)


@implements("event.get_current_id")
async def get_current_id(call: Call) -> int:
    return _events(call).current_id()


@implements("event.inject")
async def inject(call: Call, class_: str, ref: str) -> str:
    return _events(call).inject(class_, Ref(ref))


def _events(call: Call) -> EventService:
    return cast(EventService, call.services["events"])
