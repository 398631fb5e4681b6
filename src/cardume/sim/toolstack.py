"""The least of a toolstack, on each host: gates, who leads, and what the master does for guests whose life is over.

Tokens and orders are as in V1 and V2: an order is for one life of its host, and a token may have gone on meanwhile.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial

from cardume.ha.effects import (
    CloseGate,
    Effect,
    KillGuests,
    Lead,
    LifeEnded,
    MembersChanged,
    OpenGate,
    StopLeading,
    TurnedOff,
)
from cardume.ha.events import Event, GuestsGone
from cardume.ha.profile import Profile
from cardume.sim.guests import Guest, Guests, Violation
from cardume.sim.machine import Machine
from cardume.sim.timeline import Timeline

Tell = Callable[[Machine, Event], None]


class Toolstack:
    """What runs beside the cores; Violation when it is told what is not true."""

    def __init__(
        self,
        time: Timeline,
        guests: Guests,
        machines: Sequence[Machine],
        chance: random.Random,
        profile: Profile,
        tell: Tell,
    ) -> None:
        self._time, self._guests, self._machines = time, guests, machines
        self._chance, self._profile, self._tell = chance, profile, tell

    def leaders(self) -> list[int]:
        """Hosts that act as master."""
        return [machine.config.me for machine in self._machines if machine.power and machine.leads is not None]

    def take(self, machine: Machine, effect: Effect) -> None:
        """An effect of a host's core that is not for disk, network or device."""
        match effect:
            case OpenGate():
                machine.gate = effect.life
            case CloseGate():
                machine.gate = None
            case KillGuests():
                machine.gate = None
                self._time.after(self._chance.uniform(0, 0.5), partial(self._kill_guests, machine, machine.run))
            case LifeEnded():
                self._believe_over(machine, effect)
            case Lead():
                self._lead(machine, effect.epoch)
            case StopLeading():
                machine.leads = None
            case TurnedOff():
                machine.leads = machine.gate = None
            case MembersChanged():
                pass

    def _kill_guests(self, machine: Machine, run: int) -> None:
        if machine.run == run:
            self._guests.end(machine.config.me)
            self._tell(machine, GuestsGone(machine.clock(self._time.now_s)))

    def _believe_over(self, machine: Machine, effect: LifeEnded) -> None:
        machine.over[effect.host] = max(effect.life, machine.over.get(effect.host, 0))
        holds = [g for g in self._guests.on(effect.host) if g.host == effect.host and g.life <= effect.life]
        if holds:
            told = f"host {machine.config.me} was told that life {effect.life} of host {effect.host} is over"
            raise Violation(f"{self._time.now_s:.3f}: {told}, and it still executes {holds[0].name}")

    def _lead(self, machine: Machine, epoch: int) -> None:
        others = [host for host in self.leaders() if host != machine.config.me]
        if others:
            raise Violation(f"{self._time.now_s:.3f}: host {machine.config.me} leads while host {others[0]} does")
        machine.leads = epoch

    def watch(self, machine: Machine) -> None:
        """The master looks every half second after guests whose host is dead, and after orders that had no effect."""
        boots = machine.boots

        def look() -> None:
            if not machine.power or machine.boots != boots:
                return
            if machine.leads is not None and machine.gate is not None:
                for guest in self._guests.all.values():
                    self._look_after(machine, guest)
            self._time.after(0.5, look)

        self._time.after(0.5, look)

    def _look_after(self, machine: Machine, guest: Guest) -> None:
        epoch = machine.state.epoch
        if machine.over.get(guest.host, 0) >= guest.life:
            target = self._chance.choice(sorted(epoch.live)) if epoch.live else machine.config.me
            guest.host, guest.life = target, epoch.lives[target]
        if guest.host in guest.executes_on or not epoch.lists(guest.host, guest.life):
            return
        target, life = guest.host, guest.life
        delay_s = 0.0 if target == machine.config.me else self._chance.uniform(0, 3 * self._profile.cycle_s)
        self._time.after(delay_s, partial(self._order, self._machines[target], guest.name, life))

    def _order(self, machine: Machine, name: str, life: int) -> None:
        guest = self._guests.all[name]
        # V2: the agent carries out an order for its present life only, and a token may have gone on meanwhile.
        if machine.power and machine.gate == life and (guest.host, guest.life) == (machine.config.me, life):
            self._guests.begin(name, machine.config.me, self._time.now_s)
