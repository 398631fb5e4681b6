"""Two hosts with a protected guest each, in a lab of their own: rows of docs/design/ha.md that `make test` leaves out.

Proves, from outside, as the tests of three hosts do: no guest runs twice, no disk is written by two, nothing that a
client was told is done is lost; and what each row says of who is reset, who leads and where the guests run.
"""

import time
from collections.abc import Iterator

import pytest
from tests.lab.ha_room import HaRoom, whole_before_and_after
from tests.lab.pool_faults import Scribe
from tests.lab.pool_room import done, make_pool, pool_lab
from tests.lab.storage_room import MASTER, MEMBER, SR_NAME, make_sr

from cardume.lab.api import session
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

WRITES = 5
PAUSE_S = 0.3
AWAY_S = 60.0
"""Longer than the grace, and than any lease."""
LOOK_ON_S = 60.0
"""Longer than D, a boot and a start together."""
RESTART_S = 300.0


@pytest.fixture(scope="module")
def two() -> Iterator[HaRoom]:
    """A pool of two with a LUN, HA on, and a protected guest on each host."""
    with pool_lab("w", 2, 7) as lab:
        make_pool(lab, MEMBER, MASTER)
        room = HaRoom(lab)
        room.protect({f"guest of {host}": host for host in lab.hosts}, make_sr(lab, SR_NAME))
        yield room


@pytest.fixture
def spread(two: HaRoom) -> HaRoom:
    """The same with a guest on each host, wherever they were started last."""
    two.mend()
    with two.witness() as looking:
        two.wait_whole(looking)
    with session(two.lab.address(two.master())) as api:
        for uuid, host in zip(two.guests, two.lab.hosts, strict=True):
            vm = api.VM.get_by_uuid(uuid)
            (there,) = api.host.get_by_name_label(host)
            if api.VM.get_resident_on(vm) != there:
                api.VM.hard_shutdown(vm)
                api.VM.start_on(vm, there, False, False)
    return two


def test_row_4_without_network_and_uplink_a_member_gives_its_guest_away_and_is_not_reset(spread: HaRoom) -> None:
    lab, master, member = spread.lab, spread.master(), spread.member()
    network = done(lab, master, "network-list", "bridge=xenbr0", "--minimal")
    done(lab, master, "network-param-set", f"uuid={network}", "other-config:ha_uplink=true")
    try:
        with whole_before_and_after(spread) as witness:
            lives = spread.lives()
            (moved,) = [uuid for uuid, guest in witness.guests.items() if guest.running[0].host == member]
            with spread.parted(master, member):
                wait_until("all guests on the master", lambda: witness.all_run_on(master), RESTART_S)
                witness.assert_handed_over(moved, member, master)
                assert spread.lives() == lives
        assert spread.lives() == lives
    finally:
        words = ("param-name=other-config", "param-key=ha_uplink")
        done(lab, spread.master(), "network-param-remove", f"uuid={network}", *words)


def test_row_6_both_lose_the_disk_and_wait_for_it(spread: HaRoom) -> None:
    with whole_before_and_after(spread) as witness:
        lives = spread.lives()
        spread.lab.stop_target()
        time.sleep(AWAY_S)
        assert spread.lives() == lives
    assert all(len(guest.runs) == 1 for guest in witness.guests.values())
    assert spread.lives() == lives


def test_row_7_without_the_disk_the_other_host_is_not_outlived(spread: HaRoom) -> None:
    with whole_before_and_after(spread):
        lives = spread.lives()
        spread.lab.stop_target()
        time.sleep(3)
        spread.lab.power_off(spread.member())
        wait_until("the end of both", lambda: not set(lives.values()) & set(spread.lives().values()), RESTART_S)


def test_row_9_both_lose_all_cables_and_begin_anew(spread: HaRoom) -> None:
    with whole_before_and_after(spread):
        lives = spread.lives()
        for host in spread.lab.hosts:
            spread.lab.unplug(host)
        wait_until("the end of both", lambda: not set(lives.values()) & set(spread.lives().values()), RESTART_S)


@pytest.mark.parametrize("back", ["master", "member"])
def test_row_13_both_lose_their_power_and_one_comes_back(spread: HaRoom, back: str) -> None:
    """Whatever was acknowledged both had, so the one that is back leads with all of it and starts all guests."""
    lab = spread.lab
    with Scribe(lab, f"{back} at {time.time():.0f}", PAUSE_S) as scribe, whole_before_and_after(spread) as witness:
        host, other = spread.master(), spread.member()
        if back == "member":
            host, other = other, host
        scribe.until_acknowledged(WRITES)
        for one in lab.hosts:
            lab.power_off(one)
        lab.power_on(host)
        wait_until(f"all guests on {host}", lambda: witness.all_run_on(host), RESTART_S)
        assert lab.status(other) == "off"
        assert spread.master() == host
        scribe.until_acknowledged(WRITES)
    with session(lab.address(spread.master())) as api:
        scribe.check(api)


def test_row_13_who_was_declared_dead_comes_back_alone_and_starts_nothing(spread: HaRoom) -> None:
    """The other one has gone on without it: what it knows is old."""
    lab = spread.lab
    with Scribe(lab, f"old at {time.time():.0f}", PAUSE_S) as scribe, whole_before_and_after(spread) as witness:
        left, dead = spread.master(), spread.member()
        lab.power_off(dead)
        wait_until(f"all guests on {left}", lambda: witness.all_run_on(left), RESTART_S)
        scribe.until_acknowledged(WRITES)
        lab.power_off(left)
        lab.power_on(dead)
        before = len(scribe.acknowledged)
        time.sleep(LOOK_ON_S)
        assert not any(guest.running for guest in witness.guests.values())
        assert len(scribe.acknowledged) == before
    with session(lab.address(spread.master())) as api:
        scribe.check(api)


def test_row_14_the_survivor_lives_on_when_it_loses_the_disk(spread: HaRoom) -> None:
    with whole_before_and_after(spread) as witness:
        left, dead = spread.master(), spread.member()
        spread.lab.power_off(dead)
        wait_until(f"all guests on {left}", lambda: witness.all_run_on(left), RESTART_S)
        life = spread.lives()[left]
        spread.lab.unplug(left, Network.STORAGE)
        time.sleep(AWAY_S)
        assert spread.lives()[left] == life
        assert witness.all_run_on(left)
