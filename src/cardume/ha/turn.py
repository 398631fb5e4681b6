"""One step in the making: what the host knows so far, the time, and what it is going to do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cardume.ha.effects import Effect, Note, Notice
from cardume.ha.events import Area
from cardume.ha.profile import Profile
from cardume.ha.records import SlotState
from cardume.ha.state import Peer, Phase, State

TAKES_PART = frozenset({Phase.CANDIDATE, Phase.MEMBER, Phase.LEAVING, Phase.ENDED})
"""Phases in which a host writes its slot and sends datagrams."""


class Turn:
    """A step's own copy of the state, which the step's parts change, and the effects they want."""

    def __init__(self, state: State, now_s: float) -> None:
        self.s = replace(state)
        self.now_s = now_s
        self.effects: list[Effect] = []
        self.read_began_s: float | None = None
        """When the read of the cycle began that this step has completed; None: it completed none."""

    @property
    def me(self) -> int:
        return self.s.config.me

    @property
    def profile(self) -> Profile:
        return self.s.config.profile

    def others(self) -> Iterator[tuple[int, Peer]]:
        """All hosts of the table but this one."""
        return ((host, peer) for host, peer in enumerate(self.s.peers) if host != self.me)

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def note(self, notice: Notice, host: int | None = None, detail: str = "") -> None:
        self.emit(Note(notice, host, detail))

    def number(self) -> int:
        """A number that was never used, and is not ahead of the clock (R1)."""
        self.s.last_number = max(self.s.last_number + 1, int(self.now_s * 1e6))
        return self.s.last_number

    def newest_number(self) -> int:
        """No number of this boot is above it: not even one of a core before this one."""
        return max(self.s.last_number, int(self.now_s * 1e6))

    def change_peer(self, host: int, **changes: Any) -> None:
        peers = list(self.s.peers)
        peers[host] = replace(peers[host], **changes)
        self.s.peers = tuple(peers)

    def set_doubts(self, area: Area, doubts: tuple[float, ...]) -> None:
        slots, ballots = self.s.doubts
        self.s.doubts = (doubts, ballots) if area is Area.SLOT else (slots, doubts)

    def slot_state(self) -> SlotState:
        """What this host says that it is."""
        if self.s.ended:
            return SlotState.ENDED
        return SlotState.CANDIDATE if self.s.phase is Phase.CANDIDATE else SlotState.MEMBER

    def lease_end_s(self) -> float:
        """When the lease of this life ends, if no newer evidence comes (R7)."""
        return self.s.evidence_s + self.profile.lease_s - self.profile.watchdog_reset_s

    def runs(self) -> bool:
        """A member whose life goes on."""
        return self.s.phase is Phase.MEMBER and self.now_s <= self.lease_end_s()

    def is_sole(self) -> bool:
        """The only member: nobody could declare it dead."""
        return self.s.phase is Phase.MEMBER and self.s.epoch.live == {self.me}

    def has_disk(self) -> bool:
        """Its own cycles are complete, and the disk is the one that the others see."""
        return self.s.twin_s is None and self.now_s - self.s.complete_s <= self.profile.gap_s
