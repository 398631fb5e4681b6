"""Each rule of the core, broken: a story in which the room sees it, and nothing happens when the rule is whole.

The stories use the profile `quick`: lease 5 s, silence 5.1 s, evidence may be 2.1 s old, the watchdog takes 1.2 s.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from unittest.mock import patch

import pytest
from tests.sim.mutations import MUTATIONS, broken

from cardume.ha import admission
from cardume.ha.effects import Arm, CloseDevice
from cardume.ha.events import Event, Evict
from cardume.ha.records import Reason
from cardume.ha.state import BallotStep, Phase, Step
from cardume.sim.guests import Violation
from cardume.sim.machine import Machine
from cardume.sim.schedule import QUICK
from cardume.sim.world import World

Story = Callable[[int], None]


def room(hosts: int, seed: int, *, storage_grace_s: float = QUICK.storage_grace_s) -> World:
    world = World(hosts, replace(QUICK, storage_grace_s=storage_grace_s), seed)
    world.auto_boot = False
    world.enable()
    return world


def tell(world: World, host: int, make: Callable[[float], Event]) -> None:
    machine = world.machines[host]
    world._tell(machine, make(machine.clock(world.time.now_s)))


def cut_networks(world: World, host: int) -> None:
    for network in range(2):
        world.cut_network(host, network)


def isolate(world: World, host: int) -> None:
    """Both channels at once; its core stands still too, so that only the deadline it has given ends it."""
    cut_networks(world, host)
    world.cut_disk(host)
    world.stall(host, "core", 60)


def run_until(world: World, what: Callable[[], bool], limit_s: float = 20) -> None:
    end_s = world.time.now_s + limit_s
    while not what():
        assert world.time.now_s < end_s, "it did not come to that"
        world.run(0.002)


def run_a_guest(world: World, host: int) -> None:
    """Somebody starts a guest there, if the gate is open."""
    machine = world.machines[host]
    if machine.gate is not None:
        world.guests.add("new", host, machine.gate)


def one_member_hears_a_diskless_host_and_another_does_not(seed: int) -> None:
    world = room(3, seed)
    world.cut_disk(0)
    world.cut_link(0, 2)
    world.run(12)


def a_host_loses_both_channels(seed: int) -> None:
    world = room(2, seed)
    cut_networks(world, 1)
    world.cut_disk(1)
    world.run(10)


def a_host_loses_both_channels_and_its_core_stands_still(seed: int) -> None:
    world = room(2, seed)
    isolate(world, 1)
    world.run(10)


class Slow(random.Random):
    """The watchdog fires as late as it may, and takes as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return b if b in (QUICK.watchdog_late_s, QUICK.watchdog_reset_s) else super().uniform(a, b)


def die_slowly(world: World, host: int) -> None:
    """The last feed that may be lands as late as it can: just before the one before it has run out."""
    machine = world.machines[host]

    def between_s() -> float:
        is_last = machine.clock(world.time.now_s) + QUICK.feed_tick_s > machine.deadline_s
        return QUICK.watchdog_s - QUICK.feed_tick_s - 0.01 if is_last else 0.0

    world.chance = Slow(world.chance.random())
    world._between_s = between_s  # type: ignore[method-assign]
    isolate(world, host)


def a_host_that_was_just_heard_dies_as_slowly_as_it_can(seed: int) -> None:
    world = room(2, seed)
    host, other = world.machines[1], world.machines[0]
    world.run(1 + seed * 0.07)
    run_until(world, lambda: abs(other.state.peers[1].number - host.state.evidence_s * 1e6) < 5)
    die_slowly(world, 1)
    world.run(10)


def a_host_reads_long_after_its_write_and_then_dies_slowly(seed: int) -> None:
    world = room(2, seed)
    cut_networks(world, 1)
    world.run(1 + seed * 0.07)
    host = world.machines[1]
    run_until(world, lambda: host.state.cycle.step is Step.WRITING)
    world.stall(1, "disk", 1.4)
    number = host.state.cycle.number
    run_until(world, lambda: host.state.written >= number)
    die_slowly(world, 1)
    world.run(10)


