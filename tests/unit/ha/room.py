"""A machine room in which nothing takes time: for stories whose every time is written out.

Cores, one disk, one network, watchdogs, guests, on one clock that the story moves. What a story says happens at its
second, so a test can tell that something happens at 8.2 s and not at 8.1 s. Chance has no part in it, and no delays:
what comes of those is for `cardume.sim.world`, in which all I/O takes its time and seeds choose the schedule. The room
checks at each start of a guest that nobody else runs it.
"""

from collections import deque
from dataclasses import dataclass, field

from cardume.ha import core
from cardume.ha.effects import (
    Arm,
    CloseDevice,
    CloseGate,
    Effect,
    KillGuests,
    Lead,
    LifeEnded,
    OpenGate,
    ReadAll,
    ReadSlots,
    Remember,
    Reset,
    Send,
    SetDeadline,
    StopLeading,
    TurnedOff,
    WriteBallot,
    WriteSlot,
)
from cardume.ha.events import (
    AllRead,
    Area,
    Armed,
    ArmFailed,
    DatagramReceived,
    Enable,
    Event,
    GuestsGone,
    ReadFailed,
    SlotsRead,
    Start,
    Tick,
    WriteDone,
)
from cardume.ha.merging import merged_block, newest_slot
from cardume.ha.profile import FAST, Profile
from cardume.ha.records import BallotBlock, Memory, Slot
from cardume.ha.state import Config, Phase, State, new_state

GENERATION = "00112233-4455-6677-8899-aabbccddeeff"


@dataclass
class Machine:
    """A host: its core, its device, its guests."""

    state: State
    power: bool = False
    boots: int = 0
    memory: Memory | None = None
    armed: bool = False
    fed_s: float = 0.0
    deadline_s: float = -1.0
    gate: int | None = None
    guests: set[str] = field(default_factory=set)
    leads: int | None = None
    guests_die: bool = True
    has_device: bool = True
    started_s: float = 0.0
    ended: dict[int, int] = field(default_factory=dict)
    said: list[Effect] = field(default_factory=list)


