"""What a caller is told when something failed: XenAPI's own errors as they are, anything else without its details."""

import dataclasses
import secrets
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.schema import Message
from cardume.hostops.errors import LinkLost
from cardume.pooldb.store import Deposed, NoQuorum, OutcomeUnknown, TooLarge

log = structlog.get_logger(__name__)

_SECRET_WORDS = ("password", "pwd", "secret", "token", "private_key")


def told(error: Exception, message: str, hidden: Iterable[str] = ()) -> ApiError:
    """The error that the caller is told.

    Anything but an ApiError is our own fault: the log gets the traceback, the caller the number to find it by.
    """
    match error:
        case ApiError():
            return error
        case TooLarge():
            return errors.OPERATION_NOT_ALLOWED(f"The change is too large for the pool database: {error}.")
        case Deposed():
            return errors.HOST_STILL_BOOTING()  # another host is the master; nothing was written here
        case NoQuorum():
            return errors.INTERNAL_ERROR("The pool database cannot be written now; nothing was changed.")
        case OutcomeUnknown():
            return errors.INTERNAL_ERROR("The pool database did not answer; whether the change was made is not known.")
        case LinkLost():
            log.warning("host_lost_in_a_call", message=message, error=str(error))
            return errors.HOST_NOT_LIVE()
    incident = secrets.token_hex(4)
    trace = "".join(traceback.format_exception(error))
    for text in hidden:
        trace = trace.replace(text, "***")
    log.error("message_failed", message=message, incident=incident, traceback=trace)
    return errors.INTERNAL_ERROR(f"{type(error).__name__} in {message}; see incident {incident} in the host's log")


def secret_texts(message: Message, values: tuple[Any, ...]) -> tuple[str, ...]:
    """The texts among a message's parameters that must not reach a log."""
    found: list[str] = []
    for param, value in zip(message.params, values, strict=True):
        _gather(value, _names_a_secret(param.name) or message.cls == "secret", found)
    return tuple(text for text in found if len(text) > 2)


def _gather(value: Any, is_secret: bool, found: list[str]) -> None:
    match value:
        case str():
            if is_secret:
                found.append(value)
        case Mapping():
            for key, member in value.items():
                _gather(member, is_secret or _names_a_secret(str(key)), found)
        case _ if dataclasses.is_dataclass(value):  # a constructor's record
            for field in dataclasses.fields(value):
                _gather(getattr(value, field.name), is_secret or _names_a_secret(field.name), found)
        case tuple() | list():
            for member in value:
                _gather(member, is_secret, found)


def _names_a_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
