"""What can be asked of the daemon over its socket, and what it answers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cardume.ha import asides, events
from cardume.ha.effects import Why
from cardume.ha.profile import PROFILES
from cardume.ha.records import Aside, Reason
from cardume.had.clock import NS, now_ns
from cardume.had.config import write_durably
from cardume.had.control import Refused
from cardume.had.guests import list_guests
from cardume.had.places import VOID
from cardume.had.uplinks import MOST
from cardume.had.watchdog import WatchdogError, test_watchdog
from cardume.had.watchdogs import NoWatchdog, choose, list_devices, why_not

if TYPE_CHECKING:
    from cardume.had.keeper import Keeper

DEFAULT_TIMEOUT_S = PROFILES["fast"].watchdog_s
_SIMPLE: Mapping[str, Callable[[float], events.Event]] = {
    "enable": events.Enable,
    "abort": events.Abort,
    "disable": events.Disable,
    "form": events.Form,
}


class Questions:
    """Answers questions about a keeper, and hands it what people want."""

    def __init__(self, keeper: "Keeper") -> None:
        self._keeper = keeper

    def answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refused when it cannot be done now."""
        keeper = self._keeper
        now_s = now_ns() / NS
        match question:
            case {"do": "status"}:
                return self._status(now_s)
            case {"do": "start", "enabling": bool(enabling)}:
                return self._start(enabling)
            case {"do": "stop"}:
                return self._stop()
            case {"do": "test-watchdog", "path": str(path), "timeout_s": int() | float() as timeout_s}:
                return self._test(path, float(timeout_s))
            case {"do": "leave"}:
                self._assert_taking_part()
                return self._leave(now_s)
            case {"do": "stop-deciding"}:
                self._assert_taking_part()
                return self._promise(events.StopDeciding(now_s))
            case {"do": "watchdogs"}:
                return {"watchdogs": _watchdogs(float(question.get("timeout_s", DEFAULT_TIMEOUT_S)))}
            case {"do": "emergency-disable"}:
                self._assert_taking_part()
                return self._promise(events.EmergencyDisable(now_s))
            case {"do": "evict", "host": str(uuid)}:
                self._assert_taking_part()
                keeper.hand(events.Evict(now_s, self._host(uuid), Reason.OPERATOR))
                return {}
            case {"do": "uplinks", "down": int(down)}:
                self._assert_taking_part()
                keeper.hand(events.Uplinks(now_s, down))
                return {}
            case {"do": "watch-uplinks", "interfaces": [*interfaces]}:
                return self._watch_uplinks(tuple(map(str, interfaces)))
            case {"do": "aside", "asked": int(asked), "done": int(done)} if min(asked, done) >= 0:
                self._assert_taking_part()
                keeper.hand(events.SayAside(now_s, Aside(asked, done)))
                return {}
            case {"do": "guest-begins", "operation": str(operation)}:
                return self._guest_begins(operation)
            case {"do": "guest-ended", "operation": str(operation)}:
                with _noted():
                    keeper.starts.end(operation)
                return {}
            case {"do": str(word)} if word in _SIMPLE:
                self._assert_taking_part()
                keeper.hand(_SIMPLE[word](now_s))
                return {}
        raise Refused(f"the HA daemon does not know how to do {question.get('do')!r}")

    def _status(self, now_s: float) -> Mapping[str, Any]:
        keeper = self._keeper
        config, state = keeper.config, keeper.state
        facts: dict[str, Any] = {
            "taking_part": state is not None,
            "error": keeper.error,
            "armed": keeper.armed,
            "watchdog": keeper.watchdog,
            "fenced": keeper.fenced,
            "boot_id": keeper.boot_id,
        }
        if config is None or state is None:
            return facts
        epoch = state.epoch
        profile = config.profile
        evidence_s = state.evidence_s
        fed_ns = keeper.shared.fed_ns
        return facts | {
            "generation": config.generation,
            "profile": config.profile_name,
            "host": config.host_uuid,
            "phase": state.phase.value,
            "off": keeper.off.value if keeper.off else None,
            "life": state.life,
            "follows": state.follows,
            "epoch": epoch.number,
            "state": epoch.kind.name.lower(),
            "members": keeper.names(epoch.live),
            "unproven": keeper.names(epoch.unproven),
            "ended_lives": {str(keeper.name(host)): life for host, life in keeper.ended_lives.items()},
            "master": keeper.name(epoch.master),
            "reason": epoch.reason.name.lower(),
            "about": keeper.names(epoch.about),
            "leading": state.leading,
            "gate": state.life if state.gate_open else None,
            "pending": sorted(keeper.starts.pending),
            "guests": len(list_guests()),
            "statefile": {"ok": not keeper.trouble, "error": keeper.trouble},
            "evidence_age_s": round(now_s - evidence_s, 2) if evidence_s > 0 else None,
            "fed_age_s": round((now_ns() - fed_ns) / NS, 2) if fed_ns is not None else None,
            "lease_s": profile.lease_s,
            "aside": _told(state.aside_written) if state.aside_written is not None else None,
            "asides": {config.hosts[host].uuid: _told(aside) for host, aside in asides.heard(state, now_s).items()},
            "peers": {
                host.uuid: {
                    "networks_s": [
                        keeper.heard.network_age_s(at, network, now_s) for network in range(len(host.addresses))
                    ],
                    "statefile_s": keeper.heard.disk_age_s(at, now_s),
                    "silent_s": round(now_s - state.peers[at].since_s, 2) if state.peers[at].since_s > 0 else None,
                    "life": state.peers[at].life,
                }
                for at, host in enumerate(config.hosts)
                if at != config.me
            },
        }

    def _start(self, enabling: bool) -> Mapping[str, Any]:
        keeper = self._keeper
        if keeper.armed and keeper.state is not None:
            raise Refused("HA holds this host already")
        if not keeper.load(enabling=enabling):
            raise Refused(keeper.error or "there is no configuration of HA on this host")
        return {}

    def _stop(self) -> Mapping[str, Any]:
        if self._keeper.armed:
            raise Refused("HA holds this host: disable it, or let the host leave first")
        self._keeper.unload()
        return {}

    def _watch_uplinks(self, interfaces: tuple[str, ...]) -> Mapping[str, Any]:
        self._assert_taking_part()
        if self._keeper.off is not None:  # the file may be about to be removed
            raise Refused("HA is off on this host")
        if len(interfaces) > MOST:
            raise Refused(f"at most {MOST} networks can be watched")
        with _noted():
            self._keeper.watch_uplinks(interfaces)
        return {}

    def _test(self, path: str, timeout_s: float) -> Mapping[str, Any]:
        if self._keeper.armed:
            raise Refused("the watchdog is armed, and a test would feed it")
        try:
            return {"watchdog": test_watchdog(path, timeout_s)}
        except (WatchdogError, OSError) as error:
            raise Refused(str(error)) from None

    def _leave(self, now_s: float) -> Mapping[str, Any]:
        """Who leaves says that it holds no guest: the others start them at once."""
        guests, starts = len(list_guests()), len(self._keeper.starts.pending)
        if guests or starts:
            raise Refused(f"this host cannot leave: of its guests {guests} run, and {starts} are being started")
        self._keeper.hand(events.Leave(now_s))
        return {}

    def _promise(self, event: events.Event) -> Mapping[str, Any]:
        """This host decides nothing any more in this generation, whatever happens to it: after a boot neither."""
        assert self._keeper.config is not None, "it takes part"
        with _noted():
            write_durably(VOID, self._keeper.config.generation)  # first: a crash leaves it off, not in doubt
        self._keeper.hand(event)
        return {}

    def _guest_begins(self, operation: str) -> Mapping[str, Any]:
        keeper = self._keeper
        if keeper.error:
            raise Refused(f"whether HA holds this host is not known: {keeper.error}")
        state = keeper.state
        # A host that left, or has no watchdog, is out alone: nothing would end its guests, and its life counts as over.
        is_out = keeper.off in (Why.LEFT, Why.NO_DEVICE) and state is not None and state.epoch.number > 0
        if is_out or (state is not None and keeper.off is None and not state.gate_open):
            raise Refused("this host may not run guests now: it is no member of the pool's HA")
        with _noted():
            keeper.starts.begin(operation)
        if state is None or keeper.off is not None:
            return {"life": None, "epoch": None}
        return {"life": state.life, "epoch": state.epoch.number}

    def _assert_taking_part(self) -> None:
        if self._keeper.state is None:
            raise Refused("HA is off on this host")

    def _host(self, uuid: str) -> int:
        assert self._keeper.config is not None, "it takes part"
        for at, host in enumerate(self._keeper.config.hosts):
            if host.uuid == uuid:
                return at
        raise Refused(f"there is no host {uuid} in the table")


def _watchdogs(timeout_s: float) -> list[Mapping[str, Any]]:
    """This host's devices, why each cannot be taken or what is to be said against it, and which one is."""
    devices = list_devices()
    try:
        taken = choose(devices, timeout_s)
    except NoWatchdog:
        taken = None
    return [
        {
            "path": device.path,
            "identity": device.identity,
            "why_not": why_not(device, timeout_s),
            "warning": device.warning,
            "is_taken": device == taken,
        }
        for device in devices
    ]


def _told(aside: Aside) -> Mapping[str, int]:
    return {"asked": aside.asked, "done": aside.done}


@contextmanager
def _noted() -> Iterator[None]:
    """A disk of this host's own that is full or broken refuses the question; it does not end the daemon."""
    try:
        yield
    except OSError as error:
        raise Refused(f"this host cannot note it: {error}") from None
