"""Who the master is: one key of the pool database, which every transaction of the master's compares.

Taking it is what makes a host the master. Whoever had it before can change nothing from then on, wherever it is.
"""

import json
from dataclasses import dataclass

from cardume.pooldb.store import Compare, Put, Store, StoreDamaged

MASTER_KEY = "/cardume/master"


@dataclass(frozen=True, slots=True)
class Mastership:
    """The master as the pool database names it."""

    host: str  # its uuid
    generation: int  # one more at every change of master
    revision: int  # of the key

    @property
    def guard(self) -> Compare:
        """What the master's transactions compare."""
        return Compare(MASTER_KEY, self.revision)


def encode(host: str, generation: int) -> Put:
    """The operation that makes this host the master."""
    return Put(MASTER_KEY, json.dumps({"host": host, "generation": generation}).encode())


def decode(value: bytes, revision: int = 0) -> Mastership:
    """The key's value; StoreDamaged when it is none."""
    try:
        told = json.loads(value)
        return Mastership(str(told["host"]), int(told["generation"]), revision)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(f"{MASTER_KEY} in the pool database is {value!r}") from error


async def read_mastership(store: Store) -> Mastership | None:
    """Who is the master now; None in a database that has had none yet."""
    item = await store.get(MASTER_KEY)
    return decode(item.value, item.mod_revision) if item is not None else None


async def take_mastership(store: Store, host: str, before: Mastership | None, generation: int = 0) -> Mastership:
    """Become the master after the one that is known; Conflict when another host has been quicker.

    generation: at least this one.
    """
    generation = max(generation, before.generation + 1 if before is not None else 1)
    compare = Compare(MASTER_KEY, before.revision if before is not None else 0)
    revision = await store.txn([encode(host, generation)], compares=[compare])
    return Mastership(host, generation, revision)
