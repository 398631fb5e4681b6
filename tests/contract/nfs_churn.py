"""A host that makes, clones and destroys volumes on NFS until it is killed, telling each acknowledged change.

Run by test_nfs_crash.py: `python nfs_churn.py SERVER PATH SR_UUID SEED GOLDEN_UUID`.
"""

import asyncio
import random
import sys
import uuid

from cardume.hostops.storage.driver import Repository, Volume
from cardume.hostops.storage.nfs_disks import NfsDriver


async def churn(server: str, path: str, sr_uuid: str, seed: int, golden_uuid: str) -> None:
    choices = random.Random(seed)
    driver = NfsDriver()
    repo = Repository(sr_uuid, "nfs", "user", {"server": server, "serverpath": path})
    golden = next(volume for volume in await driver.scan(repo) if volume.uuid == golden_uuid)
    own: list[Volume] = []
    print("ready", flush=True)
    for _ in range(1000):
        word = choices.choice(("create", "clone", "scan", "destroy"))
        if word == "scan":
            await driver.scan(repo)
        elif word == "destroy" and own:
            gone = own.pop(choices.randrange(len(own)))
            print("destroying", gone.uuid, flush=True)
            await driver.destroy_volume(repo, gone)
            print("destroyed", gone.uuid, flush=True)
        else:
            new = str(uuid.uuid4())
            print("making", new, flush=True)
            if word == "clone":
                made = await driver.clone_volume(repo, golden, new, lambda _: None)
            else:
                made = await driver.create_volume(repo, new, 64 << 20, name_label="small")
            print("made", new, flush=True)
            own.append(made)


if __name__ == "__main__":
    asyncio.run(churn(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]))
