"""What happens in a machine room, told by row of the failure table in docs/design/ha.md.

In each story the room itself checks that no guest starts while another host runs it, and that never two masters act.
"""

import pytest
from tests.unit.ha.room import Room

from cardume.ha.effects import CloseDevice, KillGuests, Lead, Reset, TurnedOff, Why
from cardume.ha.events import Abort, Disable, EmergencyDisable, Enable, Evict, Form, Leave, StopDeciding, Uplinks
from cardume.ha.profile import FAST, LAB, STANDARD, Profile
from cardume.ha.records import UNKNOWN, EpochKind, Reason
from cardume.ha.state import Phase


@pytest.fixture
def pair() -> Room:
    """Two hosts with HA; a guest on each; host 0 is master."""
    room = Room(2)
    room.enable()
    room.start_guest("on-0", 0)
    room.start_guest("on-1", 1)
    room.run(3)
    return room


def lives(room: Room) -> list[tuple[int, int]]:
    """The life of each host, and the one that it goes on from."""
    return [(machine.state.life, machine.state.follows) for machine in room.machines]


def trio() -> Room:
    room = Room(3)
    room.enable()
    for host in range(3):
        room.start_guest(f"on-{host}", host)
    room.run(3)
    return room


def test_enabling_makes_all_hosts_members_and_the_enabler_master(pair: Room) -> None:
    assert pair.members() == {0, 1}
    assert pair.leaders() == [0]
    assert pair.machines[1].state.epoch.reason is Reason.ENABLED


@pytest.mark.parametrize("profile", [FAST, STANDARD, LAB], ids=["fast", "standard", "lab"])
def test_row_1_the_master_dies_and_the_other_leads_after_the_silence(profile: Profile) -> None:
    room = Room(2, profile)
    room.enable()
    room.start_guest("vm", 0)
    room.run(3)
    died_s = room.now_s
    room.power_off(0)
    room.run(profile.silence_s + 2 * profile.cycle_s)
    assert room.machines[1].guests == {"vm"}
    assert room.leaders() == [1]
    led = [when for when, host, effect in room.log if host == 1 and isinstance(effect, Lead)]
    assert profile.silence_s - profile.cycle_s <= led[0] - died_s <= profile.silence_s + profile.cycle_s


def test_row_2_the_other_host_dies_and_the_master_restarts_its_guests(pair: Room) -> None:
    pair.power_off(1)
    pair.run(10)
    assert pair.machines[0].guests == {"on-0", "on-1"}
    assert pair.leaders() == [0]


def test_row_3_a_cut_network_ends_nobody(pair: Room) -> None:
    pair.no_network = {0}
    pair.run(300)
    assert pair.members() == {0, 1}
    assert pair.said(0, Reset) == pair.said(1, Reset) == []


def test_row_4_a_host_whose_uplink_is_down_hands_its_guests_over_without_a_reset(pair: Room) -> None:
    pair.no_network = {1}
    pair.tell(1, Uplinks(pair.clock(1), 0b1))
    pair.run(7)
    assert pair.said(1, Reset) == []
    assert len(pair.said(1, KillGuests)) == 1
    assert pair.machines[0].guests == {"on-0", "on-1"}
    assert pair.phase(1) is Phase.CANDIDATE, "it waits with a new life until its uplink is back"
    pair.run(20)
    assert pair.members() == {0}
    pair.no_network = set()
    pair.tell(1, Uplinks(pair.clock(1), 0))
    pair.run(3)
    assert pair.members() == {0, 1}


def test_row_4_a_host_that_does_not_answer_resets_and_its_guests_wait_for_the_silence(pair: Room) -> None:
    pair.machines[1].guests_die = False
    pair.no_network = {1}
    pair.tell(1, Uplinks(pair.clock(1), 0b1))
    pair.run(7)
    assert pair.machines[0].guests == {"on-0"}
    pair.run(10)
    assert len(pair.said(1, Reset)) == 1
    assert pair.machines[0].guests == {"on-0", "on-1"}


def test_equal_uplinks_evict_nobody(pair: Room) -> None:
    for host in range(2):
        pair.tell(host, Uplinks(pair.clock(host), 0b1))
    pair.run(30)
    assert pair.members() == {0, 1}


def test_row_5_a_host_without_disk_lives_by_echoes_and_is_evicted_after_the_grace(pair: Room) -> None:
    pair.no_disk = {1}
    pair.run(19)
    assert pair.members() == {0, 1}
    pair.run(4)
    assert pair.members() == {0}
    pair.run(FAST.silence_s)
    assert pair.machines[0].guests == {"on-0", "on-1"}


