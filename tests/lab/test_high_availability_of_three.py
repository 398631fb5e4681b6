"""Three hosts with a protected guest each, in a lab of their own: rows of docs/design/ha.md, then faults from seeds.

Proves, from outside: no guest runs twice and none answers for another, no disk is written by two, nothing that a client
was told is done is lost, no host is reset by a fault that one channel survives; after each fault all is whole again.
A seed is a fault; `CARDUME_HA_SEEDS=100:40` plays forty from the hundredth on.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.lab.ha_faults import Faults
from tests.lab.ha_room import HaRoom, whole_before_and_after
from tests.lab.pool_faults import Scribe
from tests.lab.pool_room import join_all, pool_lab
from tests.lab.storage_room import SR_NAME, make_sr

from cardume.lab.api import session
from cardume.lab.errors import LabError
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(12 * 3600)]

FIRST, COUNT = (int(one) for one in os.environ.get("CARDUME_HA_SEEDS", "0:120").split(":"))
WRITES = 5
PAUSE_S = 0.3
GRACE_S = 30.0
AWAY_S = 60.0
"""Longer than the grace, and than any lease."""
RESTART_S = 300.0
LOOK_ON_S = 20.0
SETTLE_S = 20.0
"""What was under way when the networks were cut has ended, one way or the other."""


@pytest.fixture(scope="module")
def three() -> Iterator[HaRoom]:
    """A pool of three with a LUN, HA on, and a protected guest on each host."""
    with pool_lab("h", 3, 5) as lab:
        join_all(lab)
        room = HaRoom(lab)
        room.protect({f"guest of {host}": host for host in lab.hosts}, make_sr(lab, SR_NAME), failures=2)
        yield room


def split(room: HaRoom) -> tuple[str, str, str]:
    """The master and the two others."""
    master = room.master()
    first, second = (host for host in room.lab.hosts if host != master)
    return master, first, second


def stalled(room: HaRoom, host: str, program: str) -> bool:
    """Make a program stand still; False when there is none to be seen now."""
    with suppress(LabError):
        room.lab.stall(host, program)
        return True
    return False


# Rows


def test_two_of_three_hosts_die_one_after_the_other_and_the_third_runs_all_guests(three: HaRoom) -> None:
    for with_master in (False, True):
        with whole_before_and_after(three) as witness:
            master, first, second = split(three)
            dead, left = ((master, first), second) if with_master else ((first, second), master)
            three.lab.power_off(dead[0])
            three.wait_pair(*(host for host in three.lab.hosts if host != dead[0]))
            three.lab.power_off(dead[1])
            wait_until(f"all guests on {left}", lambda witness=witness, left=left: witness.all_run_on(left), RESTART_S)  # type: ignore[misc]
            assert three.master() == left


def test_two_of_three_hosts_die_at_once_and_the_third_waits_for_one_that_may_know_more(three: HaRoom) -> None:
    """What the other two had acknowledged to a client it may lack, so it leads, and starts nothing by itself."""
    with whole_before_and_after(three) as witness:
        master, back, left = split(three)
        own = [guest for guest in witness.guests.values() if guest.running[0].host == left]
        for host in (master, back):
            three.lab.power_off(host)
        wait_until(f"{left} leads alone", lambda: three.leads_alone(left), RESTART_S)
        time.sleep(LOOK_ON_S)
        assert all(run.host == left for guest in witness.guests.values() for run in guest.running)
        assert all(len(guest.runs) == 1 and guest.running for guest in own)
        three.lab.power_on(back)
        wait_until("all guests on the two", lambda: witness.all_run_on(left, back), RESTART_S)


def test_daemons_that_die_or_hang_reset_nobody(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        lives = three.lives()
        for host in three.lab.hosts:
            for unit in ("cardumed", "libvirtd", "cardume-etcd"):
                three.lab.exec(host, "systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", unit)
        for host in three.lab.hosts:
            wait_until(f"libvirtd of {host} again", lambda host=host: stalled(three, host, "libvirtd"), RESTART_S)  # type: ignore[misc]
        time.sleep(AWAY_S)
        for host in three.lab.hosts:
            three.lab.resume(host, "libvirtd")
        three.wait_whole(witness)
        assert three.lives() == lives
    assert all(len(guest.runs) == 1 for guest in witness.guests.values())


def test_a_host_without_the_disk_is_left_out_and_the_others_run_its_guest(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        master, host, other = split(three)
        three.lab.unplug(host, Network.STORAGE)
        wait_until("its guests elsewhere", lambda: witness.all_run_on(master, other), RESTART_S)


def test_all_management_cables_are_cut_and_nobody_is_reset(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        lives = three.lives()
        for host in three.lab.hosts:
            three.lab.unplug(host, Network.MANAGEMENT)
        time.sleep(AWAY_S)
        assert three.lives() == lives
    assert all(len(guest.runs) == 1 for guest in witness.guests.values())
    assert three.lives() == lives


def test_nobody_hears_anybody_and_all_reach_the_disk(three: HaRoom) -> None:
    """The pool database cannot be written meanwhile, though clients reach the master: no two of its voters do."""
    with Scribe(three.lab, f"parted at {time.time():.0f}", PAUSE_S) as scribe, whole_before_and_after(three) as witness:
        scribe.until_acknowledged(WRITES)
        lives = three.lives()
        with three.parted(*split(three)):
            time.sleep(SETTLE_S)
            before = len(scribe.acknowledged)
            time.sleep(AWAY_S)
            assert len(scribe.acknowledged) == before
            assert three.lives() == lives
            assert all(len(guest.running) == 1 for guest in witness.guests.values())
        scribe.until_acknowledged(WRITES)
    assert all(len(guest.runs) == 1 for guest in witness.guests.values())
    assert three.lives() == lives
    with session(three.lab.address(three.master())) as api:
        scribe.check(api)


def test_a_master_dies_when_its_member_has_stepped_aside_and_nobody_leads_without_it(three: HaRoom) -> None:
    """What it has acknowledged since then is on its disk alone."""
    with Scribe(three.lab, f"aside at {time.time():.0f}", PAUSE_S) as scribe, whole_before_and_after(three) as witness:
        master, dead, left = split(three)
        three.lab.power_off(dead)
        three.wait_pair(master, left)
        with three.parted(master, left):
            wait_until(f"{master} goes on alone", lambda: three.voters(master) == 1, RESTART_S)
            scribe.until_acknowledged(WRITES)
            three.lab.power_off(master)
        wait_until(f"{left} leads alone", lambda: three.leads_alone(left), RESTART_S)
        time.sleep(LOOK_ON_S)
        assert all(run.host == left for guest in witness.guests.values() for run in guest.running)
        before = len(scribe.acknowledged)
        time.sleep(LOOK_ON_S)
        assert len(scribe.acknowledged) == before
    with session(three.lab.address(three.master())) as api:
        scribe.check(api)


def test_all_lose_the_disk_and_wait_for_it(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        lives = three.lives()
        three.lab.stop_target()
        time.sleep(AWAY_S)
        assert three.lives() == lives
    assert all(len(guest.runs) == 1 for guest in witness.guests.values())
    assert three.lives() == lives


def test_all_lose_the_disk_and_one_its_power_and_all_begin_anew(three: HaRoom) -> None:
    with whole_before_and_after(three):
        lives = three.lives()
        three.lab.stop_target()
        time.sleep(3)
        three.lab.power_off(three.member())
        wait_until("the end of all", lambda: not set(lives.values()) & set(three.lives().values()), RESTART_S)


def test_a_host_dies_and_another_loses_the_disk_at_once(three: HaRoom) -> None:
    """Who has no disk lives by what all the others say, so it ends too, and the last one has no majority of voters."""
    with whole_before_and_after(three) as witness:
        master, dead, blind = split(three)
        lives = three.lives()
        three.lab.power_off(dead)
        three.lab.unplug(blind, Network.STORAGE)
        wait_until(f"{master} leads alone", lambda: three.leads_alone(master), RESTART_S)
        now = three.lives()
        assert now[master] == lives[master]
        assert now[blind] != lives[blind]
        assert all(run.host == master for guest in witness.guests.values() for run in guest.running)
        three.lab.plug(blind, Network.STORAGE)
        three.power_on_what_is_off(blind)
        wait_until("all guests on the two", lambda: witness.all_run_on(master, blind), RESTART_S)


def test_all_lose_all_cables_and_begin_anew(three: HaRoom) -> None:
    with whole_before_and_after(three):
        lives = three.lives()
        for host in three.lab.hosts:
            three.lab.unplug(host)
        wait_until("the end of all", lambda: not set(lives.values()) & set(three.lives().values()), RESTART_S)


def test_all_lose_their_power_and_come_back(three: HaRoom) -> None:
    with whole_before_and_after(three):
        for host in three.lab.hosts:
            three.lab.power_off(host)


def test_all_lose_their_power_and_two_come_back(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        master, first, second = split(three)
        for host in three.lab.hosts:
            three.lab.power_off(host)
        for host in (first, second):
            three.lab.power_on(host)
        wait_until("all guests on the two", lambda: witness.all_run_on(first, second), RESTART_S)
        assert three.lab.status(master) == "off"


def test_the_last_host_lives_on_when_it_loses_the_disk(three: HaRoom) -> None:
    with whole_before_and_after(three) as witness:
        master, first, second = split(three)
        three.lab.power_off(first)
        three.wait_pair(master, second)
        three.lab.power_off(second)
        wait_until("all guests on the master", lambda: witness.all_run_on(master), RESTART_S)
        life = three.lives()[master]
        three.lab.unplug(master, Network.STORAGE)
        time.sleep(AWAY_S)
        assert three.lives()[master] == life
        assert witness.all_run_on(master)


# Faults from seeds


def play(room: HaRoom, seed: int) -> None:
    """One fault, and everything that must be true while it lasts and after it."""
    print(f"seed {seed}:", flush=True)
    with Scribe(room.lab, f"seed {seed} at {time.time():.0f}", PAUSE_S) as scribe:
        with whole_before_and_after(room) as witness:
            scribe.until_acknowledged(WRITES)
            lives = room.lives()
            fault = Faults(room, random.Random(seed)).draw()()
            mended = time.monotonic()
        took_s = time.monotonic() - mended
        ended = {host for host, life in room.lives().items() if life != lives[host]}
        scribe.until_acknowledged(WRITES)
    with session(room.lab.address(room.master())) as api:
        scribe.check(api)
        for appliance in api.VM_appliance.get_all():
            api.VM_appliance.destroy(appliance)
    assert ended <= fault.may_end, f"{fault.words}: {ended - fault.may_end} was reset for it"
    runs = sum(len(guest.runs) for guest in witness.guests.values())
    away_s = max(guest.longest_away_s for guest in witness.guests.values())
    print(
        f"  whole after {took_s:.0f} s; ended: {sorted(ended) or 'none'}; {runs} processes for {len(witness.guests)} "
        f"guests, none away for longer than {away_s:.1f} s; {len(scribe.acknowledged)} acknowledged, the slowest in "
        f"{scribe.slowest_s:.1f} s, {len(scribe.refused)} refused, {len(scribe.unknown)} unknown",
        flush=True,
    )


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_whatever_befalls_three_hosts_no_guest_runs_twice_and_nothing_is_lost(three: HaRoom, seed: int) -> None:
    play(three, seed)
