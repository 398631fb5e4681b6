from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.datamodel.console import Console, ConsoleProtocol
from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.event import Event, EventOperation
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.schema import XenClass, schema
from cardume.datamodel.secret import Secret
from cardume.datamodel.values import (
    INT_MAX,
    INT_MIN,
    ValueFault,
    format_datetime,
    from_plain,
    parse_datetime,
    record_from_plain,
    record_to_plain,
    to_plain,
)
from cardume.datamodel.wiretypes import (
    EnumType,
    MapType,
    OptionType,
    Prim,
    RecordType,
    RefType,
    SetType,
    WireType,
    wire_type,
    zero,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


COLOUR = EnumType("Colour", Colour)

KEYS: list[WireType] = [Prim.STRING, RefType("VM"), COLOUR, Prim.INT]
LEAVES: list[WireType] = [*KEYS, Prim.FLOAT, Prim.BOOL, Prim.DATETIME]

wire_types = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(SetType), inner.map(OptionType), st.builds(MapType, st.sampled_from(KEYS), inner)
    ),
    max_leaves=4,
)


def values_of(of: WireType) -> st.SearchStrategy[Any]:
    """Values of a type."""
    match of:
        case Prim.STRING:
            return st.text()
        case Prim.INT:
            return st.integers(INT_MIN, INT_MAX)
        case Prim.FLOAT:
            return st.floats(allow_nan=False)
        case Prim.BOOL:
            return st.booleans()
        case Prim.DATETIME:
            moments = st.datetimes(timezones=st.just(UTC))
            return moments.map(lambda moment: moment.replace(microsecond=0))
        case Prim.VOID:
            return st.none()
        case RefType():
            return st.uuids().map(lambda uuid: Ref(f"OpaqueRef:{uuid}")) | st.just(NULL)
        case EnumType(python=python):
            return st.sampled_from(list(python))
        case SetType(item):
            return st.lists(values_of(item), max_size=3).map(tuple)
        case MapType(key, item):
            return st.dictionaries(values_of(key), values_of(item), max_size=3)
        case OptionType(item):
            return st.none() | values_of(item)
        case RecordType(cls):
            return records_of(schema().classes[cls])


def records_of(cls: XenClass) -> st.SearchStrategy[Any]:
    """Records of a class."""
    return st.builds(cls.python, **{field.attribute: values_of(field.type) for field in cls.fields.values()})


typed_values = wire_types.flatmap(lambda of: st.tuples(st.just(of), values_of(of)))


def is_plain(value: object) -> bool:
    """True for what JSON can say, with texts as keys."""
    match value:
        case str() | int() | float():
            return type(value) in (str, int, float, bool)
        case list():
            return all(is_plain(member) for member in value)
        case dict():
            return all(type(key) is str and is_plain(member) for key, member in value.items())
        case _:
            return False


@given(typed_values)
def test_a_value_comes_back_as_it_went(pair: tuple[WireType, Any]) -> None:
    of, value = pair

    assert from_plain(to_plain(value, of), of) == value


@given(typed_values)
def test_plain_values_are_what_json_can_say(pair: tuple[WireType, Any]) -> None:
    of, value = pair

    assert is_plain(to_plain(value, of))


@given(st.data())
@pytest.mark.parametrize("name", ["VBD", "VM_metrics", "session", "task", "event", "subject"])
def test_a_record_comes_back_as_it_went(name: str, data: st.DataObject) -> None:
    record = data.draw(records_of(schema().classes[name]))

    assert record_from_plain(record_to_plain(record), name) == record


@pytest.mark.parametrize("name", sorted(schema().classes))
def test_a_record_needs_no_more_than_the_constructor_must_be_given(name: str) -> None:
    cls = schema().classes[name]
    required = {field.name: zero(field.type) for field in cls.fields.values() if field.default is REQUIRED}

    record = record_from_plain({key: to_plain(value, cls.fields[key].type) for key, value in required.items()}, name)

    assert record_to_plain(record).keys() == cls.fields.keys()


@pytest.mark.parametrize(
    ("of", "plain", "typed"),
    [
        (Prim.INT, "42", 42),
        (Prim.INT, " -42 ", -42),
        (Prim.INT, 42.0, 42),
        (Prim.FLOAT, 5, 5.0),
        (Prim.FLOAT, "0.5", 0.5),
        (Prim.BOOL, "true", True),
        (Prim.BOOL, 0, False),
        (RefType("VM"), "", NULL),
        (OptionType(Prim.INT), [], None),
        (OptionType(Prim.INT), ["7"], 7),
        (MapType(Prim.INT, Prim.BOOL), {"1": True}, {1: True}),
        (Prim.VOID, "", None),
    ],
)
def test_what_clients_send_is_taken(of: WireType, plain: object, typed: object) -> None:
    taken = from_plain(plain, of)

    assert (taken, type(taken)) == (typed, type(typed))


