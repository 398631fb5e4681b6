"""Where the walk acts: the lab, the pool's API wherever its master is, and waits that tell how they go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import XenAPI

from cardume.lab.api import UNREACHABLE, MemberOfPool, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.walkthrough.findings import Alert, Told, told

T = TypeVar("T")
NULL = "OpaqueRef:NULL"
POOL = "pool-g1"
SR = "freenas-lun1"
LOOK_S = 0.2
ASK_TIMEOUT_S = 10.0
TASK_TIMEOUT_S = 600.0
BOOT_TIMEOUT_S = 240.0
WHOLE_TIMEOUT_S = 300.0
FAILOVER_TIMEOUT_S = 300.0

Progress = Callable[[Told], None]


class StepFailed(LabError):
    """A step could not be ended; carries the sentence that says why."""

    def __init__(self, why: Told) -> None:
        super().__init__(why.key)
        self.why = why


class NoMaster(LabError):
    """No host answers for the pool."""


@dataclass
class Stage:
    """The lab during a walk, and what one step keeps for a later one."""

    lab: LabHandle
    profile: str
    progress: Progress
    off: list[str] = field(default_factory=list)
    """Hosts whose power the walk has cut and not given back yet."""
    alerts_before: frozenset[str] = frozenset()
    """The uuids of the alerts that were there before the last power cut."""

    @property
    def vm(self) -> str:
        """The name of the VM that the walk is about."""
        return f"vm-{self.lab.hosts[0]}"

    @contextmanager
    def api(self, timeout_s: float = 180.0) -> Iterator[Any]:
        """XenAPI of the pool, at its master, which is found by asking the hosts."""
        with session(self.find_master_address(), timeout_s=timeout_s) as api:
            yield api

    def find_master_address(self) -> str:
        """The address of the master of the course's pool: that of the first host that leads, or is led."""
        reasons, lost = [], [self.lab.address(host) for host in self.off]
        for host in self.lab.hosts:
            if host in self.off:
                continue
            try:
                with session(self.lab.address(host), timeout_s=ASK_TIMEOUT_S):
                    return self.lab.address(host)
            except MemberOfPool as member:
                if member.master not in lost:
                    return member.master
                reasons.append(str(member))
            except (XenAPI.Failure, *UNREACHABLE) as reason:
                reasons.append(f"{host}: {reason}")
        raise NoMaster(f"no host answers as the pool's master: {'; '.join(reasons)}")

    def run(self, what: Told, api: Any, begin: Callable[..., Any], *arguments: Any) -> float:
        """Begin a task, as `api.Async.VM.start`, and see it through; how long it took.

        Tells its progress; StepFailed with its reason when it fails.
        """
        began = time.monotonic()
        task = begin(*arguments)
        try:
            while (record := api.task.get_record(task))["status"] in ("pending", "cancelling"):
                percent = int(100 * float(record["progress"]))
                self.progress(told("progress.task", what=what, percent=percent))
                if time.monotonic() - began > TASK_TIMEOUT_S:
                    api.task.cancel(task)
                    raise StepFailed(told("failure.wait", what=what, timeout_s=int(TASK_TIMEOUT_S), reason=""))
                time.sleep(LOOK_S)
            if record["status"] != "success":
                reason = " ".join(record["error_info"]) or record["status"]
                raise StepFailed(told("failure.task", what=what, reason=reason))
        finally:
            with suppress(XenAPI.Failure, *UNREACHABLE):
                api.task.destroy(task)
        return time.monotonic() - began

    def wait(self, what: Told, look: Callable[[], T | None], timeout_s: float) -> tuple[T, float]:
        """The first true thing that `look` gives, and when (seconds since the epoch).

        A pool that does not answer meanwhile has given nothing yet; StepFailed when it takes longer.
        """
        began, reason = time.monotonic(), ""
        while True:
            try:
                if found := look():
                    return found, time.time()
                reason = ""
            except (XenAPI.Failure, MemberOfPool, NoMaster, *UNREACHABLE) as error:
                reason = f" ({error})"
            waited = time.monotonic() - began
            if waited > timeout_s:
                raise StepFailed(told("failure.wait", what=what, timeout_s=int(timeout_s), reason=reason))
            self.progress(told("progress.wait", what=what, waited_s=int(waited)))
            time.sleep(LOOK_S)


def get_vm(api: Any, name: str) -> str:
    """The VM of that name; LabError that says what to do when there is none."""
    found = [vm for vm in api.VM.get_by_name_label(name) if not api.VM.get_is_a_template(vm)]
    if len(found) != 1:
        raise LabError(f"there are {len(found)} VMs {name} where the walk needs one; begin it anew without --keep")
    return str(found[0])


def get_sr(api: Any) -> str:
    """The course's shared SR."""
    found = api.SR.get_by_name_label(SR)
    if len(found) != 1:
        raise LabError(
            f"there are {len(found)} repositories {SR} where the walk needs one; begin it anew without --keep"
        )
    return str(found[0])


def get_pool(api: Any) -> tuple[str, dict[str, Any]]:
    """The pool and its record."""
    ((ref, record),) = api.pool.get_all_records().items()
    return str(ref), record


def own_disks(api: Any, vm: str) -> list[str]:
    """The disks of a VM, without CDs."""
    drives = [api.VBD.get_record(vbd) for vbd in api.VM.get_VBDs(vm)]
    return [drive["VDI"] for drive in drives if drive["type"] == "Disk" and not drive["empty"]]


def is_whole(api: Any, hosts: int) -> bool:
    """Every host is there, live and enabled."""
    records = api.host.get_all_records().values()
    return len(records) == hosts and all(
        each["enabled"] and api.host_metrics.get_live(each["metrics"]) for each in records
    )


def list_alerts(api: Any) -> dict[str, Alert]:
    """The pool's alerts by their uuid."""
    return {
        record["uuid"]: Alert(
            record["name"],
            _name(api, record),
            _epoch(str(record["timestamp"])),
            int(record["priority"]),
            record["body"],
        )
        for record in api.message.get_all_records().values()
    }


def _name(api: Any, message: dict[str, Any]) -> str:
    """The name of what an alert is about."""
    of_class = {"Host": api.host, "Pool": api.pool, "VM": api.VM, "SR": api.SR}.get(message["cls"])
    if of_class is None:
        return str(message["cls"])
    try:
        return str(of_class.get_name_label(of_class.get_by_uuid(message["obj_uuid"])))
    except XenAPI.Failure:
        return str(message["obj_uuid"])  # it is gone


def _epoch(text: str) -> float:
    return datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
