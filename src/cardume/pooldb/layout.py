"""What the object layer needs to know of a class, worked out once from the schema."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.schema import Field, Schema, XenClass
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, Prim, RefType, SetType, WireType, zero


@dataclass(frozen=True, slots=True)
class Backref:
    """The field of another class that lists the objects which name it."""

    cls: type
    attribute: str
    is_set: bool

    @property
    def empty(self) -> Any:
        return () if self.is_set else NULL


@dataclass(frozen=True)
class Layout:
    """One class: how its records are read and written."""

    cls: XenClass
    attributes: Mapping[str, str]
    """Field to Python attribute; they differ where the field's name is a word of Python's."""
    references: Mapping[str, tuple[Backref, ...]]
    """Attributes whose objects keep a back-reference."""

    @property
    def name(self) -> str:
        return self.cls.name

    @cached_property
    def has_uuid(self) -> bool:
        return "uuid" in self.cls.fields

    @cached_property
    def has_name_label(self) -> bool:
        return "name_label" in self.cls.fields

    @cached_property
    def stored_fields(self) -> tuple[Field, ...]:
        return tuple(f for f in self.cls.fields.values() if f.stored) if self.cls.stored else ()

    @cached_property
    def backref_attributes(self) -> Mapping[str, Any]:
        """The attributes of this class that the database keeps, and their value when nobody names the object."""
        kept = (field for field in self.cls.fields.values() if field.backref)
        return {self.attributes[field.name]: zero(field.type) for field in kept}

    @cached_property
    def stored_values(self) -> Callable[[Any], tuple[Any, ...]]:
        """A function from a record to the tuple of what the store keeps of it."""
        names = [self.attributes[field.name] for field in self.stored_fields]
        if len(names) > 1:
            return operator.attrgetter(*names)
        return lambda record: tuple(getattr(record, name) for name in names)

    def targets(self, record: Any, attribute: str) -> tuple[Ref[Any], ...]:
        """The objects that a reference attribute names."""
        value = getattr(record, attribute)
        return tuple(value) if isinstance(value, tuple) else () if value == NULL or not value else (value,)

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise TypeError when a field is given a value of another type than declared."""
        for name, value in values.items():
            if type(value) is self._usual_types.get(name):
                continue
            if name not in self.cls.fields:
                raise TypeError(f"{self.name} has no field {name}")
            if not conforms(value, self.cls.fields[name].type):
                raise TypeError(f"{self.name}.{name}: expected {self.cls.fields[name].type}, got {value!r:.80}")

    @cached_property
    def _usual_types(self) -> Mapping[str, type | None]:
        """The Python type whose values need no further look."""
        return {field.name: _usual_type(field.type) for field in self.cls.fields.values()}


def layouts(schema: Schema) -> dict[type, Layout]:
    """The layout of every class, by its Python class."""
    references: dict[tuple[str, str], list[Backref]] = {}
    for cls in schema.classes.values():
        for field in cls.fields.values():
            if field.backref:
                backref = Backref(cls.python, _attribute(cls, field.name), isinstance(field.type, SetType))
                references.setdefault(field.backref, []).append(backref)
    return {cls.python: _layout(cls, references) for cls in schema.classes.values()}


def _layout(cls: XenClass, references: Mapping[tuple[str, str], list[Backref]]) -> Layout:
    attributes = {name: _attribute(cls, name) for name in cls.fields}
    kept = {attributes[name]: tuple(references.get((cls.name, name), ())) for name in cls.fields}
    return Layout(cls, attributes, {name: backrefs for name, backrefs in kept.items() if backrefs})


def _attribute(cls: XenClass, field: str) -> str:
    return field if field in cls.python.__dataclass_fields__ else field + "_"


def _usual_type(of: WireType) -> type | None:
    match of:
        case Prim():
            return _PYTHON[of]
        case RefType():
            return Ref
        case EnumType(python=python):
            return python
    return None


_PYTHON: Mapping[Prim, type] = {
    Prim.STRING: str,
    Prim.INT: int,
    Prim.FLOAT: float,
    Prim.BOOL: bool,
    Prim.DATETIME: datetime,
    Prim.VOID: type(None),
}


def conforms(value: Any, of: WireType) -> bool:
    """True when a Python value is one of the XenAPI type."""
    match of:
        case Prim.INT | Prim.FLOAT:
            return isinstance(value, int if of is Prim.INT else (int, float)) and not isinstance(value, bool)
        case Prim():
            return isinstance(value, _PYTHON[of])
        case RefType():
            return isinstance(value, str)
        case EnumType(python=python):
            return isinstance(value, python)
        case SetType(item):
            usual = _usual_type(item)  # a session names a thousand permissions
            return isinstance(value, tuple) and all(type(m) is usual or conforms(m, item) for m in value)
        case MapType(key, item):
            return isinstance(value, Mapping) and all(conforms(k, key) and conforms(v, item) for k, v in value.items())
        case OptionType(item):
            return value is None or conforms(value, item)
    return True


def reference_targets(layout: Layout, record: Any) -> Iterator[tuple[Ref[Any], Backref]]:
    """Every object that should list this record, and in which of its fields."""
    for attribute, backrefs in layout.references.items():
        for target in layout.targets(record, attribute):
            for backref in backrefs:
                yield target, backref
