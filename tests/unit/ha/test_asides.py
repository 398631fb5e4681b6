"""What toolstacks say of the pool database by way of the disk, when no network carries it."""

from dataclasses import replace

from tests.unit.ha.room import GENERATION, Room

from cardume.ha import asides, core, lives
from cardume.ha.events import Area, SayAside, SlotsRead, WriteDone
from cardume.ha.profile import FAST
from cardume.ha.records import Aside, Slot, SlotState
from cardume.ha.state import Config, Cycle, Phase, Step, new_state
from cardume.ha.turn import Turn


def pair() -> Room:
    room = Room(2)
    room.enable()
    room.run(5)
    return room


def heard(room: Room, host: int, of: int) -> Aside | None:
    return asides.heard(room.machines[host].state, room.clock(host)).get(of)


def test_a_word_goes_over_the_disk_when_all_networks_are_cut() -> None:
    room = pair()
    room.no_network = {0, 1}
    room.tell(0, SayAside(room.clock(0), Aside(asked=4)))
    room.run(2)
    assert heard(room, 1, of=0) == Aside(asked=4)
    room.tell(1, SayAside(room.clock(1), Aside(done=4)))
    room.run(2)
    assert heard(room, 0, of=1) == Aside(done=4)
    assert room.machines[1].state.aside_written == Aside(done=4)
    assert heard(room, 0, of=0) is None


def test_a_word_is_written_when_the_disk_has_it_and_not_before() -> None:
    room = pair()
    room.no_disk = {1}
    room.tell(1, SayAside(room.clock(1), Aside(done=4)))
    room.run(2)
    assert room.machines[1].state.aside_written is None
    room.no_disk = set()
    room.run(2)
    assert room.machines[1].state.aside_written == Aside(done=4)


def test_a_word_that_is_taken_back_is_not_written_while_one_is_under_way_that_says_it() -> None:
    config = Config(0, 2, GENERATION, FAST)
    cycle = Cycle(Step.WRITING, 7, 10.0, 0, 1, False, Aside(done=4))
    state = replace(new_state(config), phase=Phase.CANDIDATE, life=1, evidence_s=10.0, aside=Aside(done=4), cycle=cycle)
    state, _ = core.step(state, SayAside(10.1, Aside()))
    state, _ = core.step(state, WriteDone(10.2, Area.SLOT, 7, 10.0, 10.2, True))
    assert state.aside_written is None


def test_what_lies_on_the_disk_of_a_host_that_does_not_write_is_no_word() -> None:
    for is_dead in (True, False):
        room = pair()
        room.tell(1, SayAside(room.clock(1), Aside(done=4)))
        room.run(2)
        assert heard(room, 0, of=1) == Aside(done=4)
        if is_dead:
            room.power_off(1)
        else:
            room.no_disk.add(1)
        room.run(4)
        assert heard(room, 0, of=1) is None


def test_a_core_that_comes_up_anew_says_nothing_until_it_is_told() -> None:
    room = pair()
    room.tell(1, SayAside(room.clock(1), Aside(done=4)))
    room.run(2)
    room.restart_core(1)
    room.run(2)
    assert heard(room, 0, of=1) == Aside()


def test_what_a_slow_read_showed_may_be_true_no_more_when_it_ends() -> None:
    """Its host may have taken it back since the read began, and written that."""
    for took_s, told in ((0.1, Aside(done=4)), (4.0, None)):
        room = pair()
        state, now_s = room.machines[0].state, room.clock(0)
        peer = state.peers[1]
        slot = Slot(
            GENERATION,
            1,
            "b",
            peer.disk_life,
            peer.disk_number + 1,
            SlotState.MEMBER,
            state.epoch,
            0,
            aside=Aside(done=4),
        )
        reading = replace(state, cycle=Cycle(Step.READING, 99, now_s - took_s))
        state, _ = core.step(reading, SlotsRead(now_s, 99, now_s - took_s, now_s, (None, slot)))
        assert state.peers[1].disk_number == slot.number
        assert asides.heard(state, now_s).get(1) == told


def test_a_life_that_is_over_says_nothing_more() -> None:
    room = pair()
    room.tell(1, SayAside(room.clock(1), Aside(done=4)))
    room.run(2)
    turn = Turn(room.machines[1].state, room.clock(1))
    lives.end_life(turn)
    assert (turn.s.aside, turn.s.aside_written) == (Aside(), None)
