"""A program to be killed: commits numbered transactions on a SQLite file, and tells each one that was acknowledged.

Each transaction writes its number under three keys, the last of them large enough to span pages.
"""

import asyncio
import os
import sys
from pathlib import Path

from cardume.pooldb.sqlite import SQLiteStore
from cardume.pooldb.store import Put

PAD = 20_000
WRITERS = 3


async def commit_for_ever(path: Path, first: int) -> None:
    store = await SQLiteStore.open(path, keep_revisions=50)
    await asyncio.gather(*(write(store, writer, first) for writer in range(WRITERS)))


async def write(store: SQLiteStore, writer: int, number: int) -> None:
    while True:
        text = str(number).encode()
        keys = [Put(f"/{writer}/a", text), Put(f"/{writer}/b", text), Put(f"/{writer}/{number % 7}", text.ljust(PAD))]
        await store.txn(keys)
        os.write(1, f"{writer} {number}\n".encode())
        number += 1


if __name__ == "__main__":
    asyncio.run(commit_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
