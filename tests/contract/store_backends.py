"""The stores that keep the contract. A new one joins with one entry here.

A backend is a context that gives an empty store, and takes it away afterwards. etcd's turn comes with
CARDUME_CONTRACT_ETCD=/usr/bin/etcd, which names the program; the tests run one of their own on 127.0.0.1.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contract import etcd_room

from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.store import Store

Backend = Callable[[Path], AbstractAsyncContextManager[Store]]

needs_etcd = pytest.mark.inside_host("CARDUME_CONTRACT_ETCD")


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


@asynccontextmanager
async def etcd(directory: Path) -> AsyncIterator[Store]:
    room, voter = etcd_room.shared()
    gateway = room.gateway(voter)
    await etcd_room.empty(gateway)
    store = EtcdStore(gateway)
    yield store
    await store.close()


BACKENDS: dict[str, Backend] = {"memory": memory, "sqlite": sqlite, "etcd": etcd}
EMBEDDED = ("memory", "sqlite")
"""Those that are cheap enough to be made anew for every example of a property test."""


def backend_params() -> list[Any]:
    """The parameters of a fixture that is every store in turn."""
    return [pytest.param(name, marks=needs_etcd if name == "etcd" else ()) for name in BACKENDS]
