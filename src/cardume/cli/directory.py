"""Objects that others refer to: their uuids and names, fetched once, many at a time when many are needed."""

from collections.abc import Iterable, Mapping
from typing import Any

from cardume.cli.failures import Refused
from cardume.cli.server import Server
from cardume.datamodel.schema import is_declared, xenclass_named

NOT_THERE = "<not in database>"
ONE_BY_ONE = 8  # more references than this are cheaper to resolve by one get_all_records

NO_OBJECT = ("", "OpaqueRef:NULL", NOT_THERE)
"""What stands in place of a uuid where there is no object."""

Record = Mapping[str, Any]


class Directory:
    """What is known of the pool's objects while a command runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._records: dict[str, dict[str, Record]] = {}

    def learn(self, cls: str, records: Mapping[str, Record]) -> None:
        """Remember records that came by another way."""
        self._records.setdefault(cls, {}).update(records)

    def load(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Fetch what is not known yet of these (class, reference) pairs."""
        missing: dict[str, set[str]] = {}
        for cls, ref in wanted:
            if is_reference(ref) and ref not in self._records.setdefault(cls, {}):
                missing.setdefault(cls, set()).add(ref)
        for cls, refs in missing.items():
            if not is_declared(cls):
                continue  # nothing of a class that is gone can be referred to
            if len(refs) > ONE_BY_ONE and xenclass_named(cls).has_get_all_records:
                self.learn(cls, self._server.call(f"{cls}.get_all_records"))
            else:
                for ref in refs:
                    self._load_one(cls, ref)

    def find(self, cls: str, ref: str) -> Record | None:
        """The record behind a reference; None when there is none (any more)."""
        self.load([(cls, ref)])
        return self._records.get(cls, {}).get(ref)

    def find_anywhere(self, ref: str) -> Record | None:
        """The record behind a reference of a class that is not known, among what was fetched before."""
        return next((records[ref] for records in self._records.values() if ref in records), None)

    def uuid(self, cls: str, ref: str) -> str:
        """The uuid behind a reference, or the words that stand for nothing."""
        record = self.find(cls, ref)
        return NOT_THERE if record is None else str(record["uuid"])

    def name(self, cls: str, ref: str) -> str:
        """The name behind a reference, or the words that stand for nothing."""
        record = self.find(cls, ref)
        return NOT_THERE if record is None else str(record.get("name_label", NOT_THERE))

    def _load_one(self, cls: str, ref: str) -> None:
        try:
            self.learn(cls, {ref: self._server.call(f"{cls}.get_record", ref)})
        except Refused as refused:
            # Deleted since the record that named it was read.
            if refused.code != "HANDLE_INVALID":
                raise


def is_reference(text: str) -> bool:
    """True for a reference to something."""
    return text.startswith("OpaqueRef:") and text != "OpaqueRef:NULL"
