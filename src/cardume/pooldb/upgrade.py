"""What was stored by an older version becomes what this version reads; a newer version's is refused.

A migration is a plain function over all stored objects. New fields with a default, and fields that went away, need
none: the codec fills in and keeps. It must leave its own result alone when it runs again, because a crash half-way
through a large pool makes it do so.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cardume.pooldb.chunks import chunks
from cardume.pooldb.store import Compare, Delete, Operation, Put, Store, StoreDamaged, StoreTooNew

VERSION_KEY = "/cardume/version"
OBJECTS = "/cardume/objects/"

Plain = dict[str, Any]
Migration = Callable[[Mapping[str, Plain]], Mapping[str, Plain | None]]
"""Objects by `class/reference` to those that change; None deletes."""

MIGRATIONS: tuple[Migration, ...] = ()
"""The n-th brings version n to n + 1. Never edited once released, only added to."""


async def stored_version(store: Store, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The version that wrote the store, 0 for an empty one; StoreTooNew when this version cannot read it."""
    item = await store.get(VERSION_KEY)
    if item is None:
        _, objects = await store.list(OBJECTS)
        if objects:
            raise StoreDamaged(f"the pool database has {len(objects)} objects and no {VERSION_KEY}")
        return 0
    try:
        version = int(item.value)
    except ValueError as error:
        raise StoreDamaged(f"{VERSION_KEY} in the pool database is no number: {item.value!r}") from error
    newest = len(migrations) + 1
    if version > newest:
        raise StoreTooNew(
            f"the pool database was written by a newer Cardume (format {version}, this one reads up to {newest}); "
            "install that version, or restore a backup from before the upgrade"
        )
    return version


async def upgrade(
    store: Store, version: int, *, guard: Sequence[Compare] = (), migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Bring the stored objects from a version to this one's."""
    newest = len(migrations) + 1
    if version == 0:
        await store.txn([_version(newest)], compares=guard)
        return
    for step in range(version, newest):
        _, items = await store.list(OBJECTS)
        before = {item.key.removeprefix(OBJECTS): json.loads(item.value) for item in items}
        changed = migrations[step - 1](before)
        # The version is in the last part, so a crash repeats the step.
        for chunk in chunks([*_operations(changed), _version(step + 1)]):
            await store.txn(chunk, compares=guard)


def _version(version: int) -> Operation:
    return Put(VERSION_KEY, str(version).encode())


def _operations(changed: Mapping[str, Plain | None]) -> Iterator[Operation]:
    for name, plain in changed.items():
        key = OBJECTS + name
        yield Delete(key) if plain is None else Put(key, json.dumps(plain, ensure_ascii=False).encode())