def test_row_6_when_nobody_has_the_disk_all_live_on_and_nothing_is_decided(pair: Room) -> None:
    pair.no_disk = {0, 1}
    pair.run(300)
    assert pair.members() == {0, 1}
    assert pair.said(0, Reset) == pair.said(1, Reset) == []
    pair.no_disk = set()
    pair.run(30)
    assert pair.members() == {0, 1}


def test_row_7_without_disk_and_then_without_the_other_everybody_stops(pair: Room) -> None:
    pair.no_disk = {0, 1}
    pair.run(10)
    pair.power_off(1)
    pair.run(6)
    assert not pair.machines[0].power
    pair.no_disk = set()
    pair.power_on(0)
    pair.run(FAST.silence_s + 2)
    assert pair.members() == {0}
    assert pair.machines[0].guests == {"on-0", "on-1"}


def test_row_8_a_host_that_loses_both_channels_is_gone_before_its_guests_start(pair: Room) -> None:
    pair.no_disk, pair.no_network = {1}, {1}
    pair.run(5)
    assert not pair.machines[1].power
    assert pair.machines[0].guests == {"on-0"}
    pair.run(6)
    assert pair.machines[0].guests == {"on-0", "on-1"}


def test_row_9_both_lose_both_and_come_back(pair: Room) -> None:
    pair.no_disk, pair.no_network = {0, 1}, {0, 1}
    pair.run(5)
    assert [machine.power for machine in pair.machines] == [False, False]
    pair.no_disk, pair.no_network = set(), set()
    for host in range(2):
        pair.power_on(host)
    pair.run(5)
    assert pair.members() == {0, 1}
    assert set().union(*(machine.guests for machine in pair.machines)) == {"on-0", "on-1"}


def test_row_10_a_core_that_restarts_goes_on_with_its_life(pair: Room) -> None:
    for host in (0, 1, 0):
        pair.restart_core(host)
        pair.run(1)
        pair.run(3)
    assert pair.members() == {0, 1}
    assert lives(pair) == [(1, 0), (1, 0)]
    assert pair.leaders() == [0]
    assert pair.said(0, Reset) == []


def test_row_10_a_leader_whose_core_restarted_without_disk_takes_its_word_back_when_it_leaves(pair: Room) -> None:
    pair.machines[0].guests.clear()
    pair.owner.pop("on-0")
    pair.no_disk = {0}
    pair.restart_core(0)
    pair.run(1)
    assert pair.leaders() == [0]
    pair.tell(0, Leave(pair.clock(0)))
    assert pair.leaders() == []
    pair.run(1)
    assert pair.leaders() == [1]


def test_a_disk_that_comes_back_counts_at_once_however_long_it_was_away(pair: Room) -> None:
    pair.no_disk = {1}
    pair.run(15)
    pair.no_disk = set()
    pair.run(1)
    pair.no_network = {1}
    pair.run(30)
    assert pair.members() == {0, 1}
    assert pair.said(1, Reset) == []


def test_an_eviction_of_a_host_that_is_no_member_is_forgotten(pair: Room) -> None:
    pair.power_off(1)
    pair.run(10)
    pair.tell(0, Evict(pair.clock(0), 1))
    pair.power_on(1)
    pair.run(5)
    assert pair.members() == {0, 1}


def test_row_10_a_core_that_does_not_come_back_is_a_dead_host(pair: Room) -> None:
    pair.machines[0].state.phase = Phase.DOOMED  # nothing is done any more, the device is not fed
    pair.run(10)
    assert not pair.machines[0].power
    assert pair.machines[1].guests == {"on-0", "on-1"}


@pytest.mark.parametrize("leaver", [0, 1])
def test_row_12_a_host_that_leaves_is_left_out_at_once_and_comes_back(pair: Room, leaver: int) -> None:
    other = 1 - leaver
    pair.machines[leaver].guests.clear()
    pair.tell(leaver, Leave(pair.clock(leaver)))
    pair.run(2)
    assert pair.members() == {other}
    assert pair.leaders() == [other]
    assert pair.said(leaver, TurnedOff) == [TurnedOff(Why.LEFT)]
    assert not pair.machines[leaver].armed
    pair.run(30)
    pair.power_on(leaver)
    pair.run(3)
    assert pair.members() == {0, 1}


def test_the_last_host_leaves_and_any_host_may_begin_again(pair: Room) -> None:
    for host in (0, 1):
        pair.machines[host].guests.clear()
        pair.tell(host, Leave(pair.clock(host)))
        pair.run(2)
    assert pair.machines[1].state.epoch.live == frozenset()
    pair.owner.clear()
    pair.power_off(0)
    pair.power_off(1)
    pair.run(60)
    pair.power_on(0)
    pair.run(2)
    assert pair.members() == {0}
    assert pair.leaders() == [0]


