"""The HA daemon of this host as the toolstack uses it: over its socket, and by the file that it starts from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from cardume.core.stepping_aside import Word
from cardume.daemons.gated_guests import StartNote
from cardume.daemons.had_events import event_of, events_of_status
from cardume.daemons.had_line import had_line
from cardume.daemons.stepping_aside import Heard
from cardume.datamodel.refs import new_uuid
from cardume.ha.profile import PROFILES
from cardume.ha.records import HostEntry
from cardume.had import places
from cardume.had.config import ChapFacts, ConfigError, HadConfig, StatefileFacts, read_config, write_config
from cardume.had.disk import open_statefile_lun
from cardume.had.statefile import format_statefile
from cardume.had.watchdogs import Device, NoWatchdog, choose, list_devices, warning_of
from cardume.hostops.chap_secrets import read_secret
from cardume.hostops.durable import sync_folder
from cardume.hostops.guests.guest import DiskSource, IscsiSource
from cardume.hostops.ha.interface import (
    Arrangement,
    HaError,
    HaEvent,
    HaEventKind,
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
AGAIN_S = 1.0
_LEADS = frozenset({HaEventKind.LEAD, HaEventKind.STOP_LEADING})
_LEADING = _LEADS | {HaEventKind.TURNED_OFF}


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
        self._events: list[HaEvent] = []
        self._last_heard: Mapping[str, Any] = {}
        self._happened = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._run = new_uuid()  # in the names of starts: none is of an earlier life of this daemon too
        self._unnoted: set[str] = set()
        """Starts that were ordered while HA was off, and are with libvirt still."""
        self._life: int | None = None  # that orders are meant for
        self._on_new_life: Callable[[], None] | None = None

    async def __aenter__(self) -> "HadAgent":
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *failure: object) -> None:
        tasks = [*self._ending, *([self._listening] if self._listening is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # HaAgent

    async def status(self) -> HaStatus:
        told = await self._status()
        if not told["taking_part"]:
            return HaStatus(HaPhase.OFF, watchdog=str(told["watchdog"]))
        lease_s = float(told["lease_s"])
        hears = [uuid for uuid, peer in told["peers"].items() if _is_heard(peer["networks_s"], lease_s)]
        phase = _phase(told)
        return HaStatus(
            phase=phase,
            generation=str(told["generation"]),
            life=int(told["life"]),
            epoch=int(told["epoch"]),
            members=tuple(told["members"]),
            master=str(told["master"] or ""),
            hears=tuple(sorted([*hears, self._uuid])) if phase is HaPhase.MEMBER else (),
            has_statefile=bool(told["statefile"]["ok"]),
            watchdog=str(told["watchdog"]),
            watchdog_warning=warning_of(str(told["watchdog"])),
        )

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
        await self._note_starts()
        await self._ask("start", enabling=True)
        told = await self._wait(lambda told: told["armed"] and _phase(told) is not HaPhase.OFF, timeout_s, "arm")
        if told.get("off") is not None:
            raise HaWatchdogRefused(f"the host could not be armed: {told['off']}")
        self._life = _life(told)

    async def enable(self, *, timeout_s: float) -> None:
        await self._ask("enable")
        told = await self._wait(lambda told: _phase(told) is HaPhase.MEMBER, timeout_s, "enable", HaNotFormed)
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
        if len(self._events) <= after:
            self._happened.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._happened.wait()
            except TimeoutError:
                return ()
        return tuple(self._events[after:])

    # The statefile as a way from toolstack to toolstack

    async def words(self) -> Heard | None:
        told = await self._status()
        if _phase(told) is not HaPhase.MEMBER:
            return None
        members = frozenset(str(uuid) for uuid in told["members"])
        others = {uuid: _word(word) for uuid, word in told["asides"].items()}
        return Heard(int(told["epoch"]), told["leading"] is not None, members, _own_word(told), others)

    async def say(self, word: Word, *, timeout_s: float) -> None:
        await self._ask("aside", asked=word.asked, done=word.done)
        await self._wait(lambda told: _own_word(told) == word, timeout_s, "writing to the statefile")

    # Guests

    async def take_orders(self, on_new_life: Callable[[], None], *, is_on: bool = True) -> None:
        """What is ordered from now on is meant for the life that this host has now. HaError: that is not known.

        Orders for an earlier life are refused: its guests may run elsewhere by now. `on_new_life` is called once, when
        another life goes on here: orders have to be taken anew for that one. `is_on`: as far as the pool knows it has
        high availability; without it an HA daemon that does not answer is no error, whatever it has left here.
        """
        self._on_new_life = on_new_life
        try:
            self._life = _life(await self._status()) if self._config.exists() else None
        except HaError:
            if is_on:
                raise
            self._life = None

    def _look_at_life(self, life: int | None) -> bool:
        """Whether orders are meant for this life; None: high availability is off, and they are for any."""
        if life is None or self._life is None or life == self._life:
            return True
        tell, self._on_new_life = self._on_new_life, None
        if tell is not None:
            log.warning("orders_for_another_life", meant=self._life, life=life)
            tell()
        return False

    @asynccontextmanager
    async def guest_begins(self, operation: str) -> AsyncIterator[StartNote]:
        """Hold while an order to start a guest is with libvirt; HaError when this host may run none now."""
        operation = f"{operation}/{self._run}"
        note, is_unnoted = (
            StartNote(),
            not self._config.exists(),
        )  # HA is off: nobody has to know, until it is switched on
        try:
            if is_unnoted:
                self._unnoted.add(operation)
            else:
                told = await self._ask("guest-begins", operation=operation)
                if not self._look_at_life(told.get("life")):
                    raise HaError("this host has begun another life since it was told to run this guest")
            yield note
        finally:  # also when no answer came: the daemon may have noted it
            ending = self._end_later(operation, note)
            if note.until is None:
                await asyncio.wait((ending,), timeout=AGAIN_S)

    async def _note_starts(self) -> None:
        """Have the daemon know of what was ordered before there was an arrangement; the rest it is told as it comes."""
        for operation in list(self._unnoted):
            await self._ask("guest-begins", operation=operation)
            if operation in self._unnoted:
                self._unnoted.discard(operation)  # who ordered it tells of its end
            else:
                await self._ask("guest-ended", operation=operation)

    def _end_later(self, operation: str, note: StartNote) -> "asyncio.Task[None]":
        return self._spawn(self._tell_ended(operation, note))

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _tell_ended(self, operation: str, note: StartNote) -> None:
        """Until the daemon has heard it: a start that never ends would keep this host from leaving."""
        if note.until is not None:
            await note.until()
        if operation in self._unnoted:
            self._unnoted.discard(operation)
            return
        while True:
            try:
                await self._ask("guest-ended", operation=operation)
                return
            except HaError as fault:
                log.warning("had_start_not_ended", operation=operation, reason=str(fault))
                await asyncio.sleep(AGAIN_S)

    async def recall_starts(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        """Tell of the end of each start that an earlier life of this daemon had begun, when `until_over` returns.

        An HA daemon that does not answer now is asked again until it does: it would wait for these ends for ever.
        """
        try:
            await self._recall_starts(until_over)
        except HaError as fault:
            log.warning("had_starts_not_recalled", reason=str(fault))
            self._spawn(self._recall_starts_later(until_over))

    async def _recall_starts_later(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            with suppress(HaError):
                await self._recall_starts(until_over)
                return

    async def _recall_starts(self, until_over: Callable[[str], Awaitable[None]]) -> None:
        if self._config.exists():
            for operation in (await self._status()).get("pending", ()):
                if not operation.endswith(self._run):
                    self._end_later(operation, StartNote(partial(until_over, operation)))

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

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except HaError as fault:
                log.debug("had_not_heard", reason=str(fault))
            except Exception:
                log.exception("had_not_understood")
            # Whether this host leads nobody can say now.
            self._note(HaEvent(0, HaEventKind.STOP_LEADING, host=self._uuid))
            await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        """Take in what happened, then what is, then what happens; until the daemon goes."""
        async with had_line(self._socket) as line:
            await line.say("events", after=0)
            await line.say("status")
            past: list[Mapping[str, Any]] | None = []
            while True:
                told = await line.hear()
                if "taking_part" in told:
                    for each in _unheard(past or (), self._last_heard):
                        self._take(each, is_past=True)
                    past = None
                    self._look_at_life(told.get("gate"))
                    for event in events_of_status(told, self._uuid):
                        self._note(event)
                elif past is not None:
                    past.append(told)
                else:
                    self._take(told, is_past=False)

    def _take(self, told: Mapping[str, Any], *, is_past: bool) -> None:
        """Take in what happened.

        Who led once does not lead now for that: only what is true now says so. That it was off is heard: decisions and
        lives of before that were counted from another beginning.
        """
        self._last_heard = told
        event = event_of(told, self._uuid)
        if told.get("event") == "gate-opened" and not is_past:
            self._look_at_life(told["life"])
        elif event is not None and not (is_past and event.kind in _LEADS):
            self._note(event)

    def _note(self, event: HaEvent) -> None:
        if event.kind is HaEventKind.STOP_LEADING and not self._may_lead():
            return
        self._events.append(replace(event, number=len(self._events) + 1))
        self._happened.set()

    def _may_lead(self) -> bool:
        """Whether the last word on it was that this host leads."""
        words = (event.kind for event in reversed(self._events) if event.kind in _LEADING)
        return next(words, None) is HaEventKind.LEAD


def _unheard(past: Sequence[Mapping[str, Any]], last: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What was not heard yet of what a daemon tells once more; `last`: what was heard last, of this or another one."""
    heard = next((at for at, told in enumerate(past, 1) if told == last), 0)
    return past[heard:]


def _life(told: Mapping[str, Any]) -> int | None:
    """The life of a host that takes part."""
    return int(told["life"]) if told["taking_part"] and told.get("off") is None else None


def _phase(told: Mapping[str, Any]) -> HaPhase:
    if not told["taking_part"] or told.get("off") is not None:
        return HaPhase.OFF
    return {"candidate": HaPhase.CANDIDATE, "member": HaPhase.MEMBER}.get(str(told["phase"]), HaPhase.ATTACHED)


def _word(told: Mapping[str, Any]) -> Word:
    return Word(int(told["asked"]), int(told["done"]))


def _own_word(told: Mapping[str, Any]) -> Word | None:
    return _word(told["aside"]) if told.get("aside") else None


def _is_heard(ages_s: list[float | None], lease_s: float) -> bool:
    return any(age is not None and age < lease_s for age in ages_s)


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
