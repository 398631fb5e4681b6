"""The HA daemon of this host, asked over its socket: it runs on whatever becomes of this process."""

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cardume.ha.layout import unit_bytes
from cardume.ha.profile import PROFILES
from cardume.ha.records import HostEntry
from cardume.had.client import HadError, ask
from cardume.had.config import ChapFacts, ConfigError, HadConfig, StatefileFacts, read_config, write_config
from cardume.had.disk import open_statefile_lun
from cardume.had.places import CONFIG, SOCKET, VOID
from cardume.had.statefile import format_statefile
from cardume.had.watchdog import find_watchdog
from cardume.hostops.chap_secrets import read_secret
from cardume.hostops.errors import StorageError
from cardume.hostops.guests.guest import DiskSource, IscsiSource
from cardume.hostops.ha.had_events import Told, events_of, events_of_status
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaMissing,
    HaNotFormed,
    HaPhase,
    HaStatefileLost,
    HaStatus,
    HaWatchdogRefused,
)
from cardume.hostops.storage.threads import in_thread
from cardume.lun.errors import LunError

ASK_S = 5.0
OPEN_S = 10.0
OFF_S = 10.0
LOOK_S = 0.3
AGAIN_S = 1.0
_PHASES = {"candidate": HaPhase.CANDIDATE, "member": HaPhase.MEMBER, "leaving": HaPhase.MEMBER}


