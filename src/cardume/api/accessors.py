"""Messages that the fields alone explain: getters, setters, records, look-ups."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cardume.api.query import select
from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import Kind, Message, XenClass, schema
from cardume.pooldb.db import Database, Transaction

Read = Callable[[Database, XenClass, Message, tuple[Any, ...]], Any]


def read(db: Database, message: Message, values: tuple[Any, ...]) -> Any:
    """What a reading accessor answers."""
    return _READERS[message.kind](db, schema().classes[message.cls], message, values)


def is_read(message: Message) -> bool:
    """True for accessors that change nothing."""
    return message.kind in _READERS


def read_as_accessor(message: Message) -> Message:
    """The message itself, or, where XenAPI spells a class's readers out (`message.get_all_records`), as what it is."""
    kinds = {kind.value: kind for kind in _READERS if kind is not Kind.GET_FIELD}
    if message.kind is Kind.DECLARED and message.name in kinds and schema().classes[message.cls].stored:
        return replace(message, kind=kinds[message.name])
    return message


def _get_field(db: Database, cls: XenClass, message: Message, values: tuple[Any, ...]) -> Any:
    return getattr(db.get(values[0]), cls.fields[message.field].attribute)


_READERS: Mapping[Kind, Read] = {
    Kind.GET_FIELD: _get_field,
    Kind.GET_RECORD: lambda db, cls, message, values: db.get(values[0]),
    Kind.GET_BY_UUID: lambda db, cls, message, values: db.by_uuid(cls.python, values[0]),
    Kind.GET_BY_NAME_LABEL: lambda db, cls, message, values: db.by_name_label(cls.python, values[0]),
    Kind.GET_ALL: lambda db, cls, message, values: tuple(db.all(cls.python)),
    Kind.GET_ALL_RECORDS: lambda db, cls, message, values: db.all(cls.python),
    Kind.GET_ALL_RECORDS_WHERE: lambda db, cls, message, values: select(db.all(cls.python), values[0], cls),
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a writing accessor asks for: a field's new value is a function of its present one."""

    ref: Ref[Any]
    attribute: str
    new_value: Callable[[Any], Any]


def change_of(db: Database, message: Message, values: tuple[Any, ...]) -> FieldChange:
    """The change that a writing accessor stands for."""
    ref = values[0]
    attribute = schema().classes[message.cls].fields[message.field].attribute
    match message.kind:
        case Kind.SET_FIELD:
            return FieldChange(ref, attribute, lambda _: values[1])
        case Kind.ADD_TO_MAP:
            return FieldChange(ref, attribute, lambda now: _with_pair(db, message, now, values))
        case Kind.REMOVE_FROM_MAP:
            return FieldChange(ref, attribute, lambda now: {k: v for k, v in now.items() if k != values[1]})
        case Kind.ADD_TO_SET:
            return FieldChange(ref, attribute, lambda now: now if values[1] in now else (*now, values[1]))
        case Kind.REMOVE_FROM_SET:
            return FieldChange(ref, attribute, lambda now: tuple(member for member in now if member != values[1]))
    raise AssertionError(f"{message.full_name} writes no field")


async def write(db: Database, change: FieldChange) -> None:
    """Make a field's change, in one transaction with the look at its present value."""
    async with db.transaction() as txn:
        apply(txn, change)


def apply(txn: Transaction, change: FieldChange) -> None:
    """Make a field's change within a transaction; one that changes nothing writes nothing."""
    now = getattr(txn.get(change.ref), change.attribute)
    wanted = change.new_value(now)
    if wanted != now:
        txn.update(change.ref, **{change.attribute: wanted})


def setter_of(message: Message) -> Message:
    """The `set_…` message of the field that a writing accessor changes."""
    return replace(message, name=f"set_{message.field}", kind=Kind.SET_FIELD)


def _with_pair(db: Database, message: Message, now: Mapping[Any, Any], values: tuple[Any, ...]) -> dict[Any, Any]:
    ref, key, value = values
    if key in now:
        raise errors.MAP_DUPLICATE_KEY(message.cls, message.field, getattr(db.get(ref), "uuid", ""), key)
    return {**now, key: value}
