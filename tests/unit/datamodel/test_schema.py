"""The gate: what is declared says what the public facts about XenAPI 2.23 say, field by field, message by message.

The comparison itself is in `facts.py`. The whole is compared in one test, and every class in one of its own, so that
a failure names the class.
"""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.datamodel.facts import (
    EXTENSIONS,
    all_differences,
    declared_enums,
    differences,
    facts,
    types_of,
    undeclared,
)

from cardume.datamodel.schema import schema
from cardume.datamodel.wiretypes import RefType


def test_nothing_that_is_declared_differs_from_the_facts() -> None:
    found = list(all_differences())

    assert not found, f"{len(found)} differences:\n" + "\n".join(found)


def test_everything_that_the_facts_know_is_declared() -> None:
    found = list(undeclared())

    assert not found, f"{len(found)} are missing:\n" + "\n".join(found)


def test_the_facts_are_whole() -> None:
    counts = {what: facts()["meta"][what] for what in ("classes", "fields", "messages", "enums", "errors")}

    assert counts == {"classes": 70, "fields": 881, "messages": 1972, "enums": 69, "errors": 605}
    assert len(facts()["classes"]) == 70
    assert sum(len(known["fields"]) for known in facts()["classes"].values()) == 881
    assert sum(len(known["messages"]) for known in facts()["classes"].values()) == 1972
    assert (len(facts()["enums"]), len(facts()["errors"])) == (69, 605)


@pytest.mark.parametrize("name", sorted(name for name, cls in schema().classes.items() if not cls.internal))
def test_a_declared_class_is_as_the_facts_say(name: str) -> None:
    assert name in facts()["classes"], f"XenAPI has no class {name}"

    found = differences(schema().classes[name], facts()["classes"][name])

    assert not found, f"{len(found)} differences:\n" + "\n".join(found)


@pytest.mark.parametrize("name", sorted(declared_enums()))
def test_a_declared_enum_has_the_values_of_the_facts_in_their_order(name: str) -> None:
    (enum,) = declared_enums()[name]  # one enum of this name, declared once

    assert [member.value for member in enum.python] == facts()["enums"][name]


def test_what_the_facts_would_not_know_is_really_there() -> None:
    known = {message.full_name for message in schema().messages()}

    assert set(EXTENSIONS) <= known


def test_references_point_to_known_classes() -> None:
    known = facts()["classes"].keys() | set(facts()["removed_classes"])

    pointed = {of.cls for cls in schema().classes.values() for of in types_of(cls) if isinstance(of, RefType)}

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