class HadAgent:
    """A HaAgent over the socket of cardume-had."""

    def __init__(self, host_uuid: str, socket: Path = SOCKET, config: Path = CONFIG, void: Path = VOID) -> None:
        self._host_uuid = host_uuid
        self._socket, self._config, self._void = socket, config, void
        self._told: list[HaEvent] = []
        self._happened = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Hear nothing more; the daemon goes on."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    async def status(self) -> HaStatus:
        try:
            status = await self._ask("status")
        except HaMissing:
            if await in_thread(self._config.exists):
                raise  # it may hold this host all the same
            return HaStatus(HaPhase.OFF)
        members = tuple(status.get("members", ()))
        peers: Mapping[str, Any] = status.get("peers", {})
        is_off = not status["taking_part"] or status["phase"] not in _PHASES
        kept = await in_thread(self._config.exists)
        return HaStatus(
            phase=(HaPhase.ATTACHED if kept else HaPhase.OFF) if is_off else _PHASES[status["phase"]],
            generation=status.get("generation", ""),
            life=status.get("life", 0),
            epoch=status.get("epoch", 0),
            members=members if not is_off else (),
            master=(status.get("master") or "") if not is_off else "",
            hears=tuple(sorted([self._host_uuid, *_heard(status, peers)])) if not is_off else (),
            has_statefile=bool(status.get("statefile", {}).get("ok")),
            watchdog=status.get("watchdog", ""),
        )

    async def check(self) -> None:
        await self._ask("status")
        try:
            await self._ask("test-watchdog", path=find_watchdog(), timeout_s=5)
        except HaMissing:
            raise
        except HaError as fault:
            raise HaWatchdogRefused(str(fault)) from None

    async def attach(self, arrangement: Arrangement, statefile: DiskSource) -> None:
        if (await self._ask("status"))["armed"]:
            raise HaError("the host takes part already")
        facts = await in_thread(_facts, statefile)
        profile = PROFILES.get(arrangement.profile)
        if profile is None:
            raise HaError(f"no profile is called {arrangement.profile}")
        scsi_id = await in_thread(_scsi_id, facts)
        config = HadConfig(
            generation=arrangement.generation,
            host_uuid=self._host_uuid,
            profile_name=arrangement.profile,
            hosts=tuple(HostEntry(host.uuid, host.addresses) for host in arrangement.hosts),
            secret=bytes.fromhex(arrangement.secret),
            statefile=_at(facts, scsi_id),
            watchdog=find_watchdog(),
        )
        await self._ask("stop")
        await in_thread(write_config, self._config, config)
        await in_thread(self._unlink, self._void)

    async def write_statefile(self) -> None:
        await in_thread(_write_statefile, await self._kept())

    async def arm(self, *, timeout_s: float) -> None:
        await self._kept()
        await self._ask("start", enabling=True)
        status = await self._wait(timeout_s, lambda now: (now["armed"] and now["phase"] == "candidate") or now["off"])
        if status["off"]:
            await self._ask("stop")
            raise HaWatchdogRefused(f"the host is no candidate: {status['off']}")

    async def enable(self, *, timeout_s: float) -> None:
        wanted = {host.uuid for host in (await self._kept()).hosts}
        await self._ask("enable")
        try:
            status = await self._wait(timeout_s, lambda now: set(now["members"]) == wanted or now["off"])
        except HaError as fault:
            raise HaNotFormed(str(fault)) from None
        if status["off"]:
            raise HaNotFormed(f"the enabling ended: {status['off']}")

    async def abort(self, *, timeout_s: float) -> None:
        await self._end("abort", timeout_s)

    async def disable(self, *, timeout_s: float) -> None:
        await self._end("disable", timeout_s)

    async def stop_deciding(self) -> None:
        if (await self._ask("status"))["taking_part"]:
            await self._ask("stop-deciding")

    async def turn_off(self) -> None:
        if not (await self._ask("status"))["taking_part"]:
            return
        await self._ask("emergency-disable")
        await self._wait(OFF_S, lambda now: now["off"] and not now["armed"])

    async def leave(self, *, timeout_s: float) -> None:
        await self._end("leave", timeout_s)

    async def guests_gone(self) -> None:
        """The daemon sees for itself which guest processes are left, and which starts are under way."""

    async def detach(self) -> None:
        await self._ask("stop")  # which it refuses while it is armed
        for path in (self._config, self._void):
            await in_thread(self._unlink, path)

    async def events(self, after: int, *, timeout_s: float) -> tuple[HaEvent, ...]:
        if self._follower is None:
            # Until `close`: what the daemon tells is kept for whoever asks next.
            self._follower = asyncio.create_task(self._follow(), name="ha-events")
        if len(self._told) <= after:
            self._happened.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._happened.wait()
        return tuple(self._told[after:])

    # What the daemon tells

    async def _follow(self) -> None:
        """Keep what happens, over any number of starts of the daemon; what it tells anew is kept once more."""
        told = Told(self._host_uuid)
        while True:
            with suppress(HaError, OSError, ValueError):
                await self._follow_once(told)
            await asyncio.sleep(AGAIN_S)

    async def _follow_once(self, told: Told) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(b'{"do": "events"}\n')
            await writer.drain()
            await reader.readline()
            # After the stream has begun: nothing falls between what holds and what happens from then on.
            self._keep(events_of_status(told, await self._ask("status")))
            while line := await reader.readline():
                self._keep(events_of(told, json.loads(line)))
        finally:
            writer.close()

    def _keep(self, found: list[HaEvent]) -> None:
        for event in found:
            self._told.append(event.numbered(len(self._told) + 1))
        if found:
            self._happened.set()

    # Asking

    async def _ask(self, do: str, **details: Any) -> dict[str, Any]:
        try:
            return await in_thread(ask, {"do": do, **details}, self._socket, ASK_S)
        except HadError as error:
            kind = HaMissing if not self._socket.exists() else HaError
            raise kind(str(error)) from None

    async def _wait(self, timeout_s: float, ready: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first status that is as wanted."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    status = await self._ask("status")
                    if not status["taking_part"]:
                        raise HaError(status["error"] or "the host takes no part")
                    if ready(status):
                        return status
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise HaError(f"the HA daemon did not get there within {timeout_s:g} s") from None

    async def _end(self, do: str, timeout_s: float) -> None:
        status = await self._ask("status")
        if not status["taking_part"] or status["off"]:
            return
        await self._ask(do)
        try:
            await self._wait(timeout_s, lambda now: now["off"] and not now["armed"])
        except HaError as fault:
            status = await self._ask("status")
            if not status.get("statefile", {}).get("ok", True):
                raise HaStatefileLost(status["statefile"]["error"]) from None
            raise fault

    async def _kept(self) -> HadConfig:
        try:
            config = await in_thread(read_config, self._config)
        except (ConfigError, OSError) as error:
            raise HaError(str(error)) from None
        if config is None:
            raise HaError("the host has no statefile attached")
        return config

    @staticmethod
    def _unlink(path: Path) -> None:
        path.unlink(missing_ok=True)


def _heard(status: Mapping[str, Any], peers: Mapping[str, Any]) -> list[str]:
    """The hosts whose heartbeats arrive on some network."""
    recent_s = 3 * PROFILES[status["profile"]].cycle_s if peers else 0.0
    return [
        uuid for uuid, peer in peers.items() if any(age is not None and age <= recent_s for age in peer["networks_s"])
    ]


def _facts(source: DiskSource) -> StatefileFacts:
    """How the daemon reaches the statefile, without an SR. Blocking."""
    if not isinstance(source, IscsiSource):
        raise HaStatefileLost("the statefile is on no LUN that the HA daemon reaches")
    chap = None
    if source.chap_user:
        try:
            chap = ChapFacts(source.chap_user, read_secret(source.chap_secret))
        except StorageError as error:
            raise HaStatefileLost(str(error)) from None
    address = f"[{source.address}]" if ":" in source.address else source.address
    portal = f"{address}:{source.port}"
    return StatefileFacts(source.offset, source.size, "", portal, source.target, source.lun, source.initiator, chap)


def _at(facts: StatefileFacts, scsi_id: str) -> StatefileFacts:
    return StatefileFacts(
        facts.offset_bytes,
        facts.size_bytes,
        scsi_id,
        facts.portal,
        facts.iqn,
        facts.lun,
        facts.initiator,
        facts.chap,
    )


def _scsi_id(facts: StatefileFacts) -> str:
    """The LUN's name, which every session of the daemon's is compared with. Blocking."""
    try:
        lun = open_statefile_lun(facts, str(uuid.uuid4()), OPEN_S)  # a session of our own beside the daemon's
        try:
            return lun.facts.scsi_id
        finally:
            lun.close()
    except LunError as error:
        raise HaStatefileLost(str(error)) from None


def _write_statefile(config: HadConfig) -> None:
    facts = config.statefile
    try:
        lun = open_statefile_lun(facts, str(uuid.uuid4()), OPEN_S)
        try:
            superblock = config.superblock(unit_bytes(lun.block_bytes))
            format_statefile(lun, facts.offset_bytes, facts.size_bytes, superblock)
        finally:
            lun.close()
    except LunError as error:
        raise HaStatefileLost(str(error)) from None
