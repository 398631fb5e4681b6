"""The classes as `xe` shows them: which fields, in which order, under which names, and which of them a list shows.

Names follow from the datamodel's (dashes for underscores); what XenServer's command line names or shows otherwise is
declared in the modules `view_tables_*.py`. Fields that are not declared there can still be asked for by name.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from cardume.cli.fields import NameOf, Own, Shape, Source, Via, XeField
from cardume.datamodel.schema import Field, XenClass, xenclass_named
from cardume.datamodel.wiretypes import EnumType, MapType, RefType, SetType


@dataclass(frozen=True, slots=True)
class Derived:
    """How a name of `xe`'s is read where it is no field of its own.

    said: `FIELD` (another field's value), `FIELD.name` (of the object referred to), `FIELD>OTHER` (a field of the
    object referred to), or a source made by hand.
    """

    said: str | Source
    shape: Shape | None = None
    absent: str = ""  # what `FIELD>OTHER` shows when there is no such object; empty: the usual words
    expensive: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A class under its prefix."""

    prefix: str  # as in `vm-list`
    cls: str
    order: str = ""  # names in the order of XenServer
    defaults: tuple[str, ...] = ()  # shown by a list; empty: all
    where: tuple[tuple[str, str], ...] = ()  # which objects of the class it is about
    derived: Mapping[str, Derived] = field(default_factory=dict)
    one: frozenset[str] = frozenset()  # sets and maps that are shown as one value
    read_only: frozenset[str] = frozenset()  # though the API can set them
    hidden: frozenset[str] = frozenset()
    expensive: frozenset[str] = frozenset()
    deprecated: frozenset[str] = frozenset()
    plural: str = ""

    @property
    def many(self) -> str:
        """The objects in words, as in `Lists all the VMs`."""
        return self.plural or f"{self.prefix}s"

    @property
    def fields(self) -> Mapping[str, XeField]:
        """Its fields by name, in the order that they are shown in."""
        return fields_of(self.prefix)

    def find(self, name: str) -> XeField | None:
        """The field of this name, as `xe` spells it."""
        return self.fields.get(name)


@cache
def views() -> Mapping[str, View]:
    """Every view by its prefix."""
    return {view.prefix: view for table in _TABLES for view in _views_of(table)}


def find_view(prefix: str) -> View | None:
    """The view of this prefix; the tables after the one that has it are not loaded."""
    return next((view for table in _TABLES for view in _views_of(table) if view.prefix == prefix), None)


_TABLES = (
    "view_tables_vms",
    "view_tables_hosts",
    "view_tables_storage",
    "view_tables_networks",
    "view_tables_devices",
    "view_tables_pool",
)


def _views_of(table: str) -> tuple[View, ...]:
    found: tuple[View, ...] = importlib.import_module(f"cardume.cli.{table}").VIEWS
    return found


@cache
def fields_of(prefix: str) -> Mapping[str, XeField]:
    """The fields of a view."""
    view = find_view(prefix)
    assert view is not None, f"{prefix} is no class"
    declared = xenclass_named(view.cls)
    named = {_normal(name): own for name, own in declared.fields.items()}
    shown = [_field(view, declared, name, named) for name in view.order.split()]
    taken = {made.name for made in shown} | {made.own.name.replace("_", "-") for made in shown if made.own is not None}
    rest = [_own(view, declared, name.replace("_", "-"), own) for name, own in declared.fields.items()]
    # A list shows what XenServer's shows; what is left of the datamodel is read by asking for it.
    left = [replace(made, hidden=bool(view.order)) for made in rest if made.name not in taken]
    return {made.name: made for made in (*shown, *left)}


def _normal(name: str) -> str:
    return name.replace("-", "_")


def _field(view: View, declared: XenClass, name: str, named: Mapping[str, Field]) -> XeField:
    derived = view.derived.get(name)
    if derived is None:
        return _own(view, declared, name, named[_normal(name)])
    if not isinstance(derived.said, str):
        return _made(view, name, derived.said, derived, derived.shape or Shape.ONE)
    source_field, _, via = derived.said.partition(">")
    if via:
        cls = _referred(declared.fields[source_field])
        other = xenclass_named(cls).fields[via]
        source = Via(cls, source_field, Own(other), *([derived.absent] if derived.absent else []))
        return _made(view, name, source, derived, derived.shape or _shape(other))
    source_field, _, wants_name = derived.said.partition(".")
    if wants_name:
        return _made(view, name, NameOf(_referred(declared.fields[source_field]), source_field), derived, Shape.ONE)
    return _own(view, declared, name, declared.fields[source_field])


def _made(view: View, name: str, source: Source, derived: Derived, shape: Shape) -> XeField:
    return XeField(
        name,
        source,
        shape,
        hidden=derived.hidden or name in view.hidden,
        expensive=derived.expensive,
        deprecated=name in view.deprecated,
    )


def _own(view: View, declared: XenClass, name: str, own: Field) -> XeField:
    shape = Shape.ONE if name in view.one else _shape(own)
    return XeField(
        name,
        Own(own),
        shape,
        own,
        writable=name not in view.read_only and _is_settable(declared, own, shape),
        hidden=name in view.hidden,
        expensive=name in view.expensive,
        deprecated=name in view.deprecated,
        ignores_case=own.name == "MAC",
        joiner=", " if own.name in ("tags", "purpose") else "; ",
    )


def _is_settable(declared: XenClass, own: Field, shape: Shape) -> bool:
    """True when a message of the API changes just this field in its shape (some setters want more than the value)."""
    verb, values = {Shape.ONE: ("set", 1), Shape.SET: ("add", 1), Shape.MAP: ("add_to", 2)}[shape]
    message = declared.messages.get(f"{verb}_{own.name}")
    return message is not None and len(message.params) == 1 + values


def _shape(own: Field) -> Shape:
    match own.type:
        case SetType() | MapType(_, EnumType()):
            return Shape.SET
        case MapType():
            return Shape.MAP
        case _:
            return Shape.ONE


def _referred(own: Field) -> str:
    assert isinstance(own.type, RefType), f"{own.name} refers to nothing"
    return own.type.cls
