"""The objects that are visible: records by reference, and the indexes that make looking them up cheap."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cardume.datamodel.refs import Ref
from cardume.pooldb.layout import Layout, reference_targets

Changed = Mapping[Ref[Any], Any | None]
"""Records by reference as a transaction leaves them; None for those it deleted."""


class Table:
    """The objects of one class. `records()` is a snapshot: it stays as it is while the table changes."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._records: dict[Ref[Any], Any] = {}
        self._is_shared = False
        self._by_uuid: dict[str, Ref[Any]] = {}
        self._by_label: dict[str, tuple[Ref[Any], ...]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def records(self) -> Mapping[Ref[Any], Any]:
        self._is_shared = True
        return MappingProxyType(self._records)

    def get(self, ref: Ref[Any]) -> Any | None:
        return self._records.get(ref)

    def by_uuid(self, uuid: str) -> Ref[Any] | None:
        return self._by_uuid.get(uuid)

    def by_label(self, label: str) -> tuple[Ref[Any], ...]:
        return self._by_label.get(label, ())

    def put(self, ref: Ref[Any], record: Any) -> None:
        self._unshare()
        old = self._records.get(ref)
        if self.layout.has_uuid and (old is None or old.uuid != record.uuid):
            if old is not None:
                del self._by_uuid[old.uuid]
            self._by_uuid[record.uuid] = ref
        if self.layout.has_name_label and (old is None or old.name_label != record.name_label):
            if old is not None:
                self._drop_label(old.name_label, ref)
            self._by_label[record.name_label] = (*self.by_label(record.name_label), ref)
        self._records[ref] = record

    def remove(self, ref: Ref[Any]) -> None:
        self._unshare()
        old = self._records.pop(ref)
        if self.layout.has_uuid:
            del self._by_uuid[old.uuid]
        if self.layout.has_name_label:
            self._drop_label(old.name_label, ref)

    def _unshare(self) -> None:
        # Whoever was handed the dict may still be iterating over it, over many awaits.
        if self._is_shared:
            self._records = dict(self._records)
            self._is_shared = False

    def _drop_label(self, label: str, ref: Ref[Any]) -> None:
        left = tuple(other for other in self._by_label[label] if other != ref)
        if left:
            self._by_label[label] = left
        else:
            del self._by_label[label]


class Tables:
    """All classes."""

    def __init__(self, layouts: Mapping[type, Layout]) -> None:
        self.layouts = layouts
        self.by_class: dict[type, Table] = {python: Table(layout) for python, layout in layouts.items()}
        self._table_of: dict[Ref[Any], Table] = {}
        self._dangling: dict[Ref[Any], dict[Ref[Any], None]] = {}

    def find(self, ref: Ref[Any]) -> Any | None:
        table = self._table_of.get(ref)
        return table.get(ref) if table is not None else None

    def layout_of(self, ref: Ref[Any]) -> Layout | None:
        table = self._table_of.get(ref)
        return table.layout if table is not None else None

    def referrers_of_missing(self, ref: Ref[Any]) -> Iterable[Ref[Any]]:
        """Objects that may name this one, which does not exist."""
        return tuple(self._dangling.get(ref, ()))

    def apply(self, changed: Changed) -> None:
        """Make the outcome of a transaction visible."""
        before = {ref: self.find(ref) for ref in changed}
        for ref, record in changed.items():
            if record is None:
                self._table_of.pop(ref).remove(ref)
            else:
                table = self.by_class[type(record)]
                table.put(ref, record)
                self._table_of[ref] = table
        self._note_dangling(before, changed)

    def _note_dangling(self, before: Changed, after: Changed) -> None:
        for ref, old in before.items():
            if old is None:
                self._dangling.pop(ref, None)
            elif after[ref] is None:
                self._orphan_referrers(ref, old)
        for ref, old in before.items():
            if old is not None:
                for target, _ in reference_targets(self.layouts[type(old)], old):
                    self._forget_dangling(target, ref)
        for ref, new in after.items():
            if new is not None:
                for target, _ in reference_targets(self.layouts[type(new)], new):
                    if target not in self._table_of:
                        self._dangling.setdefault(target, {})[ref] = None

    def _orphan_referrers(self, ref: Ref[Any], old: Any) -> None:
        """The object is gone; those that still name it are found again should it come back."""
        layout = self.layouts[type(old)]
        for attribute in layout.backref_attributes:
            for source in layout.targets(old, attribute):
                if source in self._table_of:
                    self._dangling.setdefault(ref, {})[source] = None

    def _forget_dangling(self, target: Ref[Any], source: Ref[Any]) -> None:
        sources = self._dangling.get(target)
        if sources is not None:
            sources.pop(source, None)
            if not sources:
                del self._dangling[target]
