"""Needs the pool with a LUN. The master's daemon is killed, and its power cut, while disks on the LUN are made, grown,
copied, moved and destroyed, all at once.

Proves each time: LVM's own check finds the volume group whole; every disk that the pool knows is on the LUN and every
volume on the LUN is a disk that it knows; nothing is left half-made; what was acknowledged is there, and holds what it
held.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.lab.crash_room import ANSWER_S, MARK, Begun, CrashHost, begin, eventually, soak_rounds, vdi_record
from tests.lab.lun_probe import Look, look
from tests.lab.pool_room import wait_live
from tests.lab.storage_room import MASTER, MEMBER

from cardume.lab.api import session
from cardume.lab.handle import LabHandle
from cardume.lab.layout import TARGET_IQN, Network
from cardume.lab.starting_point import LOCAL_SR

MIB = 1 << 20
SOURCE = 24 * MIB
LATEST_S = 0.9


@pytest.fixture
def host(lun_pool: LabHandle) -> CrashHost:
    return CrashHost(lun_pool, MASTER)


@pytest.fixture
def source(lun_pool: LabHandle, host: CrashHost, shared: str) -> Iterator[str]:
    """The uuid of a disk on the LUN with a pattern on it."""
    with session(host.address) as api:
        sr = api.SR.get_by_uuid(shared)
        uuid = str(api.VDI.get_uuid(api.VDI.create(vdi_record(sr, "source", SOURCE))))
        looked(lun_pool, shared, fill=f"vdi-{uuid}")
        yield uuid
    with session(host.address) as api:
        api.VDI.destroy(api.VDI.get_by_uuid(uuid))


def looked(lab: LabHandle, sr: str, fill: str = "") -> Look:
    return look(lab, MEMBER, lab.address("freenas", Network.STORAGE), TARGET_IQN, sr, fill)


def crash_while_everything_changes(
    host: CrashHost, shared: str, source: str, crash: Callable[[], None], delay_s: float
) -> None:
    lab = host.lab
    with session(host.address) as api:
        sr = api.SR.get_by_uuid(shared)
        local = _local(api)
        pattern = looked(lab, shared).sha(source)
        original = api.VDI.get_by_uuid(source)
        grown, mover = (api.VDI.copy(original, sr, "OpaqueRef:NULL", "OpaqueRef:NULL") for _ in range(2))
        doomed = api.VDI.create(vdi_record(sr, "doomed", 16 * MIB))
        names = {"grown": api.VDI.get_uuid(grown), "mover": api.VDI.get_uuid(mover)}
        kept = set(api.SR.get_VDIs(sr)) - {grown, mover, doomed}
        before = set(api.VDI.get_all())

    def call(work: Callable[[Any], Any]) -> Begun:
        def work_in_a_session() -> Any:
            with session(host.address, timeout_s=ANSWER_S) as api:
                return work(api)

        return begin(work_in_a_session)

    calls = {
        "create": call(lambda api: api.VDI.create(vdi_record(sr, "made", 40 * MIB))),
        "resize": call(lambda api: api.VDI.resize(grown, str(SOURCE + 16 * MIB))),
        "copy": call(lambda api: api.VDI.copy(original, sr, "OpaqueRef:NULL", "OpaqueRef:NULL")),
        "move": call(lambda api: api.VDI.pool_migrate(mover, local, {})),
        "destroy": call(lambda api: api.VDI.destroy(doomed)),
    }
    time.sleep(delay_s)
    crash()
    done = {name: each.end(240) for name, each in calls.items()}
    host.wait_back()
    wait_live(lab, MASTER, MEMBER)
    eventually(lambda: _assert_consistent(host, shared), 240)

    with session(host.address) as api:
        api.SR.scan(sr)
        records = api.VDI.get_all_records()
        now = looked(lab, shared)
        assert now.sha(source) == pattern
        assert now.sha(names["grown"]) == pattern
        assert kept <= set(records)
        if done["create"]:
            assert calls["create"].answer in records
        if done["copy"]:
            assert now.sha(api.VDI.get_uuid(calls["copy"].answer)) == pattern
        if done["resize"]:
            assert int(records[grown]["virtual_size"]) == SOURCE + 16 * MIB
        assert int(records[grown]["virtual_size"]) in (SOURCE, SOURCE + 16 * MIB)
        assert not (done["destroy"] and doomed in records)
        here = [ref for ref in records if ref not in before and records[ref]["SR"] == local]
        moved = [ref for ref in here if records[ref]["name_label"] == "source"]
        assert len(moved) + (mover in records) == 1, "the moved disk is in one place"
        assert not done["move"] or moved == [calls["move"].answer]
        back = api.VDI.copy(moved[0], sr, "OpaqueRef:NULL", "OpaqueRef:NULL") if moved else mover
        assert looked(lab, shared).sha(api.VDI.get_uuid(back)) == pattern
        for ref in (set(api.SR.get_VDIs(sr)) | set(moved)) - kept:
            api.VDI.destroy(ref)
    _assert_consistent(host, shared)


def _local(api: Any) -> str:
    """The master's own SR."""
    (pool,) = api.pool.get_all()
    here = api.pool.get_master(pool)
    for sr in api.SR.get_by_name_label(LOCAL_SR):
        if any(api.PBD.get_host(pbd) == here for pbd in api.SR.get_PBDs(sr)):
            return str(sr)
    raise AssertionError("the master has no SR of its own")


