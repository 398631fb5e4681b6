"""Who may be declared dead, admitted, evicted, and when it has an effect (R9 to R13)."""

import pytest
from tests.unit.ha.room import GENERATION, Room

from cardume.ha import core
from cardume.ha.effects import Lead, LifeEnded, MembersChanged, Reset, TurnedOff, Why
from cardume.ha.events import Disable, Evict, Form, Leave, SessionStarted, Tick, Uplinks
from cardume.ha.profile import FAST
from cardume.ha.records import Reason
from cardume.ha.state import Config, Phase, new_state


def pair() -> Room:
    room = Room(2)
    room.enable()
    room.start_guest("on-1", 1)
    room.run(3)
    return room


def verdict_after_s(room: Room, begun_s: float) -> float:
    """When host 0 led the epoch without host 1, after that moment."""
    return next(
        when - begun_s
        for when, host, effect in room.log
        if host == 0 and isinstance(effect, Lead) and effect.epoch > 1 and when > begun_s
    )


def test_a_gap_between_own_cycles_costs_the_whole_silence_again() -> None:
    room = pair()
    room.power_off(1)
    room.run(6)
    room.no_disk = {0}
    room.run(2.6)  # it would be reset soon: nobody is left to echo
    assert room.machines[0].power
    room.no_disk = set()
    mended_s = room.now_s
    room.run(FAST.silence_s + 1)
    assert FAST.silence_s <= verdict_after_s(room, mended_s) <= FAST.silence_s + 0.6


def test_a_new_session_to_the_disk_costs_the_whole_silence_again() -> None:
    room = pair()
    room.power_off(1)
    room.run(6)
    begun_s = room.now_s
    room.tell(0, SessionStarted(room.clock(0)))
    room.run(FAST.silence_s + 1)
    assert verdict_after_s(room, begun_s) >= FAST.silence_s


def test_a_core_that_restarts_counts_silence_from_its_own_start() -> None:
    room = pair()
    room.power_off(1)
    room.run(6)
    begun_s = room.now_s
    room.restart_core(0)
    room.run(FAST.silence_s + 1)
    assert verdict_after_s(room, begun_s) >= FAST.silence_s


def test_the_clock_of_an_eviction_starts_when_the_own_slot_says_so() -> None:
    room = pair()
    room.machines[1].guests_die = False
    room.no_network = {1}
    room.tell(0, Evict(room.clock(0), 1, Reason.UPLINK))
    while len(room.said(0, MembersChanged)) < 2:
        room.run(0.05)
    published_s = room.now_s
    room.run(FAST.silence_s - 0.2)
    ended = [effect for effect in room.said(0, LifeEnded) if isinstance(effect, LifeEnded) and effect.host == 1]
    assert ended == []
    room.run(1)
    ended = [effect for effect in room.said(0, LifeEnded) if isinstance(effect, LifeEnded) and effect.host == 1]
    assert [(effect.life, effect.epoch) for effect in ended] == [(1, 2)]
    assert verdict_after_s(room, published_s) >= FAST.silence_s - 0.1


def test_two_hosts_that_want_the_same_number_end_with_one_epoch() -> None:
    room = Room(4)
    room.enable()
    room.run(2)
    room.power_off(3)
    room.run(10)
    epochs = {machine.state.epoch for machine in room.machines[:3]}
    assert len(epochs) == 1
    assert epochs.pop().live == frozenset({0, 1, 2})


def test_a_candidate_is_not_admitted_while_a_member_is_silent() -> None:
    room = Room(3)
    room.enable()
    room.run(2)
    room.power_off(2)
    room.run(10)
    room.power_off(1)
    room.run(FAST.gap_s + 1)
    room.power_on(2)
    room.run(3)
    assert room.members() == {0, 1}
    room.run(5)
    assert room.members() == {0, 2}


def test_a_host_with_worse_uplinks_is_not_admitted_and_equal_ones_are() -> None:
    room = pair()
    room.power_off(1)
    room.run(10)
    room.power_on(1)
    room.tell(1, Uplinks(room.clock(1), 0b10))
    room.run(5)
    assert room.phase(1) is Phase.CANDIDATE
    room.tell(0, Uplinks(room.clock(0), 0b10))
    room.run(2)
    assert room.members() == {0, 1}


