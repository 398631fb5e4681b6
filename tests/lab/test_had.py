"""Needs a lab of two hosts. Proves what the HA daemons do alone, without a pool: who is killed, cut off or stalled.

The profile is `lab`: a life is over 20.5 s after its last sign.
"""

import time
from collections.abc import Iterator

import pytest
from tests.lab.had_room import HOSTS, UUIDS, HadRoom

from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

LEASE_S = 20.5
PATIENCE_S = 120.0
"""Of who waits for what has no term of its own: on a busy machine programs start slowly."""
G1_S = 2.0
"""A watchdog of the lab that fires later than this says nothing about who was first."""
SLOW_S = 6.0
"""A cycle and a heartbeat, on a busy machine: the last sign of a host before a cut may be as old."""
FIRST, SECOND = HOSTS
SANE, LATE, WRITTEN = 16 << 20, 32 << 20, 64 * 4096


@pytest.fixture
def room(lab: LabHandle) -> Iterator[HadRoom]:
    made = HadRoom(lab)
    made.forget()
    yield made
    made.forget()


def killed(lab: LabHandle, name: str) -> bool:
    """Whether a process of that name was there to be killed: one is started again in a moment."""
    return lab.exec(SECOND, "sh", "-c", f"pkill -9 -x {name} && echo yes || true").strip() == "yes"


def make_members(room: HadRoom) -> None:
    room.prepare()
    for host in HOSTS:
        room.ask(host, "start", enabling=True)
    for host in HOSTS:
        room.wait("a candidate", host, PATIENCE_S, phase="candidate", armed=True)
    room.ask(FIRST, "enable")
    for host in HOSTS:
        room.wait("a member", host, PATIENCE_S, phase="member", members=list(UUIDS), life=1, epoch=1)
    room.wait("the lead", FIRST, PATIENCE_S, leading=1)


def test_a_host_that_is_left_out_takes_back_what_its_guests_wrote_and_the_target_has_not(room: HadRoom) -> None:
    """Without that the kernel would send it when the cable is back: long after the guests run elsewhere."""
    lab = room.lab
    make_members(room)
    room.start_guest(SECOND)
    room.write_as_guest(SECOND, SANE)
    wait_until("the guest's first writes", lambda: room.written(FIRST, SANE) == WRITTEN, timeout_s=PATIENCE_S)
    lab.unplug(SECOND, Network.STORAGE)
    room.write_as_guest(SECOND, LATE)
    room.ask(FIRST, "evict", host=UUIDS[1])
    room.wait("the other's word", FIRST, LEASE_S - 5, members=[UUIDS[0]], ended_lives={UUIDS[1]: 1})
    lab.plug(SECOND)
    # It has read the statefile since: its target is reached.
    room.wait("that it is out", SECOND, PATIENCE_S, off="left", guests=0)
    time.sleep(5)  # a retransmission of that kernel's would be due
    assert room.written(FIRST, LATE) == 0


def test_the_ha_daemons_hold_two_hosts(room: HadRoom) -> None:
    lab = room.lab
    make_members(room)

    # Processes that are killed come back, and nobody is declared dead for it: the same life, the same epoch.
    for name in ("had-core", "had-disk", "had-network", "had-feeder", "cardume-had"):
        wait_until(f"the end of {name}", lambda name=name: killed(lab, name), timeout_s=PATIENCE_S)  # type: ignore[misc]
        room.wait(f"a member after the end of {name}", SECOND, PATIENCE_S, phase="member", armed=True, life=1)
    lab.exec(SECOND, "systemctl", "restart", "cardumed", "libvirtd")
    # One cable alone, one channel alone: nothing either.
    for network in Network:
        lab.unplug(SECOND, network)
        time.sleep(7)
        lab.plug(SECOND, network)
    for host in HOSTS:
        room.wait("still a member", host, PATIENCE_S, phase="member", armed=True, life=1, epoch=1)

    # A feeder that stands still: the host ends itself before its watchdog would, and tells why after its boot.
    before = room.find(SECOND)["boot_id"]
    lab.stall(SECOND, "had-feeder")
    back = room.wait("a member again", SECOND, PATIENCE_S, phase="member", life=2)
    assert back["boot_id"] != before
    assert "the feeder stands still" in back["fenced"]["reason"]

    # The master loses its power: the other one waits a whole lease, not less, and leads.
    cut = lab.power_off(FIRST)
    room.wait("the lead", SECOND, PATIENCE_S, master=UUIDS[1], members=[UUIDS[1]])
    waited_s = time.time() - cut
    assert waited_s > LEASE_S - SLOW_S
    status = room.wait("the lead", SECOND, PATIENCE_S, phase="member", armed=True)
    assert status["leading"] == status["epoch"]
    assert status["ended_lives"][UUIDS[0]] == 1
    lab.power_on(FIRST)
    room.wait("admitted", FIRST, PATIENCE_S, phase="member", life=2, master=UUIDS[1])

    # Cut off from everything it ends itself, before the other one says so.
    lab.unplug(SECOND)
    room.wait("the lead", FIRST, PATIENCE_S, members=[UUIDS[0]], master=UUIDS[0])
    declared = time.time()
    late_s = lab.watchdog(SECOND).fired_late_s or 0.0
    lab.plug(SECOND)
    back = room.wait("admitted", SECOND, PATIENCE_S, phase="member", members=list(UUIDS))
    assert "evidence" in back["fenced"]["reason"]
    ended = time.mktime(time.strptime(back["fenced"]["at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert ended < declared or late_s > G1_S, f"it ended later, and its watchdog {late_s:.1f} s late"

    room.ask(FIRST, "disable")
    for host in HOSTS:
        room.wait("off", host, PATIENCE_S, phase="off", off="disabled", armed=False)
