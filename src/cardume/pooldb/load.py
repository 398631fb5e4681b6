"""From the store's items to tables full of objects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from cardume.datamodel.refs import Ref
from cardume.pooldb.codec import Decoder, Sharing
from cardume.pooldb.layout import Layout, reference_targets
from cardume.pooldb.store import KeyValue
from cardume.pooldb.tables import Tables
from cardume.pooldb.upgrade import OBJECTS

log = structlog.get_logger(__name__)


def load_objects(items: Sequence[KeyValue], tables: Tables) -> dict[Ref[Any], Mapping[str, Any]]:
    """Fill empty tables, oldest object first; the fields that this version does not know, by object."""
    sharing = Sharing()
    python = {layout.name: cls for cls, layout in tables.layouts.items() if layout.stored_fields}
    decoders = {name: Decoder(tables.layouts[cls], sharing) for name, cls in python.items()}
    records: dict[Ref[Any], Any] = {}
    extras: dict[Ref[Any], Mapping[str, Any]] = {}
    strangers: dict[str, int] = {}
    for item in sorted(items, key=lambda item: item.create_revision):
        name, _, text = item.key.removeprefix(OBJECTS).partition("/")
        if name not in decoders:
            strangers[name] = strangers.get(name, 0) + 1
            continue
        ref = sharing.ref(text)
        records[ref], extra = decoders[name].decode(item.key, item.value)
        if extra:
            extras[ref] = extra
    for name, count in strangers.items():
        # Another version's objects: left in the store for it, of no use here.
        log.warning("stored_class_unknown", cls=name, objects=count)
    _fill_backrefs(records, tables)
    tables.apply(records)
    return extras


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a store has it: its record, and the fields of it that were stored, by name."""

    record: Any
    fields: Mapping[str, Any]


def read_objects(
    changes: Iterable[tuple[str, bytes | None]], layouts: Mapping[type, Layout]
) -> dict[Ref[Any], Stored | None]:
    """What keys of a store say of objects; None for one that is gone. Other keys, and unknown classes, are left out."""
    sharing = Sharing()
    known = {layout.name: layout for layout in layouts.values() if layout.stored_fields}
    decoders = {name: Decoder(layout, sharing) for name, layout in known.items()}
    found: dict[Ref[Any], Stored | None] = {}
    for key, value in changes:
        name, _, text = key.removeprefix(OBJECTS).partition("/")
        if not key.startswith(OBJECTS) or name not in known:
            continue
        if value is None:
            found[Ref(text)] = None
            continue
        record, _ = decoders[name].decode(key, value)
        layout = known[name]
        values = zip(layout.stored_fields, layout.stored_values(record), strict=True)
        found[Ref(text)] = Stored(record, {field.name: value for field, value in values})
    return found


def _fill_backrefs(records: Mapping[Ref[Any], Any], tables: Tables) -> None:
    """Derive the sets of objects that name an object."""
    found: dict[tuple[Ref[Any], str], list[Ref[Any]]] = {}
    single: dict[tuple[Ref[Any], str], Ref[Any]] = {}
    for source, record in records.items():
        for target, backref in reference_targets(tables.layouts[type(record)], record):
            if type(records.get(target)) is backref.cls:
                if backref.is_set:
                    found.setdefault((target, backref.attribute), []).append(source)
                else:
                    single[target, backref.attribute] = source
    # The records are frozen; nobody has seen them yet, and replacing each would cost a copy of all its fields.
    for (target, attribute), sources in found.items():
        object.__setattr__(records[target], attribute, tuple(dict.fromkeys(sources)))
    for (target, attribute), source in single.items():
        object.__setattr__(records[target], attribute, source)