def _assert_consistent(host: CrashHost, shared: str) -> None:
    with session(host.address) as api:
        links = [api.PBD.get_record(pbd) for pbd in api.SR.get_PBDs(api.SR.get_by_uuid(shared))]
        assert all(link["currently_attached"] for link in links), "it is not attached on every host again"
        vdis = [api.VDI.get_record(vdi) for vdi in api.SR.get_VDIs(api.SR.get_by_uuid(shared))]
        for vdi in vdis:
            assert MARK not in vdi["sm_config"], f"{vdi['name_label']} is half-made"
            assert vdi["managed"]
            assert not vdi["missing"]
            assert vdi["current_operations"] == {}
        now = looked(host.lab, shared)
        assert set(now.volumes) == {f"vdi-{vdi['uuid']}" for vdi in vdis}
        assert set(now.lvs) == set(now.volumes)
        for name, volume in now.volumes.items():
            assert volume["slice"], f"{name} is no slice"
            tags = volume["tags"]
            assert isinstance(tags, list)
            assert "cardume.making" not in tags
            assert "cardume.going" not in tags


@pytest.mark.parametrize("seed", [3, 11])
def test_the_masters_daemon_dies_while_the_lun_changes(
    lun_pool: LabHandle, host: CrashHost, shared: str, source: str, seed: int
) -> None:
    delay_s = random.Random(seed).uniform(0, LATEST_S)
    crash_while_everything_changes(host, shared, source, host.kill_daemon, delay_s)


@pytest.mark.parametrize("seed", [5, 17])
def test_the_masters_power_is_cut_while_the_lun_changes(
    lun_pool: LabHandle, host: CrashHost, shared: str, source: str, seed: int
) -> None:
    delay_s = random.Random(seed).uniform(0, LATEST_S)
    crash_while_everything_changes(host, shared, source, host.cut_power, delay_s)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_crashes_while_the_lun_changes(lun_pool: LabHandle, host: CrashHost, shared: str, source: str) -> None:
    for seed in range(100, 100 + soak_rounds(200)):
        chance = random.Random(seed)
        crash = host.cut_power if seed % 4 == 0 else host.kill_daemon
        print(f"seed {seed}: {crash.__name__}", flush=True)
        crash_while_everything_changes(host, shared, source, crash, chance.uniform(0, LATEST_S))
