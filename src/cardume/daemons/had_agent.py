"""The HA daemon of this host as the toolstack uses it: over its socket, and by the file that it starts from."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import structlog

from cardume.core.stepping_aside import Word
from cardume.daemons.had_hearing import HadHearing
from cardume.daemons.had_line import had_line
from cardume.daemons.had_starts import HadStarts
from cardume.daemons.had_status import heard_of, life_of, own_life_of, own_word, phase_of, status_of
from cardume.daemons.stepping_aside import Heard
from cardume.daemons.vote import OwnLife
from cardume.ha.profile import PROFILES
from cardume.ha.records import HostEntry
from cardume.had import places
from cardume.had.config import ChapFacts, ConfigError, HadConfig, StatefileFacts, read_config, write_config
from cardume.had.disk import open_statefile_lun
from cardume.had.statefile import format_statefile
from cardume.had.watchdogs import Device, NoWatchdog, choose, list_devices
from cardume.hostops.chap_secrets import read_secret
from cardume.hostops.durable import sync_folder
from cardume.hostops.guests.guest import DiskSource, IscsiSource
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaStatus,
    HaWatchdogRefused,
)
from cardume.hostops.storage.threads import in_thread
from cardume.lun.errors import LunError
from cardume.lun.interface import Lun
from cardume.lun.login import Portal

log = structlog.get_logger()
T = TypeVar("T")

LOOK_S = 0.1
OPEN_S = 10.0


class HadAgent:
    """The HaAgent of a host that has cardume-had. To be entered: it listens as long as the block lasts."""

    def __init__(
        self,
        host_uuid: str,
        *,
        socket: Path = places.SOCKET,
        config: Path = places.CONFIG,
        watchdogs: Callable[[], Sequence[Device]] = list_devices,
        open_lun: Callable[[StatefileFacts, str, float], Lun] = open_statefile_lun,
    ) -> None:
        self._uuid, self._socket, self._config, self._watchdogs = host_uuid, socket, config, watchdogs
        self._open_lun = open_lun
        self._listening: asyncio.Task[None] | None = None
        self._starts = HadStarts(self._ask, config)
        self._hearing = HadHearing(host_uuid, socket, self._starts.look_at_life)

    async def __aenter__(self) -> "HadAgent":
        self._listening = asyncio.create_task(self._hearing.listen())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._starts.close()

    # HaAgent

    async def status(self) -> HaStatus:
        return status_of(await self._status(), self._uuid)

    async def own_life(self) -> OwnLife | None:
        """The life that this host has; None while it takes no part. HaError."""
        return own_life_of(await self._status()) if self._config.exists() else None

    async def check(self) -> None:
        await self._status()
        await self._choose_watchdog(*sorted({profile.watchdog_s for profile in PROFILES.values()}))

    async def attach(self, arrangement: Arrangement, statefile: DiskSource) -> None:
        told = await self._status()
        if told["armed"]:
            raise HaError("the HA daemon holds this host already")
        facts = _statefile_facts(statefile)
        facts = replace(facts, scsi_id=await self._with_lun(facts, _identify))
        hosts = tuple(HostEntry(host.uuid, host.addresses) for host in arrangement.hosts)
        secret = bytes.fromhex(arrangement.secret)
        if arrangement.profile not in PROFILES:
            raise HaError(f"there is no profile {arrangement.profile!r}")
        watchdog = await self._choose_watchdog(PROFILES[arrangement.profile].watchdog_s)
        config = HadConfig(
            arrangement.generation,
            self._uuid,
            arrangement.profile,
            hosts,
            secret,
            facts,
            watchdog=watchdog,
            uplinks=next((host.uplinks for host in arrangement.hosts if host.uuid == self._uuid), ()),
        )
        await in_thread(write_config, self._config, config)

    async def write_statefile(self) -> None:
        config = self._kept()
        facts = config.statefile

        def begin_anew(lun: Lun) -> None:
            format_statefile(lun, facts.offset_bytes, facts.size_bytes, config.superblock(lun.block_bytes))

        await self._with_lun(facts, begin_anew)

    async def arm(self, *, timeout_s: float) -> None:
        await self._starts.note_starts()
        await self._ask("start", enabling=True)
        told = await self._wait(lambda told: told["armed"] and phase_of(told) is not HaPhase.OFF, timeout_s, "arm")
        if told.get("off") is not None:
            raise HaWatchdogRefused(f"the host could not be armed: {told['off']}")
        self._starts.mean(life_of(told))

    async def enable(self, *, timeout_s: float) -> None:
        await self._ask("enable")
        told = await self._wait(lambda told: phase_of(told) is HaPhase.MEMBER, timeout_s, "enable", HaNotFormed)
        if told.get("off") is not None:
            raise HaNotFormed("the hosts did not all come to be members in time")

    async def abort(self, *, timeout_s: float) -> None:
        await self._end("abort", timeout_s)

    async def disable(self, *, timeout_s: float) -> None:
        told = await self._status()
        if told["taking_part"] and not told["statefile"]["ok"]:
            raise HaStatefileLost(str(told["statefile"]["error"]))
        await self._end("disable", timeout_s)

    async def stop_deciding(self) -> None:
        if (await self._status())["taking_part"]:  # who takes no part decides nothing
            await self._ask("stop-deciding")

    async def turn_off(self) -> None:
        await self._end("emergency-disable", OPEN_S)

    async def watch_uplinks(self, interfaces: Sequence[str]) -> None:
        await self._ask("watch-uplinks", interfaces=[*interfaces])

    async def leave(self, *, timeout_s: float) -> None:
        await self._end("leave", timeout_s)

    async def detach(self) -> None:
        if (await self._status())["armed"]:
            raise HaError("the HA daemon holds this host")
        await in_thread(_forget, self._config)
        await self._ask("stop")

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        return await self._hearing.events(after, timeout_s=timeout_s)

    # The statefile as a way from toolstack to toolstack

    async def words(self) -> Heard | None:
        return heard_of(await self._status())

    async def say(self, word: Word, *, timeout_s: float) -> None:
        await self._ask("aside", asked=word.asked, done=word.done)
        await self._wait(lambda told: own_word(told) == word, timeout_s, "writing to the statefile")

    # Guests

    @property
    def starts(self) -> HadStarts:
        """Which starts are under way, and for which life."""
        return self._starts

    # Steps

    async def _end(self, do: str, timeout_s: float) -> None:
        """Have this host be off; off already is no error."""
        if not (await self._status())["taking_part"]:
            return
        await self._ask(do)
        await self._wait(lambda told: not told["armed"], timeout_s, do)

    async def _status(self) -> Mapping[str, Any]:
        return await self._ask("status")

    async def _ask(self, do: str, **given: Any) -> Mapping[str, Any]:
        async with had_line(self._socket) as line:
            return await line.ask(do, **given)

    async def _wait(
        self,
        test: Callable[[Mapping[str, Any]], bool],
        timeout_s: float,
        what: str,
        fault: type[HaError] = HaError,
    ) -> Mapping[str, Any]:
        """The status that passes the test, or that says that the daemon is off."""
        told: Mapping[str, Any] = {}
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    told = await self._status()
                    if test(told) or told.get("off") is not None:
                        return told
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            trouble = told.get("error") or told.get("statefile", {}).get("error") or "it gives no reason"
            raise fault(f"{what} did not end within {timeout_s:.0f} s: {trouble}") from None

    async def _choose_watchdog(self, *timeouts_s: float) -> str:
        """The device that is taken for one of these times."""
        devices, reason = await in_thread(self._watchdogs), ""
        for timeout_s in timeouts_s:
            try:
                device = choose(devices, timeout_s)
            except NoWatchdog as fault:
                reason = str(fault)
                continue
            log.info("ha_watchdog", path=device.path, identity=device.identity, warning=device.warning)
            return device.path
        raise HaWatchdogRefused(reason)

    def _kept(self) -> HadConfig:
        try:
            config = read_config(self._config)
        except (ConfigError, OSError) as fault:
            raise HaError(str(fault)) from None
        if config is None:
            raise HaError("this host has no arrangement: attach it first")
        return config

    async def _with_lun(self, facts: StatefileFacts, work: Callable[[Lun], T]) -> T:
        """What is done with the LUN while the daemon does not use it."""

        def on_lun() -> T:
            lun = self._open_lun(facts, self._uuid, OPEN_S)
            try:
                return work(lun)
            finally:
                lun.close()

        try:
            return await in_thread(on_lun)
        except (LunError, OSError) as fault:
            raise HaStatefileLost(str(fault)) from None


def _statefile_facts(source: DiskSource) -> StatefileFacts:
    """How the daemon reaches a disk by itself, without libvirt or anybody else."""
    if not isinstance(source, IscsiSource):
        raise HaStatefileLost("the HA daemon reaches statefiles on LUNs of iSCSI targets alone")
    portal = str(Portal(source.address, source.port))
    chap = ChapFacts(source.chap_user, read_secret(source.chap_secret)) if source.chap_user else None
    return StatefileFacts(
        source.offset,
        source.size,
        "",
        portal,
        source.target,
        source.lun,
        source.initiator,
        chap,
    )


def _identify(lun: Lun) -> str:
    return lun.facts.scsi_id


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
