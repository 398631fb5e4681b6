"""event: a change of an object, and the messages to wait for changes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from cardume.datamodel.declare import STATIC_RO, field, message, named, xenclass
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set


@named("event_operation")
class EventOperation(StrEnum):
    """What happened to an object."""

    ADD = "add"
    DEL = "del"
    MOD = "mod"


@xenclass(name="event", role=Role.READ_ONLY, events=False, stored=False, has_async=False)
class Event:
    """A change of an object: added, changed or deleted."""

    id: int = field(STATIC_RO, "the number of the change")
    timestamp: datetime = field(STATIC_RO, "not used: always 0")
    class_: str = field(STATIC_RO, "the object's class, in lower case")
    operation: EventOperation = field(STATIC_RO, "what happened to the object")
    ref: str = field(STATIC_RO, "the object's reference")
    obj_uuid: str = field(STATIC_RO, "the object's uuid; kept for older clients")

    @message(errors=("EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENT_SUBSCRIPTION_PARSE_FAILURE"))
    @staticmethod
    def from_(classes: Set[str], token: str, timeout: float) -> Set[Event]:
        """Wait at most `timeout` seconds for changes after the token; answers them and the next token."""

    @message(errors=("SESSION_NOT_REGISTERED", "EVENTS_LOST", "EVENT_SUBSCRIPTION_PARSE_FAILURE"))
    @staticmethod
    def next() -> Set[Event]:
        """Wait for changes of the registered classes; `from` is the better message, as it loses nothing."""

    @message()
    @staticmethod
    def register(classes: Set[str]) -> None:
        """Let the calling session's `next` tell of these classes; `*` means all."""

    @message()
    @staticmethod
    def unregister(classes: Set[str]) -> None:
        """Let the calling session's `next` tell of these classes no longer."""

    @message()
    @staticmethod
    def get_current_id() -> int:
        """The number of the latest change."""

    @message()
    @staticmethod
    def inject(class_: str, ref: str) -> str:
        """Make a change that changes nothing, and answer with a token from just before it, to wait for it."""
