"""Plain values of the hosts' interfaces as JSON and bytes, and back: told apart and checked by their own types."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

KIND = "@"
"""The key under which a dataclass's own name stands: alternatives of a union are told apart by it."""


class BadValue(ValueError):
    """What came is no value of the type that was expected; says where."""


def dump(value: Any) -> Any:
    """A value as JSON whose leaves may be bytes; AssertionError for a kind that no interface may use."""
    match value:
        case Enum():  # first: an enum may be a text or a number as well
            return value.value
        case None | bool() | int() | float() | bytes():
            return value
        case str():
            return str(value)
        case Path() | IPv4Address() | IPv6Address():  # interfaces are addresses too
            return str(value)
        case Mapping():
            return [[dump(key), dump(each)] for key, each in value.items()]
        case tuple() | list():
            return [dump(each) for each in value]
        case frozenset() | set():
            return sorted((dump(each) for each in value), key=repr)
    assert dataclasses.is_dataclass(value), f"{type(value).__name__} does not go over the channel"
    fields = {field.name: dump(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {KIND: type(value).__name__, **fields}


def load(wanted: Any, given: Any, where: str = "value") -> Any:
    """The value that was dumped, as the type that is wanted; BadValue when it is none."""
    if wanted is Any:
        return given
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return _load_union(typing.get_args(wanted), given, where)
    if wanted is None or wanted is type(None):
        return _expect(given is None, None, given, where)
    if origin is not None:
        return _load_collection(origin, typing.get_args(wanted), given, where)
    if dataclasses.is_dataclass(wanted):
        return _load_dataclass(typing.cast(type, wanted), given, where)
    return _load_plain(wanted, given, where)


def _load_plain(wanted: Any, given: Any, where: str) -> Any:
    if wanted is float:
        return float(_expect(isinstance(given, (int, float)) and not isinstance(given, bool), given, given, where))
    if wanted is bool:
        return _expect(isinstance(given, bool), given, given, where)
    if wanted is int:
        return _expect(isinstance(given, int) and not isinstance(given, bool), given, given, where)
    if wanted is bytes:
        return _expect(isinstance(given, bytes), given, given, where)
    assert isinstance(wanted, type), f"{wanted} does not go over the channel"
    if issubclass(wanted, (Path, IPv4Address, IPv6Address)):
        text = _expect(isinstance(given, str), given, given, where)
        try:
            return wanted(text)
        except ValueError:
            raise BadValue(f"{where}: {text!r} is no {wanted.__name__}") from None
    if issubclass(wanted, Enum):
        try:
            return wanted(given)
        except ValueError:
            raise BadValue(f"{where}: {given!r} is no {wanted.__name__}") from None
    if issubclass(wanted, str):
        return wanted(_expect(isinstance(given, str), given, given, where))
    raise AssertionError(f"{wanted.__name__} does not go over the channel")


def _load_collection(origin: Any, arguments: tuple[Any, ...], given: Any, where: str) -> Any:
    _expect(isinstance(given, list), None, given, where)
    if issubclass(origin, Mapping):
        key, value = arguments
        return {load(key, pair[0], where): load(value, pair[1], f"{where}[{pair[0]}]") for pair in given}
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        _expect(len(given) == len(arguments), None, given, where)
        return tuple(load(kind, each, where) for kind, each in zip(arguments, given, strict=True))
    items = (load(arguments[0], each, f"{where}[{index}]") for index, each in enumerate(given))
    if origin in (frozenset, set):
        return frozenset(items)
    assert origin is tuple or issubclass(origin, Sequence), f"{origin} does not go over the channel"
    return tuple(items)


def _load_union(kinds: tuple[Any, ...], given: Any, where: str) -> Any:
    if given is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    if len(rest) == 1:
        return load(rest[0], given, where)
    named: dict[str, Any] = {
        kind.__name__: kind for kind in rest if dataclasses.is_dataclass(kind) and isinstance(kind, type)
    }
    if isinstance(given, dict) and given.get(KIND) in named:
        return load(named[given[KIND]], given, where)
    for kind in rest:
        if kind not in named.values():
            with suppress(BadValue):
                return load(kind, given, where)
    raise BadValue(f"{where}: none of {', '.join(str(kind) for kind in rest)}")


def _load_dataclass(cls: type, given: Any, where: str) -> Any:
    if not isinstance(given, dict) or given.get(KIND) != cls.__name__:
        raise BadValue(f"{where}: no {cls.__name__}")
    types_of = _field_types(cls)
    if given.keys() - {KIND} != types_of.keys():
        raise BadValue(f"{where}: {cls.__name__} has the fields {', '.join(types_of)}")
    return cls(**{name: load(kind, given[name], f"{where}.{name}") for name, kind in types_of.items()})


@cache
def _field_types(cls: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _expect(holds: bool, value: Any, given: Any, where: str) -> Any:
    if not holds:
        raise BadValue(f"{where}: unexpected {type(given).__name__}")
    return value
