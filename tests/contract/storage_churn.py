"""A process that makes, clones, snapshots and destroys volumes until it is killed, telling each acknowledged change.

Run by test_ext_crash.py: `python storage_churn.py FOLDER SR_UUID SEED GOLDEN_UUID`.
"""

import asyncio
import random
import sys
import uuid

from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.ext import ExtDriver


async def churn(folder: str, sr_uuid: str, seed: int, golden_uuid: str) -> None:
    choices = random.Random(seed)
    driver = ExtDriver()
    repo = Repository(sr_uuid, "ext", "user", {"location": folder})
    volumes: list[Volume] = list(await driver.scan(repo))
    golden = next(volume for volume in volumes if volume.uuid == golden_uuid)
    print("ready", flush=True)
    for _ in range(1000):
        match choices.choice(("create", "clone", "snapshot", "destroy", "destroy")):
            case "create":
                made = await driver.create_volume(repo, str(uuid.uuid4()), 64 << 20, name_label="small")
            case "clone":
                made = await driver.clone_volume(repo, golden, str(uuid.uuid4()), lambda _: None)
            case "snapshot":
                # Of anything: so that disks stand on snapshots of snapshots, and each of them goes at some time.
                fork = await driver.fork_volume(repo, choices.choice(volumes))
                made = await driver.keep_fork(repo, fork, str(uuid.uuid4()))
            case _:
                gone = next((volume for volume in choices.sample(volumes, len(volumes)) if volume is not golden), None)
                if gone is not None:
                    print("destroying", gone.uuid, flush=True)
                    await driver.destroy_volume(repo, gone)
                    print("destroyed", gone.uuid, flush=True)
                    volumes.remove(gone)
                continue
        print("made", made.uuid, flush=True)
        volumes.append(made)


if __name__ == "__main__":
    asyncio.run(churn(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
