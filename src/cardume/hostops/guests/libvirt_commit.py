"""Layers of a running guest's disks merged by QEMU: begun, followed, given up, taken over when libvirtd restarts."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from cardume.hostops.errors import GuestBadState, GuestError, GuestNotFound, GuestUncertain
from cardume.hostops.guests.domain_edit import DiskGone, DiskLayers, disk_layers
from cardume.hostops.guests.guest import CommitLayers
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_link import LinkCall
from cardume.hostops.guests.libvirt_thread import CallTimedOut
from cardume.hostops.guests.qemu_process import find_pid

T = TypeVar("T")

log = structlog.get_logger()

_LOOK_S = 0.3
_STILL_S = 60.0
"""How long libvirtd may be away, or slow, while a guest stands still for it."""

Settle = Callable[[], Awaitable[None]]


class DiskCommits:
    """The commits of all guests: one a guest at a time."""

    def __init__(self, call: LinkCall) -> None:
        self._call = call
        self._running: dict[str, asyncio.Task[None]] = {}
        self.still: set[str] = set()
        """Guests that stand still for a commit: to everybody else they run."""

    async def clear(self, uuid: str) -> None:
        """Give up a commit of this guest, for a call that cannot go on beside it."""
        await self.stop(uuid)
        if uuid in self.still:
            raise GuestBadState(f"guest {uuid} stands still until it is known where its disk is")

    async def stop(self, uuid: str) -> None:
        """Give up a commit of this guest, and wait until it has ended."""
        work = self._running.get(uuid)
        while work is not None and not work.done():
            work.cancel()
            await asyncio.wait([work])

    async def run(
        self,
        uuid: str,
        device: str,
        layers: CommitLayers,
        settle: Settle,
        progress: Callable[[float], None],
        rate_bytes: int,
        timeout_s: float,
    ) -> None:
        if uuid in self._running or uuid in self.still:
            raise GuestError(f"layers of guest {uuid} are being merged already")
        work = asyncio.create_task(self._commit(uuid, device, layers, settle, progress, rate_bytes, timeout_s))
        self._running[uuid] = work
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            await self.stop(uuid)
            raise
        finally:
            del self._running[uuid]
        if work.cancelled():
            raise GuestError(f"merging layers of guest {uuid} was given up for another call")
        work.result()

    async def end(self, uuid: str, device: str) -> str | None:
        """The file that a disk is in, after any commit on it was given up."""

        def work(connection: Connection) -> str | None:
            state = connection.find(uuid)
            if state is None:
                _end_forgotten(uuid)
                return None
            try:
                _give_up(connection, uuid, disk_layers(state.xml, device).target)
                return _look(connection, uuid, device).chain[0]
            except DiskGone:
                return ""
            except GuestNotFound:
                return None

        await self.stop(uuid)
        return await self._call(uuid, "end commit of", work, timeout_s=_STILL_S, repeatable=True)

    async def end_still(self, uuid: str) -> None:
        await self._resume(uuid)

    async def _commit(
        self,
        uuid: str,
        device: str,
        layers: CommitLayers,
        settle: Settle,
        progress: Callable[[float], None],
        rate_bytes: int,
        timeout_s: float,
    ) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._call(uuid, "commit layers of", _beginning(uuid, device, layers, rate_bytes))
                await self._follow(uuid, device, layers, progress)
        except TimeoutError:
            await self._drop(uuid, device)
            raise GuestError(f"merging layers of guest {uuid} did not end within {timeout_s:g} s") from None
        except (asyncio.CancelledError, GuestError):
            await self._drop(uuid, device)
            raise
        # From here it is seen through: cancelling waits.
        await _unbroken(self._pivot(uuid, device, layers, settle) if layers.moves_guest else settle())

    async def _follow(self, uuid: str, device: str, layers: CommitLayers, progress: Callable[[float], None]) -> None:
        """Wait for a commit's end, or until the guest can be moved."""
        while True:
            now, job = await self._call(uuid, "look at", _looking(uuid, device), repeatable=True)
            if job is not None and job[1]:
                progress(min(job[0] / job[1], 1.0))
            if layers.moves_guest:
                if now.is_ready:
                    return
                if job is None:
                    raise GuestError(f"QEMU gave up merging layers of guest {uuid}")
            elif job is None:
                if layers.top in now.chain:
                    raise GuestError(f"QEMU gave up merging layers of guest {uuid}")
                return
            await asyncio.sleep(_LOOK_S)

    async def _drop(self, uuid: str, device: str) -> None:
        """Have QEMU end a commit that nobody waits for any more."""
        with suppress(GuestError):  # the guest is gone, or libvirtd is: the next commit looks for what was left
            await _unbroken(self.end_job(uuid, device))

    async def end_job(self, uuid: str, device: str) -> None:
        def work(connection: Connection) -> None:
            _give_up(connection, uuid, _look(connection, uuid, device).target)

        await self._call(uuid, "end commit of", work)

    async def _pivot(self, uuid: str, device: str, layers: CommitLayers, settle: Settle) -> None:
        """Move the guest to the base while it stands still, and let it go on when that is recorded."""
        self.still.add(uuid)
        try:
            was_running = await self._call(uuid, "pause", _pausing(uuid))
        except (ConnectionLost, CallTimedOut) as error:
            raise GuestUncertain(f"guest {uuid} may stand still: {error}") from error
        except GuestError:
            self.still.discard(uuid)
            await self._drop(uuid, device)
            raise
        try:
            where = await self._move(uuid, device)
            if where == layers.base:
                await settle()
        except GuestNotFound:
            self.still.discard(uuid)  # it is gone; while it stood still it wrote nothing
            raise
        except Exception as error:
            # It stays where it stands: nobody knows in which of the two it would go on writing.
            raise GuestUncertain(f"guest {uuid} stands still until it is known where its disk is: {error}") from error
        if was_running:
            await self._resume(uuid)
        else:
            self.still.discard(uuid)
        if where != layers.base:
            raise GuestError(f"QEMU did not let guest {uuid} go on in the base")

    async def _move(self, uuid: str, device: str) -> str:
        """The file that the disk is in, after the guest was asked to go on in the base."""
        with suppress(ConnectionLost, CallTimedOut):
            await self._call(uuid, "pivot", _pivoting(uuid, device))

        def where(connection: Connection) -> str:
            layers = _look(connection, uuid, device)
            _give_up(connection, uuid, layers.target)
            return _look(connection, uuid, device).chain[0]

        return await self._call(uuid, "look at", where, timeout_s=_STILL_S, repeatable=True)

    async def _resume(self, uuid: str) -> None:
        def work(connection: Connection) -> None:
            state = connection.find(uuid)
            if state is not None and state.paused:
                connection.resume(uuid)

        await self._call(uuid, "unpause", work, timeout_s=_STILL_S, repeatable=True)
        self.still.discard(uuid)