def a_host_reboots_between_proof_and_verdict(seed: int) -> None:
    world = room(2, seed)
    world.power_off(1)
    run_until(world, lambda: world.machines[0].state.attempt.step is BallotStep.WRITE_1)
    world.stall(0, "disk", 2.5)
    world.power_on(1)
    world.machines[1].powered_s -= 100  # so that its numbers are above those of the boot before
    run_until(world, lambda: world.phases()[1] in (Phase.CANDIDATE, Phase.MEMBER))
    world.run(0.1)
    run_a_guest(world, 1)
    world.run(10)


def an_evicted_host_leaves_in_good_order(seed: int) -> None:
    world = room(2, seed)
    tell(world, 0, lambda now_s: Evict(now_s, 1, Reason.UPLINK))
    world.run(8)
    if world.resets:
        raise Violation(f"reset although it could have gone in good order: {world.resets[0]}")


def a_host_that_was_just_admitted_is_cut_off(seed: int) -> None:
    world = room(2, seed)
    world.power_off(1)
    world.run(8)
    world.power_on(1)
    run_until(world, lambda: world.machines[1].gate is not None)
    run_a_guest(world, 1)
    die_slowly(world, 1)
    world.run(12)


def an_outsider_sees_only_silence_while_the_members_live_by_echoes(seed: int) -> None:
    world = room(3, seed, storage_grace_s=60)
    world.power_off(2)
    world.run(8)
    world.cut_disk(0)
    world.cut_disk(1)
    cut_networks(world, 2)
    world.power_on(2)
    world.run(15)


def an_evicted_host_has_the_disk_only(seed: int) -> None:
    world = room(2, seed)
    cut_networks(world, 1)
    tell(world, 0, lambda now_s: Evict(now_s, 1, Reason.UPLINK))
    world.run(10)


def a_joiner_has_not_heard_a_diskless_member_for_long(seed: int) -> None:
    may_join = False

    def policy(*_: object) -> bool:
        return may_join

    with patch.object(admission, "are_all_reachable", policy):
        world = room(3, seed, storage_grace_s=60)
        world.power_off(2)
        world.run(8)
        world.cut_disk(0)
        world.cut_link(0, 2)
        world.power_on(2)
        world.run(QUICK.silence_s + 2)
        may_join = True
        world.run(12)


def a_host_loses_its_disk_path(seed: int) -> None:
    world = room(2, seed)
    world.cut_disk(1)
    world.run(7)


def a_host_is_evicted(seed: int) -> None:
    world = room(2, seed)
    tell(world, 0, lambda now_s: Evict(now_s, 1, Reason.UPLINK))
    world.run(8)


def a_decision_is_not_published_yet_when_another_host_proposes(seed: int) -> None:
    world = room(3, seed)
    cut_networks(world, 0)
    world.run(1)
    tell(world, 0, lambda now_s: Evict(now_s, 2, Reason.UPLINK))
    run_until(world, lambda: world.machines[0].state.attempt.step is BallotStep.READ_2)
    world.stall(0, "disk", 1.5)
    run_until(world, lambda: world.machines[0].state.epoch.number == 2)
    tell(world, 1, lambda now_s: Evict(now_s, 0, Reason.UPLINK))
    world.run(6)


def a_ballot_stands_still_while_another_one_goes_through(seed: int) -> None:
    world = room(3, seed)
    cut_networks(world, 0)
    world.run(1)
    tell(world, 0, lambda now_s: Evict(now_s, 2, Reason.UPLINK))
    run_until(world, lambda: world.machines[0].state.attempt.step is BallotStep.READ_1)
    world.stall(0, "disk", 1.4)
    tell(world, 1, lambda now_s: Evict(now_s, 0, Reason.UPLINK))
    world.run(6)


