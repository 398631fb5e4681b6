"""Values of XenAPI types to plain JSON values and back: what the wire carries and what the pool database keeps.

Plain means str, int, float, bool, list and dict. Decoding is tolerant as clients need it (numbers as text) and strict
otherwise: what does not fit raises ValueFault, which names the path.
"""

import math
import re
import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, Prim, RecordType, RefType, SetType, WireType

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class ValueFault(ValueError):
    """A value does not have the type that was declared."""

    def __init__(self, path: str, wanted: object, got: object) -> None:
        super().__init__(f"{path}: expected {wanted}, got {_brief(got)}")
        self.path = path
        self.wanted = wanted
        self.got = got


def _brief(got: object) -> str:
    # The text of a whole list may be a million times what is shown, or nest too deep to be made at all.
    return repr((str(got) if isinstance(got, str | int | float | None) else reprlib.repr(got))[:80])


def to_plain(value: Any, of: WireType) -> Any:
    """The plain form of a typed value."""
    match of:
        case Prim.STRING | RefType() | EnumType():
            return str(value)
        case Prim.INT | Prim.BOOL:
            return value
        case Prim.FLOAT:
            return float(value)
        case Prim.DATETIME:
            return format_datetime(value)
        case Prim.VOID:
            return ""
        case SetType(item):
            return [to_plain(member, item) for member in value]
        case MapType(key, item):
            return {str(to_plain(k, key)): to_plain(v, item) for k, v in value.items()}
        case OptionType(item):
            return [] if value is None else [to_plain(value, item)]
        case RecordType():
            return record_to_plain(value)


def from_plain(plain: Any, of: WireType, path: str = "value") -> Any:
    """The typed value of a plain one; ValueFault when it does not fit."""
    match of:
        case Prim.STRING:
            return _text(plain, path)
        case Prim.INT:
            return _int(plain, path)
        case Prim.FLOAT:
            return _float(plain, path)
        case Prim.BOOL:
            return _bool(plain, path)
        case Prim.DATETIME:
            return parse_datetime(plain, path)
        case Prim.VOID:
            return None
        case RefType():
            return Ref(_text(plain, path)) or NULL
        case EnumType(python=python):
            try:
                return python(_text(plain, path))
            except ValueError:
                raise ValueFault(path, of, plain) from None
        case SetType(item):
            if not isinstance(plain, list | tuple):
                raise ValueFault(path, of, plain)
            return tuple(from_plain(member, item, f"{path}[{i}]") for i, member in enumerate(plain))
        case MapType(key, item):
            if not isinstance(plain, Mapping):
                raise ValueFault(path, of, plain)
            return {from_plain(k, key, path): from_plain(v, item, f"{path}[{k}]") for k, v in plain.items()}
        case OptionType(item):
            if not isinstance(plain, list | tuple) or len(plain) > 1:
                raise ValueFault(path, of, plain)
            return from_plain(plain[0], item, path) if plain else None
        case RecordType(cls):
            return record_from_plain(plain, cls, path)


def record_to_plain(record: Any, *, stored_only: bool = False) -> dict[str, Any]:
    """A record as a plain dict; with `stored_only` just the fields that the pool database keeps."""
    from cardume.datamodel.schema import schema

    fields = schema().of(record).fields.values()
    return {
        field.name: to_plain(getattr(record, field.attribute), field.type)
        for field in fields
        if field.stored or not stored_only
    }


def record_from_plain(plain: Any, cls: str, path: str = "record") -> Any:
    """A typed record from a plain dict: unknown keys are ignored, absent ones take their default.

    ValueFault names the missing key when a field without a default is absent.
    """
    from cardume.datamodel.schema import schema

    if not isinstance(plain, Mapping):
        raise ValueFault(path, f"{cls} record", plain)
    declared = schema().classes[cls]
    values = {}
    for field in declared.fields.values():
        if field.name in plain:
            values[field.attribute] = from_plain(plain[field.name], field.type, f"{path}.{field.name}")
        elif field.default is REQUIRED:
            raise ValueFault(f"{path}.{field.name}", field.type, "nothing")
    return declared.python(**values)


def format_datetime(value: datetime) -> str:
    """`YYYYMMDDTHH:MM:SSZ`, the one form that XenAPI answers with."""
    moment = value.astimezone(UTC)
    return f"{moment.year:04}{moment:%m%dT%H:%M:%S}Z"  # strftime's %Y does not fill up to four digits everywhere


_DATETIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(?:Z|\+00:?00)?", re.ASCII)


def parse_datetime(plain: Any, path: str = "value") -> datetime:
    """A time from XenAPI's text, with or without dashes; without a zone it is UTC."""
    found = _DATETIME.fullmatch(plain) if isinstance(plain, str) else None
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueFault(path, Prim.DATETIME, plain) from None


def _text(plain: Any, path: str) -> str:
    if not isinstance(plain, str):
        raise ValueFault(path, Prim.STRING, plain)
    return plain


def _int(plain: Any, path: str) -> int:
    if isinstance(plain, str) and re.fullmatch(r"\s*[+-]?\d{1,20}\s*", plain, re.ASCII):
        plain = int(plain)
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    if isinstance(plain, bool) or not isinstance(plain, int) or not INT_MIN <= plain <= INT_MAX:
        raise ValueFault(path, Prim.INT, plain)
    return plain


def _float(plain: Any, path: str) -> float:
    try:
        if isinstance(plain, bool) or not isinstance(plain, int | float | str):
            raise ValueError
        return parse_float(plain, path) if isinstance(plain, str) else float(plain)
    except (ValueError, OverflowError):
        raise ValueFault(path, Prim.FLOAT, plain) from None


_FLOAT = re.compile(r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|(nan|inf(?:inity)?))\s*", re.ASCII | re.IGNORECASE)
MOST_FLOAT_CHARACTERS = 400  # the longest finite number written without exponent has 309 digits


def parse_float(text: str, path: str = "value") -> float:
    """A number from its text. NaN and the infinities are numbers when spelled out, never because of too many digits."""
    found = _FLOAT.fullmatch(text) if len(text) <= MOST_FLOAT_CHARACTERS else None
    if found is None:
        raise ValueFault(path, Prim.FLOAT, text)
    number = float(text)
    if math.isinf(number) and not found[1]:
        raise ValueFault(path, Prim.FLOAT, text)
    return number


def _bool(plain: Any, path: str) -> bool:
    if isinstance(plain, bool):
        return plain
    if plain in ("true", "1", 1):
        return True
    if plain in ("false", "0", 0):
        return False
    raise ValueFault(path, Prim.BOOL, plain)
