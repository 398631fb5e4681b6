"""Rows from a pool of three: joining, writing and hearing of it on SQLite and on etcd, and what a master holds."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import NAME, SUBNET
from bench.table import Row, seconds
from cardume.lab import room, starting_point
from cardume.lab.api import PASSWORD, USER, MemberOfPool, leave_nothing_in_the_way, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.programs import wait_until

MASTER = "d1-g1"
WRITES = 200


def rows() -> Iterator[Row]:
    """Bring a lab of three up, measure before and after the joins, and remove it."""
    room.down(NAME, quiet)
    plan = room.plan_up(NAME, SUBNET, 3)
    try:
        room.up(plan, quiet, starting_point.reach)
        lab = LabHandle(plan)
        file_writes, file_events = _writes_and_events(lab)
        joins = [_join(lab, member) for member in lab.hosts if member != MASTER]
        wait_until("three voters", lambda: _have_three_voters(lab), 60, every_s=0.5)
        etcd_writes, etcd_events = _writes_and_events(lab)
        yield Row("pool.join, to the answer", seconds(joins))
        yield Row("a write by the API, etcd with three voters", seconds(etcd_writes), seconds(file_writes) + " SQLite")
        yield Row("change to event, the same", seconds(etcd_events), seconds(file_events) + " SQLite")
        yield Row("cardumed resident, master of three", f"{_resident(lab, MASTER, 'cardumed'):.0f} MiB", "", "300 MiB")
        yield Row("cardumed resident, member", f"{_resident(lab, lab.hosts[1], 'cardumed'):.0f} MiB", "", "100 MiB")
        yield Row("etcd resident, voter", f"{_resident(lab, MASTER, 'cardume-etcd'):.0f} MiB")
    finally:
        room.down(NAME, quiet)


def _join(lab: LabHandle, member: str) -> float:
    with session(lab.address(member)) as api:
        leave_nothing_in_the_way(api)
        took = _timed(lambda: api.pool.join(lab.address(MASTER), USER, PASSWORD))

    def is_live() -> bool:
        try:
            with session(lab.address(MASTER)) as api:
                (host,) = api.host.get_by_name_label(member)
                return bool(api.host_metrics.get_live(api.host.get_metrics(host)))
        except (OSError, LabError, MemberOfPool):
            return False

    wait_until(f"{member} is live", is_live, 60, every_s=0.2)
    return took


def _writes_and_events(lab: LabHandle) -> tuple[list[float], list[float]]:
    """How long a write takes, and until a client that waits for events has it."""
    writes, events = [], []
    with (
        session(lab.address(MASTER)) as api,
        session(lab.address(MASTER)) as listener,
        ThreadPoolExecutor(1) as pool_of_one,
    ):
        (pool,) = api.pool.get_all()
        token = _events(listener, "", 1.0)[0]
        for number in range(WRITES):
            heard = pool_of_one.submit(_events, listener, token, 10.0)
            time.sleep(0.1)  # it waits before anything happens
            began = time.perf_counter()
            api.pool.set_name_description(pool, f"write {number}")
            writes.append(time.perf_counter() - began)
            token, at = heard.result(timeout=15)
            events.append(at - began)
        api.pool.set_name_description(pool, "")
    return writes, events


def _events(listener: Any, token: str, timeout_s: float) -> tuple[str, float]:
    """The next token, and when it came."""
    batch = getattr(listener.event, "from")(["pool"], token, timeout_s)
    return str(batch["token"]), time.perf_counter()


def _have_three_voters(lab: LabHandle) -> bool:
    return len(json.loads(lab.exec(MASTER, "cat", "/var/lib/cardume/pool.json"))["voters"]) == len(lab.hosts)


def _resident(lab: LabHandle, host: str, unit: str) -> float:
    script = f"grep VmRSS /proc/$(systemctl show -p MainPID --value {unit})/status"
    return int(lab.exec(host, "sh", "-c", script).split()[1]) / 1024


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
