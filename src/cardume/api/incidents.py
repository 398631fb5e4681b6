"""What a caller is told when something failed: XenAPI's own errors as they are, anything else without its details."""

import secrets
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.schema import Message

log = structlog.get_logger(__name__)

_SECRET_WORDS = ("password", "pwd", "secret", "token")


def told(error: Exception, message: str, hidden: Iterable[str] = ()) -> ApiError:
    """The error that the caller is told.

    Anything but an ApiError is our own fault: the log gets the traceback, the caller the number to find it by.
    """
    if isinstance(error, ApiError):
        return error
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
        case tuple() | list():
            for member in value:
                _gather(member, is_secret, found)


def _names_a_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
