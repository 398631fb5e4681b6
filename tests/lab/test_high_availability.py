"""Needs a pool of two with a LUN, of its own. Sections 5 and 6 of the course, through `xe`, in the profile `lab`.

Proves what the table of docs/design/ha.md says of two hosts. A host that dies, then the master: the protected VM starts
on the other with what it had on its disk, and the lost host comes back by itself. One cable cut alone resets nobody;
without the disk a host is left out after the grace. Cut off from everything, a host has ended its guest before the
other starts it. A host that is restarted by an administrator is missed by nobody.
"""

import calendar
import time
from collections.abc import Iterator

import pytest
from tests.lab.guest_page import Page, fetch, fetch_other_boot
from tests.lab.ha_room import HaRoom
from tests.lab.ha_witness import Run, Witness, now_s
from tests.lab.pool_room import done, make_pool, pool_lab
from tests.lab.storage_room import MASTER, MEMBER, SR_NAME, make_sr

from cardume.lab.api import session, wait_for_api
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

pytestmark = pytest.mark.timeout(1800)  # a busy machine boots guests and hosts slowly, and each test does it twice

NAME = "protected"
D_S = 20.5
"""In the profile `lab` nobody is declared dead sooner."""
GRACE_S = 30.0
"""So long a member of the profile `lab` may live without the disk."""
SLOW_S = 6.0
"""A busy machine: the last read of the statefile before a cut may be as old."""
RESTART_S = 240.0
BACK_S = 240.0
G1_S = 2.0
"""A watchdog of the lab that fires later than this makes a run void."""


@pytest.fixture(scope="module")
def room() -> Iterator[HaRoom]:
    with pool_lab("h", 2, 5) as lab:
        make_pool(lab, MEMBER, MASTER)
        with session(lab.address(MASTER)) as api:
            for vm in api.VM.get_by_name_label(f"vm-{MASTER}"):  # it cannot leave its host
                api.VM.hard_shutdown(vm)
        made = HaRoom(lab)
        made.protect({NAME: MEMBER}, make_sr(lab, SR_NAME))
        yield made


@pytest.fixture
def witness(room: HaRoom) -> Iterator[Witness]:
    """Looks on while a test lasts, which begins with everything whole."""
    with room.witness() as looking:
        room.mend()
        room.wait_whole(looking)
        yield looking
    looking.check()


def test_a_protected_vm_outlives_its_host_and_the_pool_its_master(room: HaRoom, witness: Witness) -> None:
    lab, uuid = room.lab, room.guest
    room.move(MEMBER)
    before = fetch(room.guests[uuid])

    cut_s = now_s()
    lab.power_off(MEMBER)
    begun = wait_begun(witness, room.guest, MASTER)
    assert begun.began_s - cut_s > D_S - SLOW_S, "it was started before its host was proved dead"
    page = after_failover(room, before)
    assert "HA_HOST_FAILED" in room.alerts()
    lab.power_on(MEMBER)
    room.wait_whole(witness)
    assert [run.host for run in witness.guests[uuid].running] == [MASTER]

    lab.power_off(MASTER)
    wait_begun(witness, room.guest, MEMBER)
    wait_for_api(lab.address(MEMBER), RESTART_S)
    after_failover(room, page)
    assert {"POOL_MASTER_TRANSITION", "HA_HOST_FAILED"} <= set(room.alerts())
    assert done(lab, MEMBER, "vm-param-get", f"uuid={uuid}", "param-name=power-state") == "running"
    lab.power_on(MASTER)
    room.wait_whole(witness)


def test_one_cable_alone_resets_nobody_and_a_host_without_the_disk_is_left_out_after_the_grace(
    room: HaRoom, witness: Witness
) -> None:
    lab, guest = room.lab, witness.guests[room.guest]
    host, other = room.member(), room.master()
    room.move(host)
    room.wait_whole(witness)
    lives, member, boots = room.lives(), room.had(host)["life"], len(guest.boots)

    lab.unplug(host, Network.MANAGEMENT)
    time.sleep(D_S + 4)
    assert room.lives() == lives
    assert [run.host for run in guest.running] == [host]
    lab.plug(host, Network.MANAGEMENT)
    room.wait_whole(witness)

    cut_s = now_s()
    lab.unplug(host, Network.STORAGE)
    wait_begun(witness, room.guest, other)
    ended, _ = witness.assert_handed_over(room.guest, host, other)
    assert ended.seen_s - cut_s > GRACE_S - SLOW_S, "it was left out before the grace was over"
    lab.plug(host, Network.STORAGE)
    room.wait_whole(witness)
    assert room.had(host)["life"] > member, "it is a member again, and not as the one that was left out"
    assert len(guest.boots) == boots + 1


def test_a_host_that_is_cut_off_has_ended_its_guest_before_the_other_starts_it(room: HaRoom, witness: Witness) -> None:
    lab, host, other = room.lab, room.member(), room.master()
    room.move(host)
    before = fetch(room.guests[room.guest])

    lab.unplug(host)
    wait_begun(witness, room.guest, other)
    began = time.time()
    report = lab.watchdog(host)
    if report.fired_late_s is not None and report.fired_late_s > G1_S:
        pytest.skip(f"this run says nothing: the lab's watchdog fired {report.fired_late_s:.1f} s late")
    ended, begun = witness.assert_handed_over(room.guest, host, other)
    after_failover(room, before)
    lab.plug(host)
    room.wait_whole(witness)
    told = room.had(host)["fenced"]
    assert "evidence" in told["reason"]
    assert calendar.timegm(time.strptime(told["at"], "%Y-%m-%dT%H:%M:%SZ")) < began
    print(f"its process was gone {begun.began_s - ended.seen_s:.1f} s before the next began")


def test_hosts_that_are_restarted_by_an_administrator_are_missed_by_nobody(room: HaRoom, witness: Witness) -> None:
    lab, guest = room.lab, witness.guests[room.guest]
    failed = room.alerts().count("HA_HOST_FAILED")
    room.tolerate(0)  # with two hosts nothing is left to lose while one restarts
    member, master = room.member(), room.master()
    for host in (member, master):
        life = room.lives()[host]
        uuid = done(lab, room.master(), "host-list", f"name-label={host}", "--minimal")
        for step in ("host-disable", "host-evacuate", "host-reboot"):
            done(lab, room.master(), step, f"uuid={uuid}")
        wait_until(f"{host} restarts", lambda host=host, life=life: room.lives()[host] not in (life, None), BACK_S)  # type: ignore[misc]
        room.wait_whole(witness)
    assert room.master() == member, "the master's role went to the other host"
    room.tolerate(1)
    room.wait_whole(witness)
    assert room.alerts().count("HA_HOST_FAILED") == failed
    assert len(guest.boots) == 1

    done(lab, member, "pool-ha-disable")
    assert done(lab, member, "pool-list", "params=ha-enabled", "--minimal") == "false"
    assert len(guest.running) == 1, "it goes on without high availability"


def wait_begun(witness: Witness, uuid: str, host: str) -> Run:
    """The process of a guest on a host, as soon as there is one."""
    guest = witness.guests[uuid]
    wait_until(f"the VM on {host}", lambda: host in [run.host for run in guest.running], RESTART_S)
    return guest.runs[-1]


def after_failover(room: HaRoom, before: Page) -> Page:
    """The guest's page after it was started anew: another boot, and its disk as it left it."""
    page = fetch_other_boot(room.guests[room.guest], before["boot_id"], RESTART_S)
    assert page["disk_ticks"] >= before["disk_ticks"]
    assert page["errors"] == 0
    return page
