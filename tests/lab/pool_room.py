"""A lab of its own for a pool: made beside the usual one, whose hosts stay alone; and what its tests do by hand."""

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import XenAPI
from tests.lab.conftest import NAME, SUBNET
from tests.lab.test_xe import run_xe

from cardume.lab import room, starting_point
from cardume.lab.api import PASSWORD, UNREACHABLE, USER, MemberOfPool, leave_nothing_in_the_way, session
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.programs import wait_until

PATIENCE_S = 240.0
"""Of who waits for a host: on a busy machine it boots slowly."""
GONE = (MemberOfPool, XenAPI.Failure, *UNREACHABLE)
"""What a host answers, or does not, that is away, just coming back or no longer the master."""


@contextmanager
def pool_lab(letter: str, hosts: int, place: int, *, more_targets: bool = False) -> Iterator[LabHandle]:
    """The course's starting point with so many hosts; `place`: which of the subnets after that of the usual lab."""
    usual = ipaddress.IPv4Network(SUBNET)
    start = int(usual.network_address) + place * usual.num_addresses
    name = f"{NAME}-{letter}"
    try:
        room.down(name, quiet)
        plan = room.plan_up(
            name, str(ipaddress.IPv4Network((start, usual.prefixlen))), hosts, more_targets=more_targets
        )
        room.up(plan, quiet, starting_point.reach)
        yield LabHandle(plan)
    finally:
        room.down(name, quiet)


def done(lab: LabHandle, host: str, *words: str) -> str:
    """What `xe` prints against a host; it must not fail."""
    ended = run_xe(lab, *words, host=host)
    assert ended.returncode == 0, f"xe {' '.join(words)}: {ended.stderr}"
    return ended.stdout.strip()


def join(
    lab: LabHandle, member: str, master: str, password: str = PASSWORD, address: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`xe pool-join` on a host."""
    where = f"master-address={address or lab.address(master)}"
    who = (f"master-username={USER}", f"master-password={password}")
    return run_xe(lab, "pool-join", where, *who, host=member)


def make_pool(lab: LabHandle, member: str, master: str) -> None:
    """Let a host at its starting point join another, with its VM shut down and without its shared SR."""
    with session(lab.address(member)) as api:
        leave_nothing_in_the_way(api)
    joined = join(lab, member, master)
    assert joined.returncode == 0, joined.stderr
    wait_live(lab, master, member)


def is_live(lab: LabHandle, master: str, host: str) -> bool | None:
    """Whether the master can work with a host; None when the master does not answer."""
    try:
        with session(lab.address(master), timeout_s=10) as api:
            (found,) = api.host.get_by_name_label(host)
            return bool(api.host_metrics.get_live(api.host.get_metrics(found)))
    except GONE:
        return None


def wait_live(lab: LabHandle, master: str, host: str, live: bool = True, timeout_s: float = PATIENCE_S) -> None:
    wait_until(
        f"{host} {'live' if live else 'lost'}", lambda: is_live(lab, master, host) is live, timeout_s, every_s=0.3
    )


def standing(lab: LabHandle, host: str) -> str:
    """What a host says it is: `alone`, `master`, `member`; empty while it does not answer."""
    try:
        with session(lab.address(host), timeout_s=10) as api:
            return "alone" if len(api.host.get_all()) == 1 else "master"
    except MemberOfPool:
        return "member"
    except (XenAPI.Failure, *UNREACHABLE):
        return ""


def wait_standing(lab: LabHandle, host: str, *what: str) -> None:
    """Return when a host is one of these by its own word."""
    wait_until(f"{host} {' or '.join(what)}", lambda: standing(lab, host) in what, PATIENCE_S, every_s=0.3)


def hand_over(lab: LabHandle, master: str, heir: str) -> None:
    """Make another host the master; waits for one that is just coming back, which is refused with nothing changed."""

    def is_taken() -> bool:
        try:
            with session(lab.address(master)) as api:
                (found,) = api.host.get_by_name_label(heir)
                api.pool.designate_new_master(found)
        except XenAPI.Failure as failure:
            if failure.details[0] not in ("HOST_OFFLINE", "HOST_NOT_LIVE"):
                raise
            return False
        return True

    wait_until(f"{master} hands over", is_taken, PATIENCE_S, every_s=1.0)
    wait_standing(lab, heir, "master")
    wait_live(lab, heir, master)


def join_all(lab: LabHandle) -> None:
    """Make one pool of all hosts of a lab; the first is the master."""
    master, *members = lab.hosts
    for member in members:
        with session(lab.address(member)) as api:
            leave_nothing_in_the_way(api)
        joined = join(lab, member, master)
        assert joined.returncode == 0, joined.stderr
    for member in members:
        wait_live(lab, master, member)
