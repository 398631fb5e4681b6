"""The thread that owns the SQLite file: takes work from the event loop, gives answers back to it."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import structlog

from cardume.pooldb.sqlite_file import SQLiteFile, Transaction
from cardume.pooldb.store import StoreClosed, StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")

GROUP_AT_MOST = 64
COMPACT_EVERY = 1000
STOP_TIMEOUT_S = 30.0

Work = Transaction | Callable[[SQLiteFile], Any]
Answer = tuple[asyncio.Future[Any], Any]


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work
    answer: asyncio.Future[Any]


class SQLiteThread:
    """Answers come in the order of the questions, so a read sees every write that was asked for before it."""

    def __init__(self, path: Path, keep_revisions: int, tell_revision: Callable[[int], None]) -> None:
        self._path = path
        self._keep_revisions = keep_revisions
        self._tell_revision = tell_revision
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name=f"sqlite {path.name}", daemon=True)
        self._is_stopped = False

    async def start(self) -> None:
        """Open the file; StoreError when that does not work."""
        opened = self._loop.create_future()
        self._jobs.put(_Job(lambda file: None, opened))
        self._thread.start()
        await opened

    async def ask(self, question: Callable[[SQLiteFile], T]) -> T:
        """What the function answers about the file."""
        answer: T = await self._put(question)
        return answer

    async def commit(self, transaction: Transaction) -> int:
        """The revision of the transaction, which is on the disk."""
        revision: int = await self._put(transaction)
        return revision

    async def stop(self) -> None:
        """Finish the work that was given, and close the file."""
        self._is_stopped = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    def _put(self, work: Work) -> asyncio.Future[Any]:
        if self._is_stopped:
            raise StoreClosed("the store was closed")
        answer = self._loop.create_future()
        self._jobs.put(_Job(work, answer))
        return answer

    # In the thread

    def _serve(self) -> None:
        first = self._jobs.get()
        assert first is not None, "start() gives the first job"
        try:
            file = SQLiteFile(self._path)
        except StoreError as error:
            self._deliver(0, [(first.answer, error)])
            return
        self._deliver(file.revision, [(first.answer, None)])
        try:
            while (jobs := self._take()) is not None:
                self._work(file, jobs)
                if file.revision - file.compacted >= self._keep_revisions + COMPACT_EVERY:
                    _compact(file, self._keep_revisions)
        finally:
            file.close()

    def _take(self) -> list[_Job] | None:
        """The jobs that are waiting, at least one; None to stop."""
        jobs: list[_Job] = []
        while not jobs or (len(jobs) < GROUP_AT_MOST and not self._jobs.empty()):
            job = self._jobs.get()
            if job is None:
                if not jobs:
                    return None
                self._jobs.put(None)  # nothing comes after it: finish these first
                break
            jobs.append(job)
        return jobs

    def _work(self, file: SQLiteFile, jobs: list[_Job]) -> None:
        for are_transactions, group in groupby(jobs, key=lambda job: isinstance(job.work, Transaction)):
            alike = list(group)
            answers = _commit(file, alike) if are_transactions else _ask(file, alike)
            self._deliver(file.revision, answers)

    def _deliver(self, revision: int, answers: list[Answer]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, revision, answers)
        except RuntimeError:
            pass  # the loop is closed: nobody waits for an answer any more

    # Back in the loop

    def _settle(self, revision: int, answers: list[Answer]) -> None:
        self._tell_revision(revision)
        for future, answer in answers:
            if future.done():
                continue  # its caller was cancelled
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def _commit(file: SQLiteFile, jobs: list[_Job]) -> list[Answer]:
    transactions = [job.work for job in jobs if isinstance(job.work, Transaction)]
    results = file.commit(transactions)
    return [(job.answer, result) for job, result in zip(jobs, results, strict=True)]


def _ask(file: SQLiteFile, jobs: list[_Job]) -> list[Answer]:
    return [(job.answer, _answer(job.work, file)) for job in jobs if not isinstance(job.work, Transaction)]


def _answer(question: Callable[[SQLiteFile], Any], file: SQLiteFile) -> Any:
    try:
        return question(file)
    except Exception as error:
        return error  # raised where it was asked for


def _compact(file: SQLiteFile, keep_revisions: int) -> None:
    try:
        file.compact(keep_revisions)
    except StoreError as error:
        log.warning("compaction_failed", error=str(error))