def a_watchdog_cannot_be_armed(seed: int) -> None:
    world = room(2, seed)
    world.power_off(1)
    world.run(8)
    device = world._device

    def broken_device(machine: Machine, effect: Arm | CloseDevice) -> None:
        if machine.config.me == 0:
            device(machine, effect)

    world._device = broken_device  # type: ignore[method-assign]
    world.power_on(1)
    run_until(world, lambda: world.members() == {0, 1})
    world.run(0.5)
    run_a_guest(world, 1)
    isolate(world, 1)
    world.run(10)


def the_master_is_evicted_and_does_not_read_it_at_once(seed: int) -> None:
    world = room(2, seed)
    cut_networks(world, 0)
    world.run(1)
    tell(world, 1, lambda now_s: Evict(now_s, 0, Reason.UPLINK))
    world.stall(0, "disk", 1.5)
    world.run(8)


STORIES: dict[str, Story] = {
    "R4 e1: stamped when the cycle ends": a_host_reads_long_after_its_write_and_then_dies_slowly,
    "R4 e2: the echo of one member is enough": one_member_hears_a_diskless_host_and_another_does_not,
    "R4 e3: who hears nobody is alone": a_host_loses_both_channels,
    "R5: fed up to the end of the lease": a_host_loses_both_channels_and_its_core_stands_still,
    "R5: one watchdog time is held back, not two": a_host_that_was_just_heard_dies_as_slowly_as_it_can,
    "R6: a boot goes on with the life before": a_host_reboots_between_proof_and_verdict,
    "R7: who was left out goes on": an_evicted_host_leaves_in_good_order,
    "R8: the lease of a candidate begins later": a_host_that_was_just_admitted_is_cut_off,
    "R9: outsiders decide": an_outsider_sees_only_silence_while_the_members_live_by_echoes,
    "R10: slots are read without their epochs": an_evicted_host_has_the_disk_only,
    "R11: clocks of a joiner run since before": a_joiner_has_not_heard_a_diskless_member_for_long,
    "R12: declared after half the silence": a_host_loses_both_channels,
    "R12: declared by the disk alone": a_host_loses_its_disk_path,
    "R12: declared a little early": a_host_that_was_just_heard_dies_as_slowly_as_it_can,
    "R12: an evicted life is over at once": a_host_is_evicted,
    "R13: ended is said before the guests are gone": a_host_is_evicted,
    "R14: accepted values are not taken over": a_decision_is_not_published_yet_when_another_host_proposes,
    "R14: others' promises are not looked at": a_decision_is_not_published_yet_when_another_host_proposes,
    "R14: chosen without the second read": a_ballot_stands_still_while_another_one_goes_through,
    "R15: the gate opens before the device is armed": a_watchdog_cannot_be_armed,
    "V5: a master acts before the last one is over": the_master_is_evicted_and_does_not_read_it_at_once,
}
SEEDS = range(12)


def violations(story: Story, seeds: Iterable[int]) -> list[str]:
    found = []
    for seed in seeds:
        try:
            story(seed)
        except Violation as violation:
            found.append(f"{seed}: {violation}")
    return found


def is_seen(story: Story) -> bool:
    return any(violations(story, [seed]) for seed in SEEDS)


@pytest.mark.parametrize("name", STORIES)
def test_the_room_sees_a_broken_rule(name: str) -> None:
    with broken(name):
        assert is_seen(STORIES[name])


@pytest.mark.parametrize("story", dict.fromkeys(STORIES.values()), ids=lambda story: story.__name__)
def test_nothing_happens_when_the_rule_is_whole(story: Story) -> None:
    assert violations(story, SEEDS) == []


def test_each_rule_that_can_be_broken_has_its_story() -> None:
    assert STORIES.keys() == MUTATIONS.keys()
