"""One host of the room: its clock, its processes, its watchdog, and what it remembers over what."""

from collections import deque
from dataclasses import dataclass, field

from cardume.ha.events import Event
from cardume.ha.records import Memory
from cardume.ha.state import Config, State, new_state

BOOTED_S = 10.0
"""What a host's clock shows when its daemon starts."""


@dataclass
class Process:
    """A process that may stand still for a while."""

    stands_until_s: float = 0.0

    def resumes_s(self, now_s: float) -> float:
        """When it can do something: now, or when it goes on."""
        return max(now_s, self.stands_until_s)


@dataclass
class Watchdog:
    """The device: armed or not, and when it was fed last. `version` makes an older plan to fire void."""

    is_armed: bool = False
    version: int = 0


@dataclass
class Machine:
    """A host. What a boot ends is made anew in `boot`."""

    config: Config
    drift: float = 0.0
    power: bool = False
    boots: int = 0
    powered_s: float = 0.0
    state: State = field(init=False)
    memory: Memory | None = None
    inbox: deque[Event] = field(default_factory=deque)
    is_alive: bool = False
    """The daemon's core runs, or stands still."""
    core: Process = field(default_factory=Process)
    feeder: Process = field(default_factory=Process)
    disk: Process = field(default_factory=Process)
    watchdog: Watchdog = field(default_factory=Watchdog)
    deadline_s: float = -1.0
    gate: int | None = None
    """The life under which guests may be started."""
    leads: int | None = None
    over: dict[int, int] = field(default_factory=dict)
    """For each host the highest life of which this host's core said that it is over."""
    needs_session: bool = False
    run: int = 0
    """Numbers the runs of the core: what an earlier one asked for is nobody's."""
    wake_version: int = 0

    def __post_init__(self) -> None:
        self.state = new_state(self.config)

    @property
    def boot_id(self) -> str:
        return f"{self.boots:08d}-0000-4000-8000-{self.config.me:012d}"

    def clock(self, now_s: float) -> float:
        """The host's own clock: it begins at its boot, and drifts."""
        return BOOTED_S + (now_s - self.powered_s) * (1 + self.drift)

    def when(self, clock_s: float) -> float:
        """The moment when the host's clock shows this."""
        return self.powered_s + (clock_s - BOOTED_S) / (1 + self.drift)

    def boot(self, now_s: float) -> None:
        """Power comes: all that was in memory is gone."""
        self.power, self.powered_s = True, now_s
        self.boots += 1
        self.memory = None
        self.core, self.feeder, self.disk = Process(), Process(), Process()
        self.over.clear()
        self.deadline_s = -1.0
        self.needs_session = False

    def halt(self) -> None:
        """Power goes, or the machine was reset."""
        self.power = self.is_alive = False
        self.run += 1
        self.watchdog = Watchdog(version=self.watchdog.version + 1)
        self.inbox.clear()
        self.gate = self.leads = None
