"""Guests, and the least of a toolstack that moves them after a verdict: tokens, orders and gates (V1 to V5).

What must never happen is judged here, at the moment when a guest begins to execute.
"""

from dataclasses import dataclass, field


class Violation(AssertionError):
    """A rule that must never break is broken."""


@dataclass
class Guest:
    """One VM: where it may be by its token, and where it really executes."""

    name: str
    host: int
    life: int
    executes_on: set[int] = field(default_factory=set)


class Guests:
    """All guests of the pool, by name."""

    def __init__(self) -> None:
        self.all: dict[str, Guest] = {}

    def add(self, name: str, host: int, life: int) -> None:
        """A guest that runs since before the story begins."""
        self.all[name] = Guest(name, host, life, {host})

    def on(self, host: int) -> list[Guest]:
        """The guests that execute on a host."""
        return [guest for guest in self.all.values() if host in guest.executes_on]

    def begin(self, name: str, host: int, now_s: float) -> None:
        """A guest begins to execute; Violation when it still executes somewhere else."""
        guest = self.all[name]
        if guest.executes_on - {host}:
            others = sorted(guest.executes_on - {host})
            raise Violation(f"{now_s:.3f}: {name} starts on host {host} while host {others[0]} still executes it")
        guest.executes_on.add(host)

    def end(self, host: int) -> None:
        """Nothing executes on a host any more."""
        for guest in self.all.values():
            guest.executes_on.discard(host)
