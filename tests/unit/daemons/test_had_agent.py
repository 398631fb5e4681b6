"""The HA daemon's socket as the toolstack uses it: the daemon's own server, with answers that a test gives."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.daemons.had_daemon import (
    ARRANGEMENT,
    GENERATION,
    HOSTS,
    MIB,
    OFF,
    ON,
    OTHER,
    OWN,
    PEER,
    SOURCE,
    Daemon,
    agent,
    daemon,
    lun,
)

from cardume.core.stepping_aside import Word
from cardume.daemons.had_agent import HadAgent
from cardume.daemons.stepping_aside import Heard
from cardume.had.config import read_config
from cardume.had.statefile import read_superblock
from cardume.had.watchdogs import SOFTDOG, Device
from cardume.hostops.guests.guest import FileSource
from cardume.hostops.ha.interface import (
    HaError,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaWatchdogRefused,
)
from cardume.lun.errors import LunUnreachable
from cardume.lun.memory import MemoryLun

__all__ = ["agent", "daemon", "lun"]


async def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    lone = HadAgent(OWN, socket=tmp_path / "none.sock", config=tmp_path / "ha.json")
    for call in (lone.check, lone.status):
        with pytest.raises(HaMissing):
            await call()


async def test_a_host_without_a_watchdog_is_refused(agent: HadAgent, tmp_path: Path) -> None:
    await agent.check()
    (tmp_path / "watchdog").unlink()
    with pytest.raises(HaWatchdogRefused, match="load a driver"):
        await agent.check()
    with pytest.raises(HaWatchdogRefused, match="load a driver"):
        await agent.attach(ARRANGEMENT, SOURCE)


async def test_a_watchdog_of_the_hardware_is_taken_and_softdog_is_warned_of(
    agent: HadAgent, daemon: Daemon, tmp_path: Path
) -> None:
    agent._watchdogs = lambda: [Device("/dev/watchdog0", SOFTDOG), Device("/dev/watchdog1", "iTCO_wdt", longest_s=4)]
    await agent.check()
    await agent.attach(ARRANGEMENT, SOURCE)
    config = read_config(tmp_path / "ha.json")
    assert config is not None
    assert config.watchdog == "/dev/watchdog1"
    await agent.attach(replace(ARRANGEMENT, profile="standard"), SOURCE)  # which needs 5 s
    config = read_config(tmp_path / "ha.json")
    assert config is not None
    assert config.watchdog == "/dev/watchdog0"
    daemon.status = {**ON, "watchdog": SOFTDOG}
    assert "hangs for good" in (await agent.status()).watchdog_warning


async def test_a_status_in_the_toolstacks_words(agent: HadAgent, daemon: Daemon) -> None:
    assert (await agent.status()).phase is HaPhase.OFF
    daemon.status = dict(ON)
    told = await agent.status()
    assert (told.phase, told.life, told.epoch, told.members, told.master) == (
        HaPhase.MEMBER,
        3,
        7,
        (OWN, OTHER),
        OWN,
    )
    assert (told.hears, told.has_statefile, told.watchdog, told.is_armed) == ((OWN, OTHER), True, "softdog", True)
    daemon.status = {**ON, "peers": {OTHER: {**PEER, "networks_s": [9.0, None]}}}
    assert (await agent.status()).hears == (OWN,)


async def test_an_arrangement_is_kept_as_the_daemon_reads_it(agent: HadAgent, lun: MemoryLun, tmp_path: Path) -> None:
    await agent.attach(ARRANGEMENT, SOURCE)
    path = tmp_path / "ha.json"
    config = read_config(path)
    assert config is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert (config.generation, config.host_uuid, config.profile_name) == (GENERATION, OWN, "fast")
    assert [(host.uuid, host.addresses) for host in config.hosts] == [(h.uuid, h.addresses) for h in HOSTS]
    assert config.secret == bytes.fromhex("ab" * 32)
    statefile = config.statefile
    assert (statefile.portal, statefile.iqn, statefile.lun) == ("10.0.1.10:3260", SOURCE.target, 1)
    assert (statefile.offset_bytes, statefile.size_bytes) == (8 * MIB, 4 * MIB)
    assert statefile.scsi_id == lun.facts.scsi_id
    assert "ab" * 32 not in repr(ARRANGEMENT)


async def test_a_statefile_is_begun_anew_for_its_generation(agent: HadAgent, tmp_path: Path) -> None:
    device = MemoryLun(64 * MIB)
    agent._open_lun = lambda facts, uuid, timeout_s: device
    kept: list[MemoryLun] = []
    device.close = lambda: kept.append(device)  # type: ignore[method-assign]  # looked at afterwards
    await agent.attach(ARRANGEMENT, SOURCE)
    await agent.write_statefile()
    superblock = read_superblock(device, 8 * MIB)
    assert superblock is not None
    assert (superblock.generation, superblock.profile, len(superblock.hosts)) == (GENERATION, "fast", 2)


async def test_a_lun_that_does_not_answer_and_a_disk_that_is_no_lun(
    agent: HadAgent, lun: MemoryLun, tmp_path: Path
) -> None:
    def fail(*given: object) -> MemoryLun:
        raise LunUnreachable("no answer")

    agent._open_lun = fail
    with pytest.raises(HaStatefileLost):
        await agent.attach(ARRANGEMENT, SOURCE)
    with pytest.raises(HaStatefileLost):
        await agent.attach(ARRANGEMENT, FileSource("/a", "raw"))
    assert not (tmp_path / "ha.json").exists()


async def test_a_host_comes_up_step_by_step_and_goes(agent: HadAgent, daemon: Daemon, tmp_path: Path) -> None:
    daemon.then = {
        "start": {**ON, "phase": "candidate", "leading": None},
        "enable": {"phase": "member", "leading": 7},
        "disable": {"armed": False, "off": "disabled"},
        "stop": dict(OFF),
    }
    await agent.attach(ARRANGEMENT, SOURCE)
    await agent.arm(timeout_s=5)
    assert (await agent.status()).phase is HaPhase.CANDIDATE
    with pytest.raises(HaError):
        await agent.detach()
    await agent.enable(timeout_s=5)
    assert (await agent.status()).phase is HaPhase.MEMBER
    await agent.disable(timeout_s=5)
    await agent.detach()
    assert not (tmp_path / "ha.json").exists()
    assert daemon.asked == ["start", "enable", "disable", "stop"]


async def test_what_the_daemon_does_not_do_in_time_or_at_all_is_told_with_its_reason(
    agent: HadAgent, daemon: Daemon
) -> None:
    daemon.status = {**ON, "phase": "candidate", "statefile": {"ok": False, "error": "the LUN is gone"}}
    with pytest.raises(HaNotFormed, match="the LUN is gone"):
        await agent.enable(timeout_s=0.3)
    with pytest.raises(HaStatefileLost, match="the LUN is gone"):
        await agent.disable(timeout_s=0.3)
    daemon.refusing = {"leave": "guests are left"}
    with pytest.raises(HaError, match="guests are left"):
        await agent.leave(timeout_s=0.3)
    daemon.then = {"start": {"armed": False, "off": "no watchdog device"}}
    with pytest.raises(HaWatchdogRefused, match="no watchdog device"):
        await agent.arm(timeout_s=0.3)


async def test_words_of_the_statefile_count_when_it_has_them(agent: HadAgent, daemon: Daemon) -> None:
    assert await agent.words() is None
    others = {OTHER: {"asked": 0, "done": 4}}
    daemon.status = {**ON, "aside": None, "asides": others}
    told = Heard(7, True, frozenset({OWN, OTHER}), None, {OTHER: Word(done=4)})
    assert await agent.words() == told
    with pytest.raises(HaError, match="statefile"):
        await agent.say(Word(asked=4), timeout_s=0.3)
    daemon.then = {"aside": {"aside": {"asked": 4, "done": 0}}}
    await agent.say(Word(asked=4), timeout_s=10)
    assert await agent.words() == replace(told, own=Word(asked=4))