def test_an_uplink_that_is_not_watched_here_yet_evicts_nobody() -> None:
    """What counts is changed on one host after the other; or this one is not in that network at all."""
    room = pair()
    room.run(5)
    room.tell(0, Uplinks(room.clock(0), 0, watched=0b01))
    room.tell(1, Uplinks(room.clock(1), 0b10, watched=0b11))
    room.run(30)
    assert room.members() == {0, 1}
    room.tell(0, Uplinks(room.clock(0), 0, watched=0b11))
    room.run(30)
    assert room.members() == {0}


def test_who_hears_a_member_does_not_believe_that_all_the_others_are_off() -> None:
    room = pair()
    room.power_off(0)
    room.run(10)
    room.no_disk = {1}
    room.power_on(0)
    room.run(3)
    room.tell(0, Form(room.clock(0)))
    room.run(3)
    assert room.members() == {1}
    room.no_disk = set()
    room.run(3)
    assert room.members() == {0, 1}
    assert room.machines[1].state.epoch.reason is Reason.ADMITTED


def test_an_administrators_word_that_the_others_are_off_does_not_outlive_its_moment() -> None:
    room = pair()
    room.power_off(0)
    room.run(10)
    room.power_off(1)
    room.power_on(0)
    room.run(1)
    room.no_disk = {0}
    room.tell(0, Form(room.clock(0)))
    room.run(FAST.ready_s + 1)
    room.no_disk = set()
    room.run(5)
    assert room.machines[0].state.epoch.live == {1}


def test_a_wish_to_disable_that_could_not_be_fulfilled_is_forgotten() -> None:
    room = pair()
    room.no_disk = {0, 1}
    room.run(3)
    room.tell(0, Disable(room.clock(0)))
    room.run(FAST.ready_s + 5)
    room.no_disk = set()
    room.run(5)
    assert room.members() == {0, 1}


def test_a_host_without_a_watchdog_is_no_member_and_says_why() -> None:
    room = pair()
    room.power_off(1)
    room.run(10)
    room.machines[1].has_device = False
    room.power_on(1)
    room.run(4)
    assert room.members() == {0}
    assert room.said(1, TurnedOff) == [TurnedOff(Why.NO_DEVICE)]


def test_a_host_whose_guests_are_not_accounted_for_resets_at_start() -> None:
    room = pair()
    room.power_off(1)
    room.power_on(1, guests=True)
    assert len(room.said(1, Reset)) == 1


@pytest.mark.parametrize("hosts", [1, 2, 3, 8])
def test_pools_of_any_size_are_enabled_and_survive_a_loss(hosts: int) -> None:
    room = Room(hosts)
    room.enable()
    assert room.leaders() == [0]
    if hosts > 1:
        room.power_off(0)
        room.run(11)
        assert room.members() == set(range(1, hosts))
        assert room.leaders() == [1]


def test_a_tick_is_due_at_the_next_thing_to_do_and_never_again_after_a_reset() -> None:
    room = pair()
    state = room.machines[0].state
    assert 0 < core.wake_s(state) - room.clock(0) <= FAST.cycle_s
    room.no_disk, room.no_network = {0}, {0}
    room.run(6)
    assert len(room.said(0, Reset)) == 1, "it says why before the device fires"
    assert core.wake_s(room.machines[0].state) == float("inf")


def test_a_tick_is_never_due_again_and_again_at_one_moment() -> None:
    room = pair()
    room.power_off(1)
    room.run(9)
    room.power_on(1)
    room.run(2)
    room.machines[1].guests.clear()
    room.no_disk = {1}
    room.tell(1, Leave(room.clock(1)))
    for _ in range(100):
        state = room.machines[1].state
        due_s = core.wake_s(state)
        after, _ = core.step(state, Tick(max(due_s, room.clock(1))))
        assert due_s == float("inf") or core.wake_s(after) > due_s
        room.run(0.2)
    assert core.wake_s(new_state(Config(0, 2, GENERATION, FAST))) == float("inf")
