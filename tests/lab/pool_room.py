"""A lab of its own for a pool: made beside the usual one, whose hosts stay alone; and what its tests do by hand."""

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import XenAPI
from tests.lab.conftest import NAME, SUBNET
from tests.lab.test_xe import run_xe

from cardume.lab import room, starting_point
from cardume.lab.api import PASSWORD, USER, MemberOfPool, leave_nothing_in_the_way, session
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.programs import wait_until


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
    except (OSError, XenAPI.Failure, MemberOfPool):
        return None


def wait_live(lab: LabHandle, master: str, host: str, live: bool = True, timeout_s: float = 90) -> None:
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
    except (OSError, XenAPI.Failure):
        return ""


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