def test_row_13_a_member_of_the_last_epoch_forms_alone_after_the_silence(pair: Room) -> None:
    pair.power_off(0)
    pair.power_off(1)
    pair.run(5)
    pair.power_on(1)
    pair.run(FAST.silence_s - 1)
    assert pair.phase(1) is Phase.CANDIDATE
    pair.run(2)
    assert pair.members() == {1}
    assert pair.machines[1].guests == {"on-0", "on-1"}
    assert lives(pair)[1] == (2, 1)
    pair.restart_core(1)
    pair.run(2)
    assert lives(pair)[1] == (2, 1)
    pair.power_on(0)
    pair.run(20)
    assert pair.members() == {0, 1}
    assert lives(pair) == [(2, UNKNOWN), (2, 1)]


def test_row_13_a_life_follows_none_when_another_host_may_have_decided_in_between(pair: Room) -> None:
    for host in (0, 1):
        pair.power_off(host)
    for host in (1, 0):
        pair.power_on(host)
    pair.run(20)
    assert pair.members() == {0, 1}
    assert lives(pair) == [(2, 1), (2, UNKNOWN)]  # the first that saw the other's new life had formed, and let it in
    pair.power_off(0)
    pair.run(10)
    pair.power_off(1)
    pair.power_on(0)
    pair.run(60)
    pair.tell(0, Form(pair.clock(0)))
    pair.run(2)
    assert pair.members() == {0}
    assert lives(pair)[0] == (3, UNKNOWN)


def test_row_13_a_host_that_was_declared_dead_waits_for_a_member_or_an_administrator(pair: Room) -> None:
    pair.power_off(0)
    pair.run(10)
    pair.power_off(1)
    pair.power_on(0)
    pair.run(600)
    assert pair.phase(0) is Phase.CANDIDATE
    assert pair.machines[0].guests == set()
    pair.tell(0, Form(pair.clock(0)))
    pair.run(2)
    assert pair.members() == {0}
    assert pair.machines[0].guests == {"on-0", "on-1"}


def test_row_14_a_sole_member_lives_on_without_the_disk(pair: Room) -> None:
    pair.power_off(0)
    pair.run(10)
    pair.no_disk = {1}
    pair.run(600)
    assert pair.machines[1].guests == {"on-0", "on-1"}
    pair.no_disk = set()
    pair.power_on(0)
    pair.run(3)
    assert pair.members() == {0, 1}


def test_three_hosts_one_dies(pair: Room) -> None:
    room = trio()
    room.power_off(0)
    room.run(10)
    assert room.members() == {1, 2}
    assert room.leaders() == [1]
    assert "on-0" in room.machines[1].guests


def test_three_hosts_all_but_one_die_at_once() -> None:
    room = trio()
    room.power_off(0)
    room.power_off(2)
    room.run(10)
    assert room.members() == {1}
    assert room.machines[1].guests == {"on-0", "on-1", "on-2"}


def test_three_hosts_in_two_parts_live_on_by_the_disk() -> None:
    room = trio()
    room.no_network = {2}
    room.run(120)
    assert room.members() == {0, 1, 2}


def test_three_hosts_a_diskless_one_that_two_hear_stays_when_the_third_joins_anew() -> None:
    room = trio()
    room.power_off(2)
    room.run(10)
    assert room.members() == {0, 1}
    room.no_disk = {0}
    room.run(3)
    room.power_on(2)
    room.run(10)
    assert room.members() == {0, 1}, "nobody is admitted while a member may miss it"
    room.no_disk = set()
    room.run(4)
    assert room.members() == {0, 1, 2}
    assert room.said(0, Reset) == []


def test_the_disk_side_wins_although_it_is_smaller() -> None:
    room = trio()
    room.no_disk = {0, 1}
    room.no_network = {2}
    room.run(20)
    assert room.members() == {2}
    assert room.machines[2].guests == {"on-0", "on-1", "on-2"}


def test_disabling_disarms_everybody_and_guests_go_on(pair: Room) -> None:
    pair.tell(0, Disable(pair.clock(0)))
    pair.run(2)
    for host in range(2):
        assert pair.said(host, TurnedOff) == [TurnedOff(Why.DISABLED)]
        assert not pair.machines[host].armed
        assert pair.machines[host].guests
    pair.run(60)
    assert all(machine.power for machine in pair.machines)


def test_disabling_reaches_a_host_that_has_the_network_only(pair: Room) -> None:
    pair.no_disk = {1}
    pair.run(2)
    pair.tell(0, Disable(pair.clock(0)))
    pair.run(2)
    assert pair.said(1, TurnedOff) == [TurnedOff(Why.DISABLED)]
    assert pair.machines[1].guests == {"on-1"}


