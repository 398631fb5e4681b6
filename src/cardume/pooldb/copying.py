"""From one store to another: everything that is the pool's."""

from collections.abc import Iterable

from cardume.pooldb.chunks import chunks
from cardume.pooldb.mastership import MASTER_KEY
from cardume.pooldb.store import KeyValue, Put, Store

EVERYTHING = "/cardume/"


async def read_everything(store: Store) -> list[KeyValue]:
    """All that is in a store, as of one moment; but who the master is, which is of one store alone."""
    _, items = await store.list(EVERYTHING)
    return sorted((item for item in items if item.key != MASTER_KEY), key=lambda item: item.create_revision)


async def fill(store: Store, items: Iterable[KeyValue]) -> None:
    """Write the items into a store that is empty and nobody's yet, in their order; an error leaves a part of them.

    Some hundreds at a time: those count as equally old from then on.
    """
    for chunk in chunks(Put(item.key, item.value) for item in items):
        await store.txn(chunk)
