"""What the public facts about XenAPI 2.23 say, and where the declarations say something else.

The facts are names, types, roles and codes only (`tests/schema/xenapi-2.23.json`; its `meta.legend` explains them).
Each difference is one readable line.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cardume.datamodel.declare import REQUIRED, RO
from cardume.datamodel.errors import CODES
from cardume.datamodel.schema import Field, Kind, Message, Param, XenClass, schema
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, SetType, WireType

FACTS_FILE = Path(__file__).parents[2] / "schema" / "xenapi-2.23.json"

EXTENSIONS: Mapping[str, str] = {}
"""Messages of our own, which the facts don't know: full name to the reason why it is there."""

DELIBERATE: Mapping[str, str] = {
    "subject.roles: default": "a subject without a role has none: rights are given, never assumed",
}
"""Differences that we want, each with its reason."""


@cache
def facts() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FACTS_FILE.read_text())
    return loaded


def differences(cls: XenClass, known: Mapping[str, Any]) -> list[str]:
    """Where a declared class and the facts about it part, one readable line each."""
    found = [
        *_unequal(f"{cls.name}: events", cls.events, known.get("events", True)),
        # XenServer keeps alerts in files; here they are objects as all others, and survive a lost master with them.
        *_unequal(f"{cls.name}: stored", cls.stored, known.get("db", True) or cls.name == "message"),
        *_field_differences(cls, {field["n"]: field for field in known["fields"]}),
        *_message_differences(cls, known),
    ]
    return [line for line in found if not line.startswith(tuple(DELIBERATE))]


