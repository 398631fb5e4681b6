"""Typed texts as the values of XenAPI's types, and what a message answered as texts."""

from typing import Any

from cardume.cli.command import Call, parse_bool, parse_integer
from cardume.cli.directory import NO_OBJECT
from cardume.cli.enum_texts import wired
from cardume.cli.failures import Plain, Refused
from cardume.cli.fields import plain_text
from cardume.datamodel.schema import is_declared
from cardume.datamodel.wiretypes import EnumType, MapType, Prim, RecordType, RefType, SetType, WireType


def typed(call: Call, name: str, text: str, of: WireType) -> object:
    """A typed text as the value of a type; a reference is typed as a uuid, or as nothing."""
    match of:
        case Prim.INT:
            return parse_integer(text, name)
        case Prim.BOOL:
            return parse_bool(text, name)
        case Prim.FLOAT:
            try:
                return float(text)
            except ValueError:
                raise Plain(f"Parameter {name} must be a floating-point number") from None
        case EnumType(enum, python):
            values = [str(member) for member in python]
            value = wired(enum, values, text)
            if value is None:
                raise Plain(f"Failed to parse parameter '{name}': expecting one of {', '.join(values)}")
            return value
        case RefType(cls):
            if text in NO_OBJECT:
                return "OpaqueRef:NULL"
            return _by_uuid(call, cls, text)
        case SetType(item):
            return [typed(call, name, part, item) for part in text.split(",") if part]
        case _:
            return text


def _by_uuid(call: Call, cls: str, uuid: str) -> str:
    if not is_declared(cls):
        raise Refused(["UUID_INVALID", cls, uuid])
    return call.get(f"{cls}.get_by_uuid", uuid)


def print_answer(call: Call, answer: Any, of: WireType) -> None:
    """Print what a message answered: references as uuids, maps and records as a record, sets a line each."""
    match of:
        case Prim.VOID:
            return
        case RecordType():
            call.printer.table([[(key.replace("_", "-"), str(value)) for key, value in answer.items()]])
        case SetType(RecordType() as item):
            for record in answer:
                print_answer(call, record, item)
        case MapType(key, item):
            call.printer.table([[(_text(call, k, key), _text(call, v, item)) for k, v in answer.items()]])
        case SetType(item):
            call.printer.lines(*(_text(call, member, item) for member in answer))
        case _:
            call.printer.lines(_text(call, answer, of))


def _text(call: Call, value: Any, of: WireType) -> str:
    match of:
        case RefType(cls):
            return call.directory.uuid(cls, str(value))
        case SetType(item):
            return "; ".join(_text(call, member, item) for member in value)
        case _:
            return plain_text(value, of)
