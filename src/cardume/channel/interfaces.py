"""What of a host's hands can be asked over the channel, read from the signatures of their interfaces."""

import collections.abc
import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

DEFAULT_S = 120.0
"""How long a call may take that names no time itself."""

MARGIN_S = 10.0
"""Added to the time that a call names, for the way there and back: the host itself ends it in time, and says why."""

LONG_S = 24 * 3600.0
"""For calls that tell their progress: a connection that dies ends them long before."""

SAID_LOCALLY = frozenset({"subscribe", "on_reconnect", "check_config", "missing_keys"})
"""Done by the side that asks: see remote.py."""


class Kind(Enum):
    """How a parameter goes over the channel."""

    VALUE = "value"
    PROGRESS = "progress"  # Callable[[float], None]: told back
    STEP = "step"  # Callable[[], Awaitable[None]]: asked back


@dataclass(frozen=True, slots=True)
class Method:
    """One method of an interface."""

    name: str
    signature: inspect.Signature
    kinds: Mapping[str, Kind]
    types: Mapping[str, Any]  # of parameters that are values
    result: Any
    opens: type | None  # for what is used with `async with`: the interface of the object inside, or None's type

    def time_s(self, given: Mapping[str, Any]) -> float:
        """How long to wait for it with these arguments."""
        if "timeout_s" in given:
            return float(given["timeout_s"]) + MARGIN_S
        return LONG_S if Kind.PROGRESS in self.kinds.values() else DEFAULT_S


@cache
def methods(interface: type) -> Mapping[str, Method]:
    """The methods of an interface that go over the channel, by name."""
    found = {}
    for name, function in inspect.getmembers(interface, inspect.isfunction):
        if not name.startswith("_") and name not in SAID_LOCALLY:
            method = _method(name, function)
            if method is not None:
                found[name] = method
    return found


@cache
def properties(interface: type) -> Mapping[str, Any]:
    """The properties of an interface with their types."""
    return {
        name: typing.get_type_hints(prop.fget)["return"]
        for name, prop in inspect.getmembers(interface, lambda member: isinstance(member, property))
    }


def _method(name: str, function: Callable[..., Any]) -> Method | None:
    hints = typing.get_type_hints(function)
    signature = inspect.signature(function)
    signature = signature.replace(parameters=[one for key, one in signature.parameters.items() if key != "self"])
    kinds = {key: _kind(hints[key]) for key in signature.parameters}
    result = hints["return"]
    opens = None
    if typing.get_origin(result) is AbstractAsyncContextManager:
        opens = typing.get_args(result)[0] or type(None)
    values = {key: hints[key] for key, kind in kinds.items() if kind is Kind.VALUE}
    return Method(name, signature, kinds, values, result, opens)


def _kind(hint: Any) -> Kind:
    if typing.get_origin(hint) is not collections.abc.Callable:
        return Kind.VALUE
    arguments, result = typing.get_args(hint)
    if arguments == [float] and result in (None, type(None)):
        return Kind.PROGRESS
    assert (arguments, result) == ([], Awaitable[None]), f"{hint} does not go over the channel"
    return Kind.STEP
