"""Work that goes on: each piece under a task that clients can watch and cancel, all of it under one parent.

A task's end is one change: its status never shows before its result, error and progress do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog

from cardume.api.incidents import told
from cardume.datamodel import errors
from cardume.datamodel.refs import Ref, new_ref
from cardume.datamodel.roles import Role
from cardume.datamodel.task import Task, TaskOperation, TaskStatus
from cardume.datamodel.wiretypes import WireType
from cardume.messages.call import Caller, TaskHandle
from cardume.pooldb.db import Database, Transaction

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[TaskHandle], Awaitable[Any]]
ResultText = Callable[[Any, WireType], str]

PROGRESS_PERIOD_S = 0.25
CANCELLED_AFTER_S = 20.0  # how long the end of the server waits for cancelled work to undo itself
KEEP_DONE = timedelta(minutes=65)
KEEP_PENDING = timedelta(hours=24)
MOST_DONE = 200
KEEP_AT_LEAST = timedelta(minutes=2)  # clients that wait for an end must see it in one of their rounds


class Unseen:
    """The task of a call that is too short to show: it has a reference and no record."""

    def __init__(self) -> None:
        self.ref: Ref[Any] = new_ref()

    def progress(self, fraction: float) -> None:
        """Nobody watches."""


@dataclass(eq=False, slots=True)
class _Running:
    """The `TaskHandle` of work that is shown."""

    tasks: "Tasks"
    ref: Ref[Any]
    worker: asyncio.Task[Any] | None = None
    fraction: float = 0.0
    is_told_later: bool = False
    is_cancelled: bool = False

    def progress(self, fraction: float) -> None:
        """Note how far the work is; told to clients after a moment, with whatever is noted meanwhile."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        if not self.is_told_later:
            self.is_told_later = True
            self.tasks.spawn(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(PROGRESS_PERIOD_S)
        self.is_told_later = False
        await self.tasks.tell_progress(self)


class Tasks:
    """The `TaskService` of messages/task.py, and the parent of everything that runs for a caller."""

    def __init__(self, db: Database, localhost: Ref[Any], result_text: ResultText) -> None:
        self._db = db
        self._localhost = localhost
        self._result_text = result_text
        self._children: set[asyncio.Task[Any]] = set()
        self._running: dict[Ref[Any], _Running] = {}
        self._owners: dict[Ref[Any], Caller] = {}
        self._is_closing = False

    # Running work

    async def start(
        self, label: str, owner: Caller, work: Work, of: WireType, hidden: tuple[str, ...] = ()
    ) -> Ref[Any]:
        """Begin work and answer with its task at once."""
        running = await self._begin(label, "", owner)
        running.worker = self.spawn(self._to_its_end(running, label, work, of, hidden))
        return running.ref

    async def run(self, label: str, owner: Caller, work: Work) -> Any:
        """Do work that is a task while it runs and vanishes with its end. A caller who leaves does not stop it."""
        running = await self._begin(label, "", owner)
        running.worker = self.spawn(self._while_shown(running, work))
        return await self._outcome(running.worker)

    async def run_unseen(self, work: Awaitable[T]) -> T:
        """Do work that is too short to show. A caller who leaves does not stop it."""
        return await self._outcome(self.spawn(work))

    async def _outcome(self, worker: asyncio.Task[T]) -> T:
        try:
            return await asyncio.shield(worker)
        except asyncio.CancelledError:
            if worker.done() and worker.cancelled():  # the work was stopped, not whoever waits for it
                raise errors.OPERATION_NOT_ALLOWED("The server is being stopped.") from None
            raise

    @asynccontextmanager
    async def adopted(self, ref: Ref[Any] | None, label: str, owner: Caller) -> AsyncIterator["Adopted"]:
        """Work of an HTTP transfer under the client's task, or under one made here; it ends with the block.

        The block may set `handle.result`; an exception ends the task as failed and goes on.
        """
        running = Adopted(self, ref, asyncio.current_task()) if ref is not None else None
        if running is None:
            begun = await self._begin(label, "", owner)
            running = Adopted(self, begun.ref, asyncio.current_task())
        self._running[running.ref] = running
        try:
            yield running
        except BaseException as error:
            await self._finish_failed(running, label, error, ())
            raise
        else:
            try:
                await self.finish(running.ref, TaskStatus.SUCCESS, result=running.result)
            except asyncio.CancelledError:  # the client leaves just now: what was done stays done, and is recorded
                await self.finish(running.ref, TaskStatus.SUCCESS, result=running.result)
                raise
        finally:
            self._running.pop(running.ref, None)

    def spawn(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run something as a child of the server: it is stopped and awaited when the server ends."""
        child: asyncio.Task[T] = asyncio.ensure_future(work)
        self._children.add(child)
        child.add_done_callback(self._children.discard)
        if self._is_closing:
            child.cancel()
        return child

    async def close(self) -> None:
        """Stop all work, and wait, though not for ever, until it has undone what it must."""
        self._is_closing = True
        children = {child for child in self._children if child is not asyncio.current_task()}
        for child in children:
            child.cancel()
        if children:
            _, left = await asyncio.wait(children, timeout=CANCELLED_AFTER_S)
            if left:
                log.warning("work_not_ended", count=len(left), waited_s=CANCELLED_AFTER_S)

    async def _begin(self, label: str, description: str, owner: Caller) -> _Running:
        ref = await self.create(label, description, owner)
        running = _Running(self, ref)
        self._running[ref] = running
        return running

    async def _to_its_end(
        self, running: _Running, label: str, work: Work, of: WireType, hidden: tuple[str, ...]
    ) -> None:
        began = time.monotonic()
        try:
            result = await work(running)
            await self.finish(running.ref, TaskStatus.SUCCESS, result=self._result_text(result, of))
            log.info("task_done", task=running.ref, label=label, took_s=round(time.monotonic() - began, 3))
        except asyncio.CancelledError as error:
            await self._finish_failed(running, label, error, hidden)
        except Exception as error:
            await self._finish_failed(running, label, error, hidden)
        finally:
            self._running.pop(running.ref, None)

    async def _while_shown(self, running: _Running, work: Work) -> Any:
        try:
            return await work(running)
        except asyncio.CancelledError:
            if running.is_cancelled:
                raise errors.TASK_CANCELLED(running.ref) from None
            raise
        finally:
            self._running.pop(running.ref, None)
            await self.forget(running.ref)

    async def _finish_failed(
        self, running: _Running, label: str, error: BaseException, hidden: tuple[str, ...]
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            error = errors.TASK_CANCELLED(running.ref)
        if not isinstance(error, Exception):
            raise error
        known = told(error, label, hidden)
        status = TaskStatus.CANCELLED if known.code == "TASK_CANCELLED" else TaskStatus.FAILURE
        log.info("task_failed", task=running.ref, label=label, error=known.code)
        await self.finish(running.ref, status, error_info=tuple(known.description))

    # Records

    async def create(self, label: str, description: str, owner: Caller) -> Ref[Any]:
        """A pending task, among those of the session that asks for it."""
        async with self._db.transaction() as txn:
            ref = txn.create(self._record(label, description, can_cancel=True))
            session = txn.find(owner.session)
            if session is not None:
                txn.update(owner.session, tasks=(*session.tasks, ref))
        self._owners[ref] = owner
        return ref

    async def finish(self, ref: Ref[Any], status: TaskStatus, **changes: Any) -> None:
        """Write a task's end, all at once; a task that was forgotten or has ended stays so."""
        if status is TaskStatus.CANCELLED:
            changes.setdefault("error_info", errors.TASK_CANCELLED(ref).description)
            changes["error_info"] = tuple(changes["error_info"])
        async with self._db.transaction() as txn:
            record = txn.find(ref)
            if record is None or _is_over(record):
                return
            txn.update(
                ref,
                progress=1.0,
                finished=datetime.now(UTC),
                allowed_operations=(),
                current_operations={},
                **changes,
                status=status,
            )

    async def tell_progress(self, running: _Running) -> None:
        """Write down how far work is."""
        async with self._db.transaction() as txn:
            record = txn.find(running.ref)
            if record is not None and not _is_over(record):
                txn.update(running.ref, progress=running.fraction)

    def owner(self, ref: Ref[Any]) -> str:
        owner = self._owners.get(ref)
        return owner.user if owner is not None else ""

    def may_touch(self, caller: Caller, ref: Ref[Any]) -> bool:
        """True when a task is the caller's own, or the caller may touch any."""
        return caller.role >= Role.POOL_OPERATOR or self.owner(ref) == caller.user

    def is_running(self, ref: Ref[Any]) -> bool:
        return ref in self._running

    async def cancel(self, ref: Ref[Any], by: Ref[Any]) -> None:
        """Stop the work under a task; one that has ended is left alone, one that nobody works on just ends."""
        running = self._running.get(ref)
        if running is None:
            await self.finish(ref, TaskStatus.CANCELLED)
            return
        async with self._db.transaction() as txn:
            record = txn.find(ref)
            if record is None or _is_over(record):
                return
            txn.update(ref, current_operations={**record.current_operations, by: TaskOperation.CANCEL})
        running.is_cancelled = True
        if running.worker is not None:
            running.worker.cancel()

    async def forget(self, ref: Ref[Any]) -> None:
        """Remove a task's record; work that goes on under it is not stopped."""
        async with self._db.transaction() as txn:
            self._delete(txn, (ref,))

    async def housekeep(self) -> None:
        """Remove tasks that ended long ago or that nobody works on; to be called every few minutes."""
        records = self._db.all(Task)
        pending = [ref for ref, record in records.items() if not _is_over(record) and ref not in self._running]
        old = set(expired(records, frozenset(pending), datetime.now(UTC)))
        async with self._db.transaction() as txn:
            self._delete(txn, old)

    def _delete(self, txn: Transaction, refs: Collection[Ref[Any]]) -> None:
        """Remove records, and name them no more where they were asked for."""
        owners = [self._owners.pop(ref, None) for ref in refs]
        for session in {owner.session for owner in owners if owner is not None}:
            record = txn.find(session)
            if record is not None:
                txn.update(session, tasks=tuple(ref for ref in record.tasks if ref not in refs))
        for ref in refs:
            txn.delete(ref)

    def _record(self, label: str, description: str, *, can_cancel: bool) -> Task:
        return Task(
            name_label=label,
            name_description=description,
            created=datetime.now(UTC),
            type="<none/>",
            resident_on=self._localhost,
            allowed_operations=(TaskOperation.CANCEL,) if can_cancel else (),
        )


class Adopted(_Running):
    """The task of a transfer, whose worker is the handler itself."""

    __slots__ = ("result",)

    def __init__(self, tasks: Tasks, ref: Ref[Any], worker: asyncio.Task[Any] | None) -> None:
        super().__init__(tasks, ref, worker)
        self.result = ""


def expired(records: Any, pending: frozenset[Ref[Any]], now: datetime) -> list[Ref[Any]]:
    """The tasks to remove: done ones after 65 minutes, idle ones after a day, above 200 done ones the oldest."""
    done = sorted((record.finished, ref) for ref, record in records.items() if _is_over(record))
    surplus = len(done) - MOST_DONE
    old = [
        ref
        for position, (finished, ref) in enumerate(done)
        if now - finished > KEEP_DONE or (position < surplus and now - finished > KEEP_AT_LEAST)
    ]
    return old + [ref for ref in pending if now - records[ref].created > KEEP_PENDING]


def _is_over(record: Task) -> bool:
    return record.status in (TaskStatus.SUCCESS, TaskStatus.FAILURE, TaskStatus.CANCELLED)
