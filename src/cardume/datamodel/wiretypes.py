"""The types of XenAPI as values, and how a Python annotation names one.

`str(type)` is the notation of the public documentation: `VM ref set`, `(string -> string) map`, `enum vm_operations`.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, TypeVar

from cardume.datamodel.refs import NULL, Ref

T = TypeVar("T")
Set = tuple[T, ...]
"""A XenAPI set: its order has no meaning, and is kept."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Prim(Enum):
    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATETIME = "datetime"
    VOID = "void"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class EnumType:
    name: str
    python: type[StrEnum]

    def __str__(self) -> str:
        return f"enum {self.name}"


@dataclass(frozen=True, slots=True)
class RefType:
    cls: str

    def __str__(self) -> str:
        return f"{self.cls} ref"


@dataclass(frozen=True, slots=True)
class RecordType:
    cls: str

    def __str__(self) -> str:
        return f"{self.cls} record"


@dataclass(frozen=True, slots=True)
class SetType:
    item: "WireType"

    def __str__(self) -> str:
        return f"{self.item} set"


@dataclass(frozen=True, slots=True)
class MapType:
    key: "WireType"
    value: "WireType"

    def __str__(self) -> str:
        return f"({self.key} -> {self.value}) map"


@dataclass(frozen=True, slots=True)
class OptionType:
    item: "WireType"

    def __str__(self) -> str:
        return f"{self.item} option"


WireType = Prim | EnumType | RefType | RecordType | SetType | MapType | OptionType

_PRIMS: Mapping[object, Prim] = {
    str: Prim.STRING,
    int: Prim.INT,
    float: Prim.FLOAT,
    bool: Prim.BOOL,
    datetime: Prim.DATETIME,
    None: Prim.VOID,
    type(None): Prim.VOID,
}


def wire_type(annotation: Any) -> WireType:
    """The XenAPI type that a resolved Python annotation stands for; TypeError when it stands for none."""
    if annotation in _PRIMS:
        return _PRIMS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Ref:
        return RefType(class_name(arguments[0]))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return SetType(wire_type(arguments[0]))
    if origin is Mapping:
        return MapType(wire_type(arguments[0]), wire_type(arguments[1]))
    if origin is types.UnionType and type(None) in arguments and len(arguments) == 2:
        return OptionType(wire_type(next(a for a in arguments if a is not type(None))))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return EnumType(enum_name(annotation), annotation)
    if isinstance(annotation, type) and hasattr(annotation, "__xenname__"):
        return RecordType(class_name(annotation))
    raise TypeError(f"{annotation!r} is no XenAPI type")


def class_name(python: Any) -> str:
    """The XenAPI name of a declared class."""
    return str(python.__xenname__)


def enum_name(python: type[StrEnum]) -> str:
    """The XenAPI name of a declared enum (see `enums.named`)."""
    return str(getattr(python, "__xenname__", python.__name__))


def zero(of: WireType) -> Any:
    """The value a field has when nothing was ever said: empty, 0, null, 1970."""
    match of:
        case Prim.STRING:
            return ""
        case Prim.INT:
            return 0
        case Prim.FLOAT:
            return 0.0
        case Prim.BOOL:
            return False
        case Prim.DATETIME:
            return EPOCH
        case Prim.VOID | OptionType():
            return None
        case RefType():
            return NULL
        case SetType():
            return ()
        case MapType():
            return types.MappingProxyType({})
        case EnumType(python=python):
            return next(iter(python))
        case RecordType():
            raise TypeError("a record has no zero value")