@pytest.mark.parametrize(
    ("of", "plain", "told"),
    [
        (Prim.STRING, 5, "value: expected string, got '5'"),
        (Prim.INT, True, "value: expected int, got 'True'"),
        (Prim.INT, "five", "value: expected int, got 'five'"),
        (Prim.INT, 1.5, "value: expected int, got '1.5'"),
        (Prim.INT, 2**63, "value: expected int, got '9223372036854775808'"),
        (Prim.FLOAT, True, "value: expected float, got 'True'"),
        (Prim.BOOL, "yes", "value: expected bool, got 'yes'"),
        (Prim.DATETIME, "yesterday", "value: expected datetime, got 'yesterday'"),
        (Prim.DATETIME, "20260230T00:00:00Z", "value: expected datetime, got '20260230T00:00:00Z'"),
        (COLOUR, "green", "value: expected enum Colour, got 'green'"),
        (SetType(Prim.INT), "12", "value: expected int set, got '12'"),
        (SetType(Prim.INT), [1, "x"], "value[1]: expected int, got 'x'"),
        (MapType(Prim.STRING, Prim.INT), [], "value: expected (string -> int) map, got '[]'"),
        (MapType(Prim.STRING, Prim.INT), {"a": "x"}, "value[a]: expected int, got 'x'"),
        (OptionType(Prim.INT), [1, 2], "value: expected int option, got '[1, 2]'"),
        (RecordType("secret"), {}, "value.value: expected string, got 'nothing'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(of: WireType, plain: object, told: str) -> None:
    with pytest.raises(ValueFault) as refused:
        from_plain(plain, of)

    assert str(refused.value) == told


def test_keys_that_no_field_has_are_ignored() -> None:
    assert record_from_plain({"value": "s3cret", "colour": "red"}, "secret") == Secret(value="s3cret")


def test_a_field_named_like_a_word_of_python_keeps_its_name_on_the_wire() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = Event(id=7, timestamp=moment, class_="vm", operation=EventOperation.ADD, ref="OpaqueRef:1", obj_uuid="")

    assert record_to_plain(event) == {
        "id": 7,
        "timestamp": "20260102T03:04:05Z",
        "class": "vm",
        "operation": "add",
        "ref": "OpaqueRef:1",
        "obj_uuid": "",
    }


def test_only_stored_fields_go_to_the_database() -> None:
    vm = schema().classes["VM"]
    required = {field.name: to_plain(zero(field.type), field.type) for field in vm.fields.values()}

    stored = record_to_plain(record_from_plain(required, "VM"), stored_only=True)

    assert vm.fields.keys() - stored.keys() == {
        *("VBDs", "VIFs", "VTPMs", "VUSBs", "VGPUs", "consoles", "snapshots", "children", "crash_dumps"),
        *("allowed_operations", "current_operations"),
    }


def test_nothing_of_a_class_in_memory_is_stored() -> None:
    console = Console(protocol=ConsoleProtocol.RFB, other_config={})

    assert record_to_plain(console, stored_only=True) == {}


@pytest.mark.parametrize(
    "text",
    ["20260102T03:04:05Z", "2026-01-02T03:04:05Z", "20260102T03:04:05", "20260102T03:04:05.250Z", "20260102T030405Z"],
)
def test_times_are_read_with_and_without_dashes(text: str) -> None:
    assert parse_datetime(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-3)))

    assert format_datetime(moment) == "20260102T06:04:05Z"


def test_times_of_the_first_millennium_keep_four_digits() -> None:
    assert format_datetime(datetime(1, 1, 1, tzinfo=UTC)) == "00010101T00:00:00Z"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "string"),
        (None, "void"),
        (Ref[Secret], "secret ref"),
        (tuple[Ref[Secret], ...], "secret ref set"),
        (Mapping[str, tuple[int, ...]], "(string -> int set) map"),
        (Secret, "secret record"),
        (EventOperation, "enum event_operation"),
        (Secret | None, "secret record option"),
    ],
)
def test_annotations_name_types_of_xenapi(annotation: Any, text: str) -> None:
    assert str(wire_type(annotation)) == text


@pytest.mark.parametrize("annotation", [bytes, list[str], tuple[int, str], object, int | str])
def test_what_is_no_type_of_xenapi_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError, match="is no XenAPI type"):
        wire_type(annotation)
