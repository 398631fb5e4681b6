"""Properties: what can be changed, what is refused, and which messages a change is."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.presenters.properties import Change, changes, commands, properties_of, tags_in, why_not
from cardume.console.text.catalogue import Texts

T = Texts("en")
GIB = 1 << 30


def vm(**fields: Any) -> Any:
    made = Room()
    known = {"memory_dynamic_max": GIB, "memory_static_min": GIB // 2, "VCPUs_at_startup": 2, "VCPUs_max": 2}
    made.vm("web", **{**known, "tags": ["a", "b"], "name_description": "notes", **fields})
    return made.record("vm", "web")


def made_of(record: Any, **typed: str) -> list[Change]:
    shown = properties_of("vm", record)
    return changes("vm", record, shown, {**shown, **typed})


def test_memory_and_processors_are_there_while_the_vm_is_halted() -> None:
    assert properties_of("vm", vm()) == {
        "name": "web",
        "note": "notes",
        "tags": "a, b",
        "memory_mib": "1024",
        "vcpus": "2",
    }
    assert "vcpus" not in properties_of("vm", vm(power_state="Running"))
    assert "vcpus" not in properties_of("sr", vm())


def test_what_was_left_alone_is_not_sent() -> None:
    assert made_of(vm()) == []
    assert made_of(vm(), tags="b,a , a") == [Change("VM.set_tags", (["b", "a"],))]
    assert made_of(vm(), name=" mail ", note="") == [
        Change("VM.set_name_label", ("mail",)),
        Change("VM.set_name_description", ("",)),
    ]


def test_memory_sets_all_limits_and_never_a_least_above_it() -> None:
    assert made_of(vm(), memory_mib="256") == [Change("VM.set_memory_limits", (256 << 20,) * 4)]
    assert made_of(vm(), memory_mib="2048") == [
        Change("VM.set_memory_limits", (GIB // 2, 2 * GIB, 2 * GIB, 2 * GIB)),
    ]


def test_processors_never_pass_their_most_on_the_way() -> None:
    most, at_startup = Change("VM.set_VCPUs_max", (4,)), Change("VM.set_VCPUs_at_startup", (4,))
    assert made_of(vm(), vcpus="4") == [most, at_startup]
    assert [one.method for one in made_of(vm(), vcpus="1")] == ["VM.set_VCPUs_at_startup", "VM.set_VCPUs_max"]


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, ""),
        ({"name": "  "}, "It needs a name."),
        ({"memory_mib": "much"}, "Memory is a whole number of MiB, at least 16."),
        ({"memory_mib": "15"}, "Memory is a whole number of MiB, at least 16."),
        ({"vcpus": "0"}, "vCPUs are a whole number from 1 to 254."),
    ],
)
def test_what_cannot_be_is_refused(typed: dict[str, str], wrong: str) -> None:
    assert why_not({**properties_of("vm", vm()), **typed}, T) == wrong


def test_the_same_is_told_as_commands() -> None:
    record = vm()
    assert [*commands("vm", record, made_of(record, name="the mail", vcpus="1", memory_mib="256"))] == [
        "xe vm-param-set uuid=web name-label='the mail'",
        f"xe vm-memory-limits-set uuid=web static-min={256 << 20} static-max={256 << 20} "
        f"dynamic-min={256 << 20} dynamic-max={256 << 20}",
        "xe vm-param-set uuid=web VCPUs-at-startup=1",
        "xe vm-param-set uuid=web VCPUs-max=1",
    ]
    assert tags_in(" , ") == []