def _field_differences(cls: XenClass, known: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{cls.name}.{name}: the facts have no such field" for name in sorted(cls.fields.keys() - known.keys()))
    yield from (f"{cls.name}.{name}: field not declared" for name in sorted(known.keys() - cls.fields.keys()))
    for name in sorted(cls.fields.keys() & known.keys()):
        ours, fact, where = cls.fields[name], known[name], f"{cls.name}.{name}"
        yield from _unequal(f"{where}: type", str(ours.type), fact["t"])
        yield from _unequal(f"{where}: qualifier", ours.qualifier.value, fact["q"])
        yield from _default_differences(f"{where}: default", ours, fact)


def _default_differences(where: str, ours: Field, fact: Mapping[str, Any]) -> Iterator[str]:
    if "d" not in fact and ours.qualifier is RO:
        return  # the server alone fills it: its first value is ours to choose
    yield from _unequal(where, _plain_default(ours), fact.get("d", "required"))


def _plain_default(of: Field | Param) -> Any:
    return "required" if of.default is REQUIRED else to_plain(of.default, of.type)


def _message_differences(cls: XenClass, known: Mapping[str, Any]) -> Iterator[str]:
    listed = {message["n"]: message for message in known["messages"]}
    yield from (f"{cls.name}.{name}: message not declared" for name in sorted(listed.keys() - cls.messages.keys()))
    for name, message in cls.messages.items():
        if name in listed:
            yield from _one_message_differences(message, listed[name])
        elif name in known["hidden_messages"]:
            yield from _unequal(f"{message.full_name}: hidden", message.hidden, True)
        elif message.full_name not in EXTENSIONS:
            yield f"{message.full_name}: the facts have no such message"


def _one_message_differences(ours: Message, fact: Mapping[str, Any]) -> Iterator[str]:
    def compare(what: str, our_value: object, known: object) -> Iterator[str]:
        return _unequal(f"{ours.full_name}: {what}", our_value, known)

    params = [[param.name, str(param.type), _plain_default(param)] for param in ours.params]
    yield from compare("parameters", params, [[*param, "required"][:3] for param in fact["p"]])
    yield from compare("result", str(ours.result), fact["r"])
    yield from compare("role", role_text(ours), fact["role"])
    yield from compare("errors", sorted(ours.errors), sorted(set(fact.get("e", []))))
    yield from compare("async", ours.has_async, fact.get("async", True))
    yield from compare("session", ours.session, fact.get("session", True))
    key_roles = {key: role.wire_name for key, role in ours.key_roles.items()}
    yield from compare("roles of keys", key_roles, fact.get("key_roles", {}))
    yield from compare("implied", ours.kind is not Kind.DECLARED, fact.get("implicit", False))
    yield from compare("hidden", ours.hidden, False)


def role_text(message: Message) -> str:
    """A message's least role as the facts write it."""
    return message.role.wire_name + ("+cert" if message.client_cert else "")


def _unequal(where: str, ours: object, known: object) -> Iterator[str]:
    # Texts, so that 1, 1.0 and True differ as they do on the wire.
    if json.dumps(ours, sort_keys=True) != json.dumps(known, sort_keys=True):
        yield f"{where}: declared {ours!r}, the facts say {known!r}"


def enums_of(of: WireType) -> Iterator[EnumType]:
    """The enums that a type is made of."""
    match of:
        case EnumType():
            yield of
        case SetType(item) | OptionType(item):
            yield from enums_of(item)
        case MapType(key, item):
            yield from (*enums_of(key), *enums_of(item))


def types_of(cls: XenClass) -> Iterator[WireType]:
    yield from (field.type for field in cls.fields.values())
    for message in cls.messages.values():
        yield from (message.result, *(param.type for param in message.params))


def declared_enums() -> dict[str, set[EnumType]]:
    found: dict[str, set[EnumType]] = {}
    for cls in schema().classes.values():
        for of in types_of(cls):
            for enum in enums_of(of):
                found.setdefault(enum.name, set()).add(enum)
    return found


def undeclared() -> Iterator[str]:
    """What the facts know and no declaration has."""
    known = facts()
    yield from (f"{name}: class not declared" for name in sorted(known["classes"].keys() - schema().classes.keys()))
    yield from (f"{name}: enum not declared" for name in sorted(known["enums"].keys() - declared_enums().keys()))
    yield from (f"{code}: error not declared" for code in sorted(_error_codes() - CODES.keys()))


def all_differences() -> Iterator[str]:
    """Where what is declared and the facts part, in the whole API."""
    known = facts()
    for name, cls in schema().classes.items():
        if name in known["classes"]:
            yield from differences(cls, known["classes"][name])
        elif cls.internal:
            yield from (f"{message}: clients see what is internal" for message in cls.messages)
        else:
            yield f"{name}: the facts have no such class"
    yield from _enum_differences(known["enums"])
    yield from _error_differences(known)
    yield from relation_differences()


def _enum_differences(known: Mapping[str, list[str]]) -> Iterator[str]:
    for name, found in sorted(declared_enums().items()):
        values = [[member.value for member in enum.python] for enum in found]
        yield from _unequal(f"enum {name}: values", values, [known.get(name, "none")])


def _error_codes() -> set[str]:
    return {*facts()["errors"], *facts()["errors_without_parameters_listed"]}


def _error_differences(known: Mapping[str, Any]) -> Iterator[str]:
    for code, declared in CODES.items():
        if code not in _error_codes():
            yield f"{code}: the facts have no such error"
        elif code not in known["errors_without_parameters_listed"]:
            yield from _unequal(f"{code}: parameters", list(declared.params), known["errors"][code])


def relation_differences() -> Iterator[str]:
    """Relations whose sets nobody keeps, or both ends, and sets that are kept without a relation."""
    relations = [relation.split(" <-> ") for relation in facts()["relations"]]
    for one, other in relations:
        fields = [_field(one), _field(other)]
        sets = [field for field in fields if field is not None and isinstance(field.type, SetType)]
        if None in fields or not sets or one == other:
            continue  # an end that is internal to XenServer, or one that is no set
        kept = [field.backref is not None for field in sets]
        yield from _unequal(f"{one} <-> {other}: sets that the database keeps", sum(kept), 1)
    both_ways = {(one, other) for one, other in relations} | {(other, one) for one, other in relations}
    for cls in schema().classes.values():
        for field in cls.fields.values():
            if field.backref is not None and (".".join(field.backref), f"{cls.name}.{field.name}") not in both_ways:
                yield f"{cls.name}.{field.name}: kept by {'.'.join(field.backref)}, which is no relation"


def _field(full_name: str) -> Field | None:
    cls, _, name = full_name.partition(".")
    return schema().classes[cls].fields.get(name) if cls in schema().classes else None
