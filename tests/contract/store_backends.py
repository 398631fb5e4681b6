"""The stores that keep the contract. A new one joins with one entry here.

A backend is a context that gives an empty store, and takes it away afterwards.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.store import Store

Backend = Callable[[Path], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory(directory: Path) -> AsyncIterator[Store]:
    store = MemoryStore()
    yield store
    await store.close()


@asynccontextmanager
async def sqlite(directory: Path) -> AsyncIterator[Store]:
    store = await SQLiteStore.open(directory / "pool.db")
    yield store
    await store.close()


BACKENDS: dict[str, Backend] = {"memory": memory, "sqlite": sqlite}
EMBEDDED = ("memory", "sqlite")
"""Those that are cheap enough to be made anew for every example of a property test."""
