"""What toolstacks say of the pool database by way of the disk, when no network carries it."""

from dataclasses import replace

from tests.unit.ha.room import GENERATION, Room

from cardume.ha import asides, core
from cardume.ha.events import Area, SayAside, WriteDone
from cardume.ha.profile import FAST
from cardume.ha.records import Aside
from cardume.ha.state import Config, Cycle, Phase, Step, new_state


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
