"""May this caller do this? A message needs a role; a single key of a map may need less, or more."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import Kind, Message, XenClass, schema
from cardume.messages.call import Caller
from cardume.messages.role import permission_of
from cardume.pooldb.db import Database


def assert_permitted(db: Database, caller: Caller, message: Message, values: tuple[Any, ...]) -> None:
    """Refuse with RBAC_PERMISSION_DENIED what the caller's role does not allow; the permission that lacks is named."""
    if not message.session:
        return
    key = _key_of_map(message, values)
    role = message.role if key is None else message.key_roles[key]
    if caller.role < role:
        raise denied(caller, permission_of(message, key))
    for adder, pattern in _keys_changed(db, message, values):
        if caller.role < adder.key_roles[pattern]:
            raise denied(caller, permission_of(adder, pattern))


def denied(caller: Caller, permission: str) -> ApiError:
    """The refusal of a caller who lacks a permission."""
    return errors.RBAC_PERMISSION_DENIED(permission, f"{caller.user} has the role {caller.role.wire_name}.")


def _key_of_map(message: Message, values: tuple[Any, ...]) -> str | None:
    """The key, or pattern of keys, whose role counts instead of the message's."""
    return _pattern_of(message.key_roles, values[1]) if message.key_roles else None


def _pattern_of(key_roles: Mapping[str, Role], key: str) -> str | None:
    for pattern in key_roles:
        if key == pattern or (pattern.endswith("*") and key.startswith(pattern[:-1])):
            return pattern
    return None


def _keys_changed(db: Database, message: Message, values: tuple[Any, ...]) -> Iterator[tuple[Message, str]]:
    """The keys with a role of their own that change when a whole map is set, or come with a new object.

    Without this, whoever may set the map, and not the key, would set the map with the key in it.
    """
    cls = schema().classes[message.cls]
    if message.kind is Kind.CREATE:
        for name, field in cls.fields.items():
            if adder := _adder_with_key_roles(cls, name):
                yield from _with_own_role(adder, getattr(values[0], field.attribute))
    elif message.name.startswith("set_") and (adder := _adder_with_key_roles(cls, message.name.removeprefix("set_"))):
        record = db.find(values[0])
        now = {} if record is None else getattr(record, cls.fields[message.name.removeprefix("set_")].attribute)
        changed = dict(now).items() ^ values[1].items()
        yield from _with_own_role(adder, (key for key, _ in changed))


def _adder_with_key_roles(cls: XenClass, field: str) -> Message | None:
    adder = cls.messages.get(f"add_to_{field}")
    return adder if adder is not None and adder.key_roles else None


def _with_own_role(adder: Message, keys: Iterable[str]) -> Iterator[tuple[Message, str]]:
    for key in keys:
        pattern = _pattern_of(adder.key_roles, key)
        if pattern is not None:
            yield adder, pattern
