"""A folder on an NFS server that two hosts change at once, until one of them is killed."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.contract.storage_cases import MIB, Case, make_case, needs_nfs, needs_qemu_img, new_uuid

from cardume.hostops.guests.guest import NfsSource
from cardume.hostops.storage.driver import Volume
from cardume.hostops.storage.folder import MARKER
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_session import nfs_session

pytestmark = [needs_nfs, needs_qemu_img, pytest.mark.timeout(900)]

CHURN = Path(__file__).with_name("nfs_churn.py")
SEED = 20261128
ROUNDS, MOST_ROUNDS = 12, 48
ENOUGH = 4
"""So many half-made volumes have to be met; a slow machine needs more rounds for them."""
SETTLED_S = 60.0


def names_of(case: Case) -> set[str]:
    """What the volumes' folder holds."""
    config = case.repo.device_config
    with nfs_session(NfsFolder(config["server"], f"{config['serverpath']}/{case.repo.uuid}")) as files:
        names = {entry.name for entry in files.list_entries()}
    return {name for name in names if not name.startswith(MARKER)}  # a scan that was killed may leave one beside it


def uuids_of(case: Case) -> set[str]:
    """The volumes of which anything is there."""
    return {name.partition(".")[0] for name in names_of(case)}


def start(case: Case, seed: int, golden: Volume) -> "subprocess.Popen[str]":
    config = case.repo.device_config
    command = [sys.executable, str(CHURN), config["server"], config["serverpath"], case.repo.uuid, str(seed)]
    child = subprocess.Popen([*command, golden.uuid], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def kill(child: "subprocess.Popen[str]") -> list[tuple[str, str]]:
    """Kill a host with its programs, and give what it told."""
    assert child.poll() is None, "it ended by itself: another host was in its way"
    os.killpg(child.pid, signal.SIGKILL)
    assert child.stdout is not None
    lines = [line.split() for line in child.stdout if line.endswith("\n")]
    assert child.wait(10) == -signal.SIGKILL
    child.stdout.close()
    return [(word, uuid) for word, uuid in lines]


async def test_a_host_that_is_killed_leaves_whole_volumes_and_never_disturbs_another(tmp_path: Path) -> None:
    case = await make_case("nfs", tmp_path)
    golden = await case.driver.create_volume(case.repo, new_uuid(), 64 * MIB, name_label="golden")
    image = await case.driver.open(case.repo, golden, writable=True)
    assert isinstance(image, NfsSource)
    url = f"nfs://{image.server}{image.path}"
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 7M 9M", url)
    times = random.Random(SEED)
    left_behind = 0
    acknowledged, begun = {golden.uuid}, set[str]()
    for round in range(MOST_ROUNDS):
        if round >= ROUNDS and left_behind >= ENOUGH:
            break
        hosts = [start(case, 2 * round + one, golden) for one in range(2)]
        told = []
        for host in hosts:
            await asyncio.sleep(times.uniform(0.1, 0.7))
            told += kill(host)
        acknowledged |= {uuid for word, uuid in told if word == "made"}
        acknowledged -= {uuid for word, uuid in told if word == "destroying"}
        volumes = {volume.uuid: volume for volume in await case.driver.scan(case.repo)}
        assert acknowledged <= volumes.keys()
        assert not volumes.keys() & {uuid for word, uuid in told if word == "destroyed"}
        begun |= {uuid for word, uuid in told if word in ("making", "destroying")}
        left_behind += len(uuids_of(case) & begun - acknowledged)
        await remove_begun(case, begun - acknowledged)
        assert names_of(case) == {f"{uuid}.{ending}" for uuid in acknowledged for ending in ("json", "qcow2")}
    assert left_behind >= ENOUGH, "the kills never hit a half-made volume: this test proves nothing"
    for volume in await case.driver.scan(case.repo):
        place = f"{url.rpartition('/')[0]}/{volume.location}"
        assert json.loads(qemu("qemu-img", "check", "--output=json", place)).get("check-errors") == 0
        if volume.name_label == "golden":
            assert "identical" in qemu("qemu-img", "compare", url, place)


async def remove_begun(case: Case, begun: set[str]) -> None:
    """What the pool knows as begun and not ended it removes by its uuid, and nothing is left of it.

    A look later again: a server may yet do what a host asked of it last.
    """
    deadline_s = time.monotonic() + SETTLED_S
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline_s:
        left = uuids_of(case) & begun
        for uuid in left:
            await case.driver.destroy_volume(case.repo, Volume(uuid, "", 0, 0))
        quiet = 0 if left else quiet + 1
        await asyncio.sleep(0.1)


def qemu(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
