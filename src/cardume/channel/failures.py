"""Errors of a host's hands, carried whole from the host where they happened to the one that asked."""

import json
from collections.abc import Iterator
from typing import Any

from cardume.hostops.errors import HostError


def dump_error(error: Exception) -> dict[str, Any]:
    """An error as JSON; one that is no `HostError` is told as one, with its kind in the sentence."""
    if not isinstance(error, HostError):
        return {"error": HostError.__name__, "text": f"{type(error).__name__}: {error}", "facts": {}}
    facts = {name: value for name, value in vars(error).items() if _is_plain(value)}
    return {"error": type(error).__name__, "text": str(error), "facts": facts}


def load_error(given: dict[str, Any]) -> HostError:
    """The error that was dumped, of its own class where this host knows it."""
    cls = next((cls for cls in _classes(HostError) if cls.__name__ == given["error"]), HostError)
    error = cls.__new__(cls, given["text"])  # not through its own __init__: each has other parameters
    error.args = (given["text"],)
    for name, value in given["facts"].items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error


def _classes(cls: type[HostError]) -> Iterator[type[HostError]]:
    yield cls
    for below in cls.__subclasses__():
        yield from _classes(below)


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True