def _end_forgotten(uuid: str) -> None:
    """End a guest that libvirtd forgot: 9.0 does when it is killed in the moment between a pivot and its note of it.

    It stands still, and nobody could ever let it go on; but it keeps its VM from being started again.
    """
    pid = find_pid(uuid)
    if pid is not None and uuid in _command_line(pid):
        log.error("guest_forgotten_by_libvirt", guest=uuid, pid=pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _look(connection: Connection, uuid: str, device: str) -> DiskLayers:
    state = connection.find(uuid)
    if state is None:
        raise GuestNotFound(f"no guest {uuid} runs here")
    return disk_layers(state.xml, device)


def _looking(uuid: str, device: str) -> Callable[[Connection], tuple[DiskLayers, tuple[int, int] | None]]:
    def work(connection: Connection) -> tuple[DiskLayers, tuple[int, int] | None]:
        # The job first: one that ends between the two looks is seen in the chain.
        target = _look(connection, uuid, device).target
        job = connection.block_job(uuid, target)
        return _look(connection, uuid, device), job

    return work


def _beginning(uuid: str, device: str, layers: CommitLayers, rate_bytes: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        now = _look(connection, uuid, device)
        _give_up(connection, uuid, now.target)
        now = _look(connection, uuid, device)
        if now.chain[0] != layers.active or (layers.top, layers.base) not in zip(
            now.chain, now.chain[1:], strict=False
        ):
            raise GuestError(f"the guest's disk {device} does not have these layers")
        if layers.moves_guest:
            connection.block_commit_active(uuid, now.target, layers.base, rate_bytes)
        else:
            connection.block_commit(uuid, now.target, layers.base, layers.top, rate_bytes)

    return work


def _give_up(connection: Connection, uuid: str, target: str) -> None:
    """End what an earlier life of the daemon began, or what is not wanted any more."""
    if connection.block_job(uuid, target) is not None:
        connection.end_block_job(uuid, target, pivot=False)


def _pausing(uuid: str) -> Callable[[Connection], bool]:
    def work(connection: Connection) -> bool:
        state = connection.find(uuid)
        if state is None:
            raise GuestNotFound(f"no guest {uuid} runs here")
        if not state.paused:
            connection.suspend(uuid)
        return not state.paused

    return work


def _pivoting(uuid: str, device: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        with _told("pivot", uuid):
            connection.end_block_job(uuid, _look(connection, uuid, device).target, pivot=True)

    return work


@contextmanager
def _told(what: str, uuid: str) -> Iterator[None]:
    """A refusal goes to the log: where the guest is now is looked at next."""
    try:
        yield
    except (ConnectionLost, GuestNotFound):
        raise
    except GuestError as error:
        log.warning("guest_refused", what=what, guest=uuid, error=str(error))


async def _unbroken(work: Awaitable[None]) -> None:
    """Await something to its end; a cancelled caller is told only then."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled and task.exception() is None:
        raise asyncio.CancelledError
    task.result()
