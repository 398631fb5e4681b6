"""The pool database as a text file: a line that says what it is, then a line for each object, as JSON.

For backups, and for whoever has to read one without Cardume.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import schema
from cardume.pooldb.layout import layouts
from cardume.pooldb.load import Stored, read_objects
from cardume.pooldb.store import StoreDamaged, StoreTooNew
from cardume.pooldb.upgrade import MIGRATIONS, OBJECTS

KIND = "cardume-pool-database"
FORMAT = len(MIGRATIONS) + 1

Items = list[tuple[str, bytes]]


def write_dump(pool_uuid: str, items: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The lines of a dump of stored objects, secrets included."""
    head = {"kind": KIND, "format": FORMAT, "pool": pool_uuid, "taken": datetime.now(UTC).isoformat()}
    yield _line(head)
    for key, value in items:
        yield _line({"key": key, "value": json.loads(value)})
    yield _line({"end": True})


def read_dump(data: bytes) -> tuple[Items, dict[Ref[Any], Any]]:
    """What a dump has: its items as they are stored, and the records they are.

    StoreDamaged when it is none, or not whole; StoreTooNew when another version made it.
    """
    try:
        head, *lines = [json.loads(line) for line in data.splitlines()]
        if head["kind"] != KIND or lines[-1:] != [{"end": True}]:
            raise StoreDamaged("this is no whole backup of a pool database")
        if head["format"] != FORMAT:
            raise StoreTooNew(f"the backup has format {head['format']}, this version reads {FORMAT}")
        items = [(str(line["key"]), json.dumps(line["value"], ensure_ascii=False).encode()) for line in lines[:-1]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(f"this is no backup of a pool database: {error!r}") from error
    if any(not key.startswith(OBJECTS) for key, _ in items):
        raise StoreDamaged("the backup has keys that are no objects")
    found = read_objects(items, layouts(schema()))
    return items, {ref: stored.record for ref, stored in found.items() if isinstance(stored, Stored)}


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