class Room:
    """`hosts` machines with a LUN in common."""

    def __init__(self, hosts: int, profile: Profile = FAST) -> None:
        self.now_s = 100.0
        self.profile = profile
        self.machines = [Machine(new_state(Config(me, hosts, GENERATION, profile, seed=7))) for me in range(hosts)]
        self.slots: dict[tuple[int, int], Slot] = {}
        self.blocks: dict[tuple[int, int], BallotBlock] = {}
        self.no_disk: set[int] = set()
        self.no_network: set[int] = set()
        self.cut: set[frozenset[int]] = set()
        self.queue: deque[tuple[int, Event]] = deque()
        self.owner: dict[str, tuple[int, int]] = {}
        """Each guest's host and life."""
        self.log: list[tuple[float, int, Effect]] = []

    # what the story does

    def power_on(self, host: int, *, guests: bool = False, enabling: bool = False) -> None:
        machine = self.machines[host]
        machine.power, machine.boots, machine.memory = True, machine.boots + 1, None
        machine.started_s = self.now_s
        machine.state = new_state(machine.state.config)
        boot_id = f"{machine.boots:08d}-0000-4000-8000-{host:012d}"
        self.tell(host, Start(self.clock(host), boot_id, guests=guests, enabling=enabling))

    def power_off(self, host: int) -> None:
        machine = self.machines[host]
        machine.power, machine.armed, machine.gate, machine.leads = False, False, None, None
        machine.deadline_s = -1.0
        machine.guests.clear()
        machine.ended.clear()

    def restart_core(self, host: int) -> None:
        machine = self.machines[host]
        boot_id = machine.state.boot_id
        machine.state = new_state(machine.state.config)
        self.queue = deque((to, event) for to, event in self.queue if to != host)
        self.tell(
            host,
            Start(self.clock(host), boot_id, memory=machine.memory, guests=bool(machine.guests), armed=machine.armed),
        )

    def enable(self, *, guests: bool = True) -> None:
        """HA is enabled by host 0 and all become members."""
        for host in range(len(self.machines)):
            self.power_on(host, guests=guests, enabling=True)
        self.tell(0, Enable(self.clock(0)))
        self.run(3 * self.profile.cycle_s + 1)
        assert all(machine.state.phase is Phase.MEMBER for machine in self.machines)

    def tell(self, host: int, event: Event) -> None:
        self.queue.append((host, event))
        self._drain()

    def run(self, for_s: float) -> None:
        """Let time pass."""
        end_s = self.now_s + for_s
        while self.now_s < end_s - 1e-9:
            self.now_s = round(self.now_s + 0.05, 6)
            for host, machine in enumerate(self.machines):
                if machine.power and core.wake_s(machine.state) <= self.clock(host):
                    self.queue.append((host, Tick(self.clock(host))))
            self._drain()
            for host in range(len(self.machines)):
                self._watch(host)
            self._start_guests()

    def start_guest(self, name: str, host: int) -> None:
        """Somebody starts a guest there."""
        runs_on = [other for other, machine in enumerate(self.machines) if name in machine.guests]
        assert not runs_on, f"{name} starts on {host} while {runs_on} runs it at {self.now_s}"
        machine = self.machines[host]
        assert machine.gate is not None
        machine.guests.add(name)
        self.owner[name] = (host, machine.gate)

    # what the story looks at

    def clock(self, host: int) -> float:
        """Each host has a clock of its own, since its boot."""
        return self.now_s - self.machines[host].started_s + 10

    def phase(self, host: int) -> Phase:
        return self.machines[host].state.phase

    def leaders(self) -> list[int]:
        return [host for host, machine in enumerate(self.machines) if machine.leads is not None]

    def said(self, host: int, kind: type[Effect]) -> list[Effect]:
        return [effect for effect in self.machines[host].said if isinstance(effect, kind)]

    def members(self) -> set[int]:
        newest = max((machine.state.epoch for machine in self.machines if machine.power), key=lambda e: e.number)
        return set(newest.live)

    # how it works

    def _drain(self) -> None:
        while self.queue:
            host, event = self.queue.popleft()
            machine = self.machines[host]
            if not machine.power:
                continue
            machine.state, effects = core.step(machine.state, event)
            for effect in effects:
                if machine.power:
                    self._do(host, machine, effect)

    def _do(self, host: int, machine: Machine, effect: Effect) -> None:
        now_s = self.clock(host)
        machine.said.append(effect)
        self.log.append((self.now_s, host, effect))
        works = host not in self.no_disk
        match effect:
            case WriteSlot():
                if works:
                    self.slots[host, effect.slot.sector] = effect.slot
                self.queue.append((host, WriteDone(now_s, Area.SLOT, effect.number, now_s, now_s, works)))
            case WriteBallot():
                if works:
                    self.blocks[host, effect.block.sector] = effect.block
                self.queue.append((host, WriteDone(now_s, Area.BALLOT, effect.number, now_s, now_s, works)))
            case ReadSlots() | ReadAll() if not works:
                self.queue.append((host, ReadFailed(now_s, effect.number)))
            case ReadSlots():
                self.queue.append((host, SlotsRead(now_s, effect.number, now_s, now_s, self._slots())))
            case ReadAll():
                self.queue.append((host, AllRead(now_s, effect.number, now_s, now_s, self._slots(), self._ballots())))
            case Send():
                for other in range(len(self.machines)):
                    if other != host and self._linked(host, other):
                        self.queue.append((other, DatagramReceived(self.clock(other), effect.datagram)))
            case SetDeadline():
                machine.deadline_s = effect.deadline_s
            case Remember():
                machine.memory = effect.memory
            case Arm() if not machine.has_device:
                self.queue.append((host, ArmFailed(now_s, "there is none")))
            case Arm():
                machine.armed, machine.fed_s = True, now_s
                self.queue.append((host, Armed(now_s)))
            case CloseDevice():
                assert not machine.guests or machine.state.phase is Phase.OFF, "disarmed with guests"
                machine.armed = False
            case OpenGate():
                machine.gate = effect.life
            case CloseGate():
                machine.gate = None
            case KillGuests():
                machine.gate = None
                if machine.guests_die:
                    machine.guests.clear()
                    self.queue.append((host, GuestsGone(now_s)))
            case Lead():
                machine.leads = effect.epoch
            case StopLeading():
                machine.leads = None
            case LifeEnded():
                machine.ended[effect.host] = effect.life
            case Reset():
                self.power_off(host)
            case TurnedOff():
                machine.leads = machine.gate = None
            case _:
                pass

    def _watch(self, host: int) -> None:
        machine = self.machines[host]
        if not (machine.power and machine.armed):
            return
        if self.clock(host) <= machine.deadline_s:
            machine.fed_s = self.clock(host)
        elif self.clock(host) > machine.fed_s + self.profile.watchdog_s:
            self.power_off(host)

    def _start_guests(self) -> None:
        """The leader starts the guests of lives that are over; V1 to V5 in miniature."""
        leaders = self.leaders()
        assert len(leaders) <= 1, f"two masters act: {leaders}"
        for host in leaders:
            for name, (holder, life) in self.owner.items():
                machine = self.machines[host]
                if machine.ended.get(holder, 0) >= life and machine.gate is not None:
                    self.start_guest(name, host)

    def _linked(self, one: int, other: int) -> bool:
        return not {one, other} & self.no_network and frozenset({one, other}) not in self.cut

    def _slots(self) -> tuple[Slot | None, ...]:
        return tuple(
            newest_slot(self.slots.get((host, sector)) for sector in range(8)) for host in range(len(self.machines))
        )

    def _ballots(self) -> tuple[BallotBlock | None, ...]:
        return tuple(
            merged_block(self.blocks.get((host, sector)) for sector in range(8)) for host in range(len(self.machines))
        )
