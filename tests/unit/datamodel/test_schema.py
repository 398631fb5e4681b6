"""The gate: every declared class says what the public facts about XenAPI 2.23 say, field by field, message by message.

The facts are names, types, roles and codes only (`tests/schema/xenapi-2.23.json`; its `meta.legend` explains them).
A class that is not declared yet is not compared; one that is declared is compared whole.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cardume.datamodel.declare import REQUIRED, RO
from cardume.datamodel.schema import Field, Kind, Message, Param, XenClass, schema
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, RefType, SetType, WireType

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


def _types(cls: XenClass) -> Iterator[WireType]:
    yield from (field.type for field in cls.fields.values())
    for message in cls.messages.values():
        yield from (message.result, *(param.type for param in message.params))


def _declared_enums() -> dict[str, set[EnumType]]:
    found: dict[str, set[EnumType]] = {}
    for cls in schema().classes.values():
        for of in _types(cls):
            for enum in enums_of(of):
                found.setdefault(enum.name, set()).add(enum)
    return found


@pytest.mark.parametrize("name", sorted(schema().classes))
def test_a_declared_class_is_as_the_facts_say(name: str) -> None:
    assert name in facts()["classes"], f"XenAPI has no class {name}"

    found = differences(schema().classes[name], facts()["classes"][name])

    assert not found, f"{len(found)} differences:\n" + "\n".join(found)


@pytest.mark.parametrize("name", sorted(_declared_enums()))
def test_a_declared_enum_has_the_values_of_the_facts_in_their_order(name: str) -> None:
    (enum,) = _declared_enums()[name]  # one enum of this name, declared once

    assert [member.value for member in enum.python] == facts()["enums"][name]


def test_what_the_facts_would_not_know_is_really_there() -> None:
    known = {message.full_name for message in schema().messages()}

    assert set(EXTENSIONS) <= known


def test_relations_are_kept_by_the_database_from_both_ends() -> None:
    known = {tuple(relation.split(" <-> ")) for relation in facts()["relations"]}

    declared = {
        (".".join(field.backref), f"{cls.name}.{field.name}")
        for cls in schema().classes.values()
        for field in cls.fields.values()
        if field.backref is not None
    }

    both_ways = known | {(many, one) for one, many in known}
    assert declared <= both_ways, "a backref that is no relation"
    missing = sorted(many for one, many in both_ways - declared if _is_reference(one) and _is_set(many))
    assert missing == [], "the sets of these relations want a backref"


def _field_type(full_name: str) -> WireType | None:
    cls, _, name = full_name.partition(".")
    found = schema().classes[cls].fields.get(name) if cls in schema().classes else None
    return found.type if found is not None else None


def _is_reference(full_name: str) -> bool:
    return isinstance(_field_type(full_name), RefType)


def _is_set(full_name: str) -> bool:
    return isinstance(_field_type(full_name), SetType)


def test_every_class_of_xenapi_is_declared() -> None:
    assert schema().classes.keys() == facts()["classes"].keys()


def test_references_point_to_known_classes() -> None:
    known = facts()["classes"].keys() | set(facts()["removed_classes"])

    pointed = {of.cls for cls in schema().classes.values() for of in _types(cls) if isinstance(of, RefType)}

    assert pointed <= known


def test_operations_under_way_are_not_stored() -> None:
    stored = [
        f"{cls.name}.{name}"
        for cls in schema().classes.values()
        for name in ("allowed_operations", "current_operations")
        if name in cls.fields and cls.fields[name].stored
    ]

    assert stored == []


def test_every_field_and_message_says_what_it_is() -> None:
    docs = {f"{cls.name}.{name}": field.doc for cls in schema().classes.values() for name, field in cls.fields.items()}
    docs |= {message.full_name: message.doc for message in schema().messages()}

    assert [name for name, doc in docs.items() if len(doc) < 5] == []


def _changed(change: str) -> Mapping[str, Any]:
    """The facts about VBD with one thing changed."""
    known: dict[str, Any] = copy.deepcopy(facts()["classes"]["VBD"])
    fields = {field["n"]: field for field in known["fields"]}
    messages = {message["n"]: message for message in known["messages"]}
    match change:
        case "type":
            fields["bootable"]["t"] = "int"
        case "qualifier":
            fields["bootable"]["q"] = "RO"
        case "default":
            fields["unpluggable"]["d"] = False
        case "required":
            del fields["unpluggable"]["d"]
        case "role":
            messages["plug"]["role"] = "vm-operator"
        case "certificate":
            messages["plug"]["role"] = "vm-admin+cert"
        case "errors":
            messages["plug"]["e"] = ["SR_FULL"]
        case "async":
            messages["plug"]["async"] = False
        case "session":
            messages["plug"]["session"] = False
        case "parameter":
            messages["insert"]["p"][1][0] = "disk"
        case "result":
            messages["plug"]["r"] = "int"
        case "missing":
            known["messages"].append(dict(messages["plug"], n="replug"))
        case "extra":
            known["messages"].remove(messages["set_bootable"])
    return known


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("type", "VBD.bootable: type: declared 'bool', the facts say 'int'"),
        ("qualifier", "VBD.bootable: qualifier: declared 'RW', the facts say 'RO'"),
        ("default", "VBD.unpluggable: default: declared True, the facts say False"),
        ("required", "VBD.unpluggable: default: declared True, the facts say 'required'"),
        ("role", "VBD.plug: role: declared 'vm-admin', the facts say 'vm-operator'"),
        ("certificate", "VBD.plug: role: declared 'vm-admin', the facts say 'vm-admin+cert'"),
        ("errors", "VBD.plug: errors: declared [], the facts say ['SR_FULL']"),
        ("async", "VBD.plug: async: declared True, the facts say False"),
        ("session", "VBD.plug: session: declared True, the facts say False"),
        (
            "parameter",
            "VBD.insert: parameters: declared [['vbd', 'VBD ref', 'required'], ['vdi', 'VDI ref', 'required']], "
            "the facts say [['vbd', 'VBD ref', 'required'], ['disk', 'VDI ref', 'required']]",
        ),
        ("result", "VBD.plug: result: declared 'void', the facts say 'int'"),
        ("missing", "VBD.replug: message not declared"),
        ("extra", "VBD.set_bootable: the facts have no such message"),
    ],
)
def test_the_gate_tells_each_kind_of_difference(change: str, told: str) -> None:
    assert differences(schema().classes["VBD"], _changed(change)) == [told]
