"""The object layer on a real file: what it acknowledged is there after a kill."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from cardume.datamodel.pbd import PBD
from cardume.pooldb.objects import Objects
from cardume.pooldb.sqlite import SQLiteStore

WRITER = """
import asyncio, os, sys
from pathlib import Path
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import NULL
from cardume.pooldb.objects import Objects
from cardume.pooldb.sqlite import SQLiteStore

async def main():
    db = await Objects.open(await SQLiteStore.open(Path(sys.argv[1])))
    while True:
        number = len(db.all(PBD))
        async with db.transaction() as txn:
            first = txn.create(PBD(host=NULL, SR=NULL, device_config={}, other_config={"number": str(number)}))
            txn.create(PBD(host=NULL, SR=NULL, device_config={}, other_config={"partner": first}))
        os.write(1, f"{number}\\n".encode())

asyncio.run(main())
"""


async def run_and_kill(path: Path, after_s: float) -> int:
    """Run the writer for a while, kill -9; the number of objects that it acknowledged."""
    command = (sys.executable, "-c", WRITER, str(path))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=dict(os.environ))
    assert child.stdout is not None
    begun = await asyncio.wait_for(child.stdout.readline(), 120)
    await asyncio.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    rest = await asyncio.wait_for(child.stdout.read(), 120)
    await child.wait()
    complete = (begun + rest).decode().rpartition("\n")[0]
    return int(complete.splitlines()[-1]) + 2


async def test_objects_that_were_acknowledged_before_a_kill_are_there_in_pairs(tmp_path: Path) -> None:
    chance = random.Random(42)
    path = tmp_path / "pool.db"
    generation = 0
    for _ in range(5):
        acknowledged = await run_and_kill(path, chance.uniform(0.0, 0.3))
        db = await Objects.open(await SQLiteStore.open(path))
        found = db.all(PBD)
        partners = {record.other_config["partner"] for record in found.values() if "partner" in record.other_config}
        numbered = {ref for ref, record in found.items() if "number" in record.other_config}

        assert len(found) in (acknowledged, acknowledged + 2)
        assert partners == numbered
        assert [int(record.other_config["number"]) for record in found.values() if "number" in record.other_config] == (
            list(range(0, len(found), 2))
        )
        assert db.feed.generation > generation
        generation = db.feed.generation
        await db.close()
