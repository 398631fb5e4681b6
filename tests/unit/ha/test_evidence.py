"""Evidence and deadlines (R3 to R7), one event at a time."""

from dataclasses import replace

import pytest
from tests.unit.ha.room import GENERATION, Room

from cardume.ha import core
from cardume.ha.effects import Effect, KillGuests, ReadSlots, Reset, SetDeadline, WriteSlot
from cardume.ha.events import (
    Area,
    DatagramReceived,
    Event,
    ReadFailed,
    SlotsRead,
    Tick,
    WriteDone,
)
from cardume.ha.profile import FAST
from cardume.ha.records import Datagram, EpochRecord, Heard, Reason, Slot, SlotState
from cardume.ha.state import Phase, State


class Story:
    """One member of two, taken out of a room in which all was well; the test plays the rest of the world."""

    def __init__(self, hosts: int = 2) -> None:
        room = Room(hosts)
        room.enable()
        room.run(5)
        self.room, self.state, self.now_s = room, room.machines[0].state, room.clock(0)
        self.epoch = self.state.epoch

    def step(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = core.step(self.state, event)
        return effects

    def write(self, after_s: float) -> WriteSlot:
        """Let a cycle begin."""
        self.now_s += after_s
        writes = [effect for effect in self.step(Tick(self.now_s)) if isinstance(effect, WriteSlot)]
        return writes[0]

    def written(self, write: WriteSlot, *, ok: bool = True) -> tuple[Effect, ...]:
        return self.step(WriteDone(self.now_s, Area.SLOT, write.number, self.now_s, self.now_s, ok))

    def read(self, write: WriteSlot, own: Slot | None, other: Slot | None = None) -> tuple[Effect, ...]:
        other = other or self.room._slots()[1]
        slots = (own, other, *self.room._slots()[2:])
        return self.step(SlotsRead(self.now_s, write.number, self.now_s, self.now_s, slots))

    def heartbeat(self, host: int = 1, *, number: int, echo: Heard, epoch: EpochRecord | None = None) -> Datagram:
        heard = [Heard()] * self.state.config.hosts
        heard[0] = echo
        return Datagram(
            generation=GENERATION,
            host=host,
            boot_id="00000001-0000-4000-8000-000000000001",
            life=1,
            number=number,
            state=SlotState.MEMBER,
            epoch=epoch or self.epoch,
            heard=tuple(heard),
        )


def deadlines(effects: tuple[Effect, ...]) -> list[float]:
    return [effect.deadline_s for effect in effects if isinstance(effect, SetDeadline)]


def resets(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, Reset)]


def test_a_cycle_is_evidence_from_when_its_write_began() -> None:
    story = Story()
    write = story.write(0.5)
    story.now_s += 0.4
    assert [type(effect) for effect in story.written(write)] == [ReadSlots]
    story.now_s += 0.4
    begun_s = write.number / 1e6
    assert deadlines(story.read(write, write.slot)) == [pytest.approx(begun_s + FAST.lease_s - FAST.hold_s)]


def test_a_write_alone_is_no_evidence() -> None:
    story = Story()
    assert deadlines(story.written(story.write(0.5))) == []


def test_a_read_that_does_not_show_the_own_write_is_no_evidence() -> None:
    story = Story()
    write = story.write(0.5)
    story.written(write)
    assert deadlines(story.read(write, replace(write.slot, number=write.number - 1))) == []
    assert story.state.written < write.number


def test_a_read_that_shows_an_epoch_without_this_life_ends_it() -> None:
    story = Story()
    write = story.write(0.5)
    story.written(write)
    without = replace(
        story.epoch,
        number=2,
        live=frozenset({1}),
        unproven=frozenset({0}),
        master=1,
        reason=Reason.UPLINK,
        about=frozenset({0}),
    )
    peer = story.room._slots()[1]
    assert peer is not None
    effects = story.read(write, write.slot, replace(peer, number=peer.number + 1, epoch=without))
    assert deadlines(effects) == []
    assert [type(effect) for effect in effects if isinstance(effect, KillGuests)] == [KillGuests]
    assert story.state.phase is Phase.LEAVING


def newest(story: Story) -> int:
    return story.state.last_number


def test_an_echo_by_all_others_is_evidence_with_the_stamp_of_what_was_echoed() -> None:
    story = Story(3)
    story.now_s += 0.3
    number = newest(story)
    first = story.step(
        DatagramReceived(story.now_s, story.heartbeat(1, number=int(story.now_s * 1e6) + 9, echo=Heard(1, number)))
    )
    assert deadlines(first) == []
    second = story.step(
        DatagramReceived(story.now_s, story.heartbeat(2, number=int(story.now_s * 1e6) + 9, echo=Heard(1, number)))
    )
    assert deadlines(second) == [pytest.approx(number / 1e6 + FAST.evidence_age_s)]


