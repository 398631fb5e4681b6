"""A look at one domain, as the parts of libvirt's adapter share it. Blocking calls."""

import os
import time

from cardume.hostops.errors import GuestError, GuestNotFound
from cardume.hostops.guests.domain_edit import disk_paths
from cardume.hostops.guests.domain_view import view_of
from cardume.hostops.guests.guest import GuestPower, RunningGuest
from cardume.hostops.guests.libvirt_binding import Connection, DomainState
from cardume.hostops.guests.qemu_process import find_pid, start_ticks, start_time


def get_state(connection: Connection, uuid: str) -> DomainState:
    state = connection.find(uuid)
    if state is None:
        raise GuestNotFound(f"no guest {uuid} runs here")
    return state


def paths_of(connection: Connection, uuid: str) -> tuple[str, ...]:
    state = connection.find(uuid)
    return tuple(disk_paths(state.xml).values()) if state is not None else ()


def running_guest(state: DomainState) -> RunningGuest | None:
    """The domain as a guest of ours, None when it is somebody else's."""
    view = view_of(state.xml)
    if not view.ours:
        return None
    pid = find_pid(state.name)
    began = start_time(pid) if pid is not None else None
    return RunningGuest(
        uuid=state.uuid,
        power=GuestPower.PAUSED if state.paused else GuestPower.RUNNING,
        domid=state.domid,
        vcpus=view.vcpus,
        memory_bytes=state.memory_bytes,
        start_time=began or 0.0,  # 0: libvirt's note is gone. A guest that runs is told of all the same
        disks=view.disks,
        nics=view.nics,
        vnc_socket=view.vnc_socket,
    )


def wait_gone(pid: int, began: int, timeout_s: float) -> None:
    """Return when the very process is gone: until then its disks must not be opened anywhere else."""
    deadline = time.monotonic() + timeout_s
    while start_ticks(pid) == began:
        if time.monotonic() > deadline:
            raise GuestError(f"QEMU's process {pid} does not end")
        time.sleep(0.02)


def make_durable(path: str) -> None:
    for name in (path, os.path.dirname(path) or "."):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
