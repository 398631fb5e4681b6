"""The core: one step at a time, from what a host knows and what happened to what it knows then and what it does."""

from cardume.ha.effects import Effect
from cardume.ha.events import Event
from cardume.ha.state import State


def step(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """What this host knows after the event, and what it does now, in order. The state given is left as it was."""
    raise NotImplementedError


def wake_s(state: State) -> float:
    """When the next Tick is due, by the host's clock."""
    raise NotImplementedError