@pytest.mark.parametrize("life", [0, 2])
def test_an_echo_of_another_life_is_none(life: int) -> None:
    story = Story()
    beat = story.heartbeat(number=10**12, echo=Heard(life, newest(story)))
    assert deadlines(story.step(DatagramReceived(story.now_s, beat))) == []


def test_an_echo_in_an_older_epoch_is_none() -> None:
    story = Story()
    story.state = replace(story.state, epoch=replace(story.epoch, number=2), peers=story.state.peers)
    before = story.state.evidence_s
    beat = story.heartbeat(number=10**12, echo=Heard(1, newest(story)), epoch=story.epoch)
    story.step(DatagramReceived(story.now_s, beat))
    assert story.state.evidence_s == before


def test_learning_an_epoch_forgets_the_echoes_of_the_old_one() -> None:
    story = Story()
    newer = replace(story.epoch, number=2)
    story.step(DatagramReceived(story.now_s, story.heartbeat(number=10**12, echo=Heard(), epoch=newer)))
    assert story.state.peers[1].echo == 0
    assert story.state.epoch == newer


def test_an_echo_of_a_number_that_was_never_used_ends_the_life() -> None:
    story = Story()
    beat = story.heartbeat(number=10**12, echo=Heard(1, int(story.now_s * 1e6) + 1_000_000))
    assert resets(story.step(DatagramReceived(story.now_s, beat))) == ["numbers of this life that this host never used"]


def test_a_slot_of_another_boot_in_this_life_ends_it() -> None:
    story = Story()
    write = story.write(0.5)
    story.written(write)
    alien = replace(write.slot, number=write.number + 10**9, boot_id="ffffffff-0000-4000-8000-000000000000")
    assert resets(story.read(write, alien)) == ["numbers of this life that this host never used"]


def test_an_answer_that_comes_after_the_lease_does_not_revive_the_life() -> None:
    story = Story()
    write = story.write(0.5)
    story.written(write)
    story.now_s += FAST.lease_s
    effects = story.read(write, write.slot)
    assert len(resets(effects)) == 1
    assert story.step(Tick(story.now_s + 1)) == ()


def test_a_member_with_guests_resets_just_before_its_device_would_fire() -> None:
    story = Story()
    last = story.state.deadline_s
    reset_at = None
    while reset_at is None:
        story.now_s += 0.05
        effects = story.step(Tick(story.now_s))
        write = next((effect for effect in effects if isinstance(effect, WriteSlot)), None)
        if write:
            story.written(write, ok=False)
        read = next((effect for effect in effects if isinstance(effect, ReadSlots)), None)
        if read:
            story.step(ReadFailed(story.now_s, read.number))
        if resets(effects):
            reset_at = story.now_s
    assert reset_at - last == pytest.approx(FAST.watchdog_s - FAST.feed_tick_s, abs=0.1)


def test_a_sole_member_needs_nobody() -> None:
    story = Story()
    alone = replace(story.epoch, number=2, live=frozenset({0}))
    story.step(DatagramReceived(story.now_s, story.heartbeat(number=10**12, echo=Heard(), epoch=alone)))
    story.now_s += 0.5
    assert deadlines(story.step(Tick(story.now_s))) == [pytest.approx(story.now_s + FAST.evidence_age_s)]


def test_a_failed_write_is_followed_by_a_read_and_then_by_another_sector() -> None:
    story = Story()
    write = story.write(0.5)
    story.written(write, ok=False)
    story.now_s += 0.5
    probes = [effect for effect in story.step(Tick(story.now_s)) if isinstance(effect, ReadSlots)]
    assert len(probes) == 1
    effects = story.step(SlotsRead(story.now_s, probes[0].number, story.now_s, story.now_s, story.room._slots()))
    again = [effect for effect in effects if isinstance(effect, WriteSlot)]
    assert again[0].slot.sector == (write.slot.sector + 1) % 8
    assert again[0].number > write.number
    assert again[0].slot.doubtful == 1 << write.slot.sector


def test_a_slow_write_counts_and_its_sector_is_left_alone() -> None:
    story = Story()
    write = story.write(0.5)
    began_s = story.now_s
    story.now_s += FAST.gap_s + 0.1
    story.step(WriteDone(story.now_s, Area.SLOT, write.number, began_s, story.now_s, ok=True))
    assert story.state.published == 1
    assert story.state.doubts[Area.SLOT][write.slot.sector] > story.now_s + 200


def test_a_slow_write_that_is_known_to_be_over_leaves_no_doubt() -> None:
    story = Story()
    write = story.write(0.5)
    story.step(WriteDone(story.now_s, Area.SLOT, write.number, story.now_s, story.now_s, ok=False, lands_late=False))
    assert all(doubt <= story.now_s for doubt in story.state.doubts[Area.SLOT])


def test_the_state_given_is_left_as_it_was() -> None:
    story = Story()
    before = replace(story.state)
    state: State = story.state
    core.step(state, Tick(story.now_s + 5))
    assert state == before
    assert hash(state) == hash(before)
