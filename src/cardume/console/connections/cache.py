"""A pool's objects as it last told them: filled and kept by `event.from`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cardume.console.connections.happenings import Happenings

NULL = "OpaqueRef:NULL"
Record = Mapping[str, Any]


class Cache:
    """Records by class (in lower case) and reference. `version` grows with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._classes: dict[str, dict[str, Record]] = {}
        self._refs_by_uuid: dict[tuple[str, str], str] = {}
        self._happenings = Happenings()

    def apply(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """Take in what happened; True when that changed anything."""
        changed = False
        for event in events:
            cls, ref = str(event["class"]).lower(), str(event["ref"])
            objects = self._classes.setdefault(cls, {})
            if event["operation"] == "del":
                gone = objects.pop(ref, None)
                if gone is not None:
                    self._refs_by_uuid.pop((cls, gone.get("uuid", "")), None)
                    self._happenings.forget(gone.get("uuid", ""))
                    changed = True
            elif event.get("snapshot") is not None and objects.get(ref) != event["snapshot"]:
                if cls == "vm" and ref in objects:
                    self._happenings.note(objects[ref], event["snapshot"], time.time())
                objects[ref] = event["snapshot"]
                self._refs_by_uuid[cls, event["snapshot"].get("uuid", "")] = ref
                changed = True
        if changed:
            self.version += 1
        return changed

    def clear(self) -> None:
        """Forget everything: what follows tells all of it anew."""
        self._classes.clear()
        self._refs_by_uuid.clear()
        self.version += 1

    def find(self, cls: str, ref: str) -> Record | None:
        """The record of an object."""
        return self._classes.get(cls, {}).get(ref)

    def find_ref(self, cls: str, uuid: str) -> str | None:
        """The reference of the object of a class with this uuid."""
        return self._refs_by_uuid.get((cls, uuid))

    def happened(self, uuid: str) -> Sequence[tuple[float, str]]:
        """What was seen to happen to a VM: the moment of each, and what."""
        return self._happenings.of(uuid)

    def all(self, cls: str) -> Mapping[str, Record]:
        """Every record of a class, by reference."""
        return self._classes.get(cls, {})

    def each(self, cls: str, refs: Sequence[str]) -> Iterator[tuple[str, Record]]:
        """The records of these references that are known."""
        for ref in refs:
            record = self.find(cls, ref)
            if record is not None:
                yield ref, record

    @property
    def pool(self) -> Record | None:
        """The pool's own record."""
        return next(iter(self.all("pool").values()), None)
