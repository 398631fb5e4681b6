"""A transaction: changes laid over the visible objects, which stay untouched until it is committed."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref, new_ref, new_uuid
from cardume.pooldb.layout import Backref, Layout, reference_targets
from cardume.pooldb.tables import Tables

T = TypeVar("T")


class Overlay:
    """The `Transaction` of db.py."""

    def __init__(self, base: Tables) -> None:
        self._base = base
        self._changed: dict[Ref[Any], Any | None] = {}
        self._by_uuid: dict[tuple[type, str], Ref[Any]] = {}  # the uuids that were given here, to whom last
        self._missing: dict[Ref[Any], list[Ref[Any]]] = {}  # referrers of objects that do not exist
        self._is_over = False

    def find(self, ref: Ref[T]) -> T | None:
        found: T | None = self._changed[ref] if ref in self._changed else self._base.find(ref)
        return found

    def get(self, ref: Ref[T]) -> T:
        found = self.find(ref)
        if found is None:
            layout = self._base.layout_of(ref)
            raise errors.HANDLE_INVALID(layout.name if layout else "object", ref)
        return found

    def class_of(self, ref: Ref[Any]) -> str | None:
        record = self.find(ref)
        return None if record is None else self._layout(record).name

    def all(self, cls: type[T]) -> Mapping[Ref[T], T]:
        records = dict(self._base.by_class[cls].records())
        for ref, record in self._changed.items():
            if record is None:
                records.pop(ref, None)
            elif type(record) is cls:
                records[ref] = record
        return records

    def by_uuid(self, cls: type[T], uuid: str) -> Ref[T]:
        ref = self._find_uuid(cls, uuid)
        if ref is None:
            raise errors.UUID_INVALID(self._base.layouts[cls].name, uuid)
        return ref

    def by_name_label(self, cls: type[T], label: str) -> tuple[Ref[T], ...]:
        unchanged = [ref for ref in self._base.by_class[cls].by_label(label) if ref not in self._changed]
        return (*unchanged, *(ref for ref, record in self._changed_of(cls) if record.name_label == label))

    def create(self, record: T, ref: Ref[T] | None = None) -> Ref[T]:
        self._check_open()
        ref = new_ref() if ref is None else ref
        if ref in self._changed or self._base.find(ref) is not None:
            raise ValueError(f"the reference {ref} is in use")
        layout = self._layout(record)
        layout.check({field: getattr(record, attribute) for field, attribute in layout.attributes.items()})
        created = self._complete(layout, record, ref)
        self._changed[ref] = created
        if layout.has_uuid:
            self._by_uuid[layout.cls.python, created.uuid] = ref
        self._adopt_referrers(layout, ref)
        for target, backref in reference_targets(layout, record):
            self._link(target, backref, ref)
        return ref

    def update(self, ref: Ref[Any], **changes: Any) -> None:
        self._check_open()
        record = self.get(ref)
        layout = self._layout(record)
        layout.check(changes)
        changes = {layout.attributes[name]: value for name, value in changes.items()}
        if kept := changes.keys() & layout.backref_attributes.keys():
            raise TypeError(f"{layout.name}.{min(kept)} follows from other objects, which are to be changed instead")
        changed = {name: value for name, value in changes.items() if getattr(record, name) != value}
        if not changed:
            return
        if "uuid" in changed:
            self._check_uuid(layout, changed["uuid"])
            self._by_uuid[layout.cls.python, changed["uuid"]] = ref
        self._changed[ref] = dataclasses.replace(record, **changed)
        for attribute in changed.keys() & layout.references.keys():
            self._relink(layout, attribute, ref, record)

    def delete(self, ref: Ref[Any]) -> None:
        self._check_open()
        record = self.find(ref)
        if record is None:
            return
        layout = self._layout(record)
        self._changed[ref] = None
        for target, backref in reference_targets(layout, record):
            self._unlink(target, backref, ref)
        for attribute in layout.backref_attributes:
            self._missing.setdefault(ref, []).extend(layout.targets(record, attribute))

    @property
    def changed_refs(self) -> frozenset[Ref[Any]]:
        """The objects touched so far."""
        return frozenset(self._changed)

    def finish(self) -> dict[Ref[Any], Any | None]:
        """End the transaction: what it really changed, in the order it did."""
        self._is_over = True
        return {ref: record for ref, record in self._changed.items() if record != self._base.find(ref)}

    def _check_open(self) -> None:
        if self._is_over:
            raise RuntimeError("the transaction is over")

    def _layout(self, record: object) -> Layout:
        return self._base.layouts[type(record)]

    def _changed_of(self, cls: type[T]) -> Iterator[tuple[Ref[T], Any]]:
        for ref, record in self._changed.items():
            if type(record) is cls:
                yield ref, record

    def _find_uuid(self, cls: type[T], uuid: str) -> Ref[T] | None:
        for ref in (self._base.by_class[cls].by_uuid(uuid), self._by_uuid.get((cls, uuid))):
            record: Any = None if ref is None else self.find(ref)
            if record is not None and record.uuid == uuid:  # it may have lost the uuid meanwhile
                return ref
        return None

    def _check_uuid(self, layout: Layout, uuid: str) -> None:
        if self._find_uuid(layout.cls.python, uuid) is not None:
            raise ValueError(f"the uuid {uuid} is in use by another {layout.name}")

    def _complete(self, layout: Layout, record: Any, ref: Ref[Any]) -> Any:
        """The record as it enters the database: with a uuid, and with none of the sets that the database keeps."""
        changes: dict[str, Any] = {}
        if layout.has_uuid and not record.uuid:
            changes["uuid"] = new_uuid()
        elif layout.has_uuid:
            self._check_uuid(layout, record.uuid)
        for attribute, empty in layout.backref_attributes.items():
            if getattr(record, attribute) != empty:
                changes[attribute] = empty
        return dataclasses.replace(record, **changes) if changes else record

    def _adopt_referrers(self, layout: Layout, ref: Ref[Any]) -> None:
        """List the objects that named this one before it existed."""
        if not layout.backref_attributes:
            return
        for source in dict.fromkeys((*self._base.referrers_of_missing(ref), *self._missing.get(ref, ()))):
            record = self.find(source)
            if record is not None:
                for target, backref in reference_targets(self._layout(record), record):
                    if target == ref:
                        self._link(ref, backref, source)

    def _relink(self, layout: Layout, attribute: str, ref: Ref[Any], old: Any) -> None:
        before = layout.targets(old, attribute)
        after = layout.targets(self._changed[ref], attribute)
        for backref in layout.references[attribute]:
            for target in before:
                if target not in after:
                    self._unlink(target, backref, ref)
            for target in after:
                if target not in before:
                    self._link(target, backref, ref)

    def _link(self, target: Ref[Any], backref: Backref, source: Ref[Any]) -> None:
        record = self.find(target)
        if record is None:
            self._missing.setdefault(target, []).append(source)
        elif type(record) is backref.cls:
            now = getattr(record, backref.attribute)
            if not backref.is_set:
                self._set(target, record, backref, source)
            elif source not in now:
                self._set(target, record, backref, (*now, source))

    def _unlink(self, target: Ref[Any], backref: Backref, source: Ref[Any]) -> None:
        record = self.find(target)
        if type(record) is not backref.cls:
            return
        now = getattr(record, backref.attribute)
        if backref.is_set:
            self._set(target, record, backref, tuple(ref for ref in now if ref != source))
        elif now == source:
            self._set(target, record, backref, backref.empty)

    def _set(self, target: Ref[Any], record: Any, backref: Backref, value: Any) -> None:
        self._changed[target] = dataclasses.replace(record, **{backref.attribute: value})
