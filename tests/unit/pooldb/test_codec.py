"""The stored form of every declared class."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import XenClass, schema
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, Prim, RefType, SetType, WireType
from cardume.pooldb.codec import EMPTY_MAP, Decoder, Encoder, Sharing
from cardume.pooldb.layout import conforms, layouts

STORED = [cls for cls in schema().classes.values() if cls.stored and not cls.volatile]
LAYOUTS = layouts(schema())


def some(of: WireType) -> Any:
    """A value of a type that is not its zero."""
    match of:
        case Prim():
            moment = datetime(2026, 11, 22, 17, 30, 5, tzinfo=UTC)
            return {Prim.STRING: "São Carlos", Prim.INT: -(2**40), Prim.FLOAT: 0.25, Prim.BOOL: True}.get(of, moment)
        case EnumType(python=python):
            return list(python)[-1]
        case RefType():
            return Ref("OpaqueRef:00000000-0000-4000-8000-000000000000")
        case SetType(item):
            return (some(item),)
        case MapType(key, item):
            return {some(key): some(item)}
        case OptionType(item):
            return some(item)
    raise AssertionError(f"no field is of type {of}")


def full_record(cls: XenClass) -> Any:
    """A record with something in every field."""
    attributes = LAYOUTS[cls.python].attributes
    return cls.python(**{attributes[field.name]: some(field.type) for field in cls.fields.values()})


@pytest.mark.parametrize("cls", STORED, ids=lambda cls: str(cls.name))
def test_every_stored_field_survives_and_no_other_is_stored(cls: XenClass) -> None:
    layout = LAYOUTS[cls.python]
    record = full_record(cls)
    layout.check({name: getattr(record, attribute) for name, attribute in layout.attributes.items()})
    value = Encoder(layout).encode(record)
    decoded, extra = Decoder(layout, Sharing()).decode("key", value)

    stored = [field for field in cls.fields.values() if field.stored]
    assert sorted(json.loads(value)) == sorted(field.name for field in stored)
    assert extra == {}
    for field in stored:
        attribute = layout.attributes[field.name]
        assert getattr(decoded, attribute) == getattr(record, attribute), field.name
        assert conforms(getattr(decoded, attribute), field.type), field.name


@pytest.mark.parametrize("cls", STORED, ids=lambda cls: str(cls.name))
def test_an_object_with_no_stored_field_is_read_with_defaults_that_conform(cls: XenClass) -> None:
    layout = LAYOUTS[cls.python]
    decoded, _ = Decoder(layout, Sharing()).decode("key", b"{}")

    for field in cls.fields.values():
        assert conforms(getattr(decoded, layout.attributes[field.name]), field.type), field.name


def test_equal_texts_references_maps_and_times_are_one_object_in_memory() -> None:
    cls = schema().classes["PBD"]
    layout = LAYOUTS[cls.python]
    record = dataclasses.replace(full_record(cls), device_config={"target": "10.0.0.1", "port": "3260"})
    decoder = Decoder(layout, Sharing())
    value = Encoder(layout).encode(record)
    (first, _), (second, _) = decoder.decode("key", value), decoder.decode("key", value)

    assert first is not second
    for field in layout.stored_fields:
        assert getattr(first, field.name) is getattr(second, field.name), field.name


def test_empty_maps_are_one_object_in_memory() -> None:
    layout = LAYOUTS[schema().classes["PBD"].python]
    decoded, _ = Decoder(layout, Sharing()).decode("key", b'{"other_config": {}}')

    assert decoded.other_config is EMPTY_MAP
    assert decoded.device_config is EMPTY_MAP