def test_disabling_reaches_a_host_that_has_the_disk_only(pair: Room) -> None:
    pair.no_network = {1}
    pair.run(2)
    pair.tell(0, Disable(pair.clock(0)))
    pair.run(2)
    assert pair.said(1, TurnedOff) == [TurnedOff(Why.DISABLED)]


def test_an_enabling_that_not_all_hosts_reach_is_aborted_and_nobody_resets() -> None:
    room = Room(2)
    room.no_network = {1}
    for host in range(2):
        room.power_on(host, guests=True, enabling=True)
    room.tell(0, Enable(room.clock(0)))
    room.run(FAST.ready_s + 3)
    for host in range(2):
        assert room.said(host, TurnedOff) == [TurnedOff(Why.ABORTED)]
        assert room.machines[host].state.epoch.kind is EpochKind.ABORTED
        assert room.said(host, Reset) == []
    room.run(60)
    assert all(machine.power for machine in room.machines)


def test_candidates_whose_enabler_died_abort_by_themselves() -> None:
    room = Room(3)
    for host in range(1, 3):
        room.power_on(host, guests=True, enabling=True)
    room.run(2 * FAST.ready_s + 5)
    assert room.said(1, TurnedOff) == room.said(2, TurnedOff) == [TurnedOff(Why.ABORTED)]


def test_an_administrator_may_abort_an_enabling() -> None:
    room = Room(2)
    room.power_on(0, guests=True, enabling=True)
    room.tell(0, Enable(room.clock(0)))
    room.run(2)
    room.tell(0, Abort(room.clock(0)))
    room.run(1)
    assert room.said(0, TurnedOff) == [TurnedOff(Why.ABORTED)]


def test_without_the_disk_all_members_promise_and_then_switch_off(pair: Room) -> None:
    pair.no_disk = {0, 1}
    pair.run(5)
    for host in range(2):
        pair.tell(host, StopDeciding(pair.clock(host)))
    pair.tell(0, EmergencyDisable(pair.clock(0)))
    pair.no_disk = set()
    pair.run(FAST.silence_s + 5)
    assert pair.machines[1].guests == {"on-1"}, "who has promised declares nobody"
    pair.tell(1, EmergencyDisable(pair.clock(1)))
    pair.run(60)
    assert [machine.guests for machine in pair.machines] == [{"on-0"}, {"on-1"}]


def test_an_evicted_host_stays_out_when_the_administrator_wanted_it(pair: Room) -> None:
    pair.tell(0, Evict(pair.clock(0), 1))
    pair.run(3)
    assert pair.members() == {0}
    assert pair.said(1, TurnedOff) == [TurnedOff(Why.LEFT)]
    assert pair.machines[0].guests == {"on-0", "on-1"}
    pair.run(30)
    assert pair.members() == {0}


def test_an_evicted_master_hands_over_only_when_its_life_is_over(pair: Room) -> None:
    pair.machines[0].guests_die = False
    pair.tell(1, Evict(pair.clock(1), 0))
    pair.run(2)
    assert pair.members() == {1}
    assert pair.leaders() == []
    pair.run(FAST.silence_s)
    assert pair.leaders() == [1]
    assert pair.machines[1].guests == {"on-0", "on-1"}


def test_a_host_that_boots_faster_than_the_silence_is_proved_dead_by_its_new_life(pair: Room) -> None:
    pair.power_off(0)
    pair.power_on(0)
    pair.run(3)
    assert pair.members() == {0, 1}
    assert pair.machines[0].state.life == 2
    assert pair.leaders() == [1]
    assert pair.machines[1].guests == {"on-0", "on-1"}


def test_a_booted_host_without_disk_says_nothing_and_waits(pair: Room) -> None:
    pair.power_off(0)
    pair.no_disk = {0}
    pair.power_on(0)
    pair.run(30)
    assert pair.phase(0) is Phase.READING
    assert pair.said(0, CloseDevice) == []
    pair.no_disk = set()
    pair.run(5)
    assert pair.members() == {0, 1}


def test_a_candidate_that_loses_the_disk_begins_a_new_life_without_a_reset(pair: Room) -> None:
    pair.power_off(1)
    pair.run(10)
    pair.no_disk = {0}
    pair.power_on(1)
    pair.run(1)
    pair.no_disk = {0, 1}
    pair.run(10)
    assert pair.machines[1].power
    assert pair.phase(1) is Phase.ENDED
    pair.no_disk = set()
    pair.run(5)
    assert pair.members() == {0, 1}
    assert pair.machines[1].state.life == 3
