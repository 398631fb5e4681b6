"""Blocking work with a bound: what the kernel may hold for ever is waited for only so long."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from cardume.lun.errors import LunUnreachable

T = TypeVar("T")


class BoundedThread:
    """One thread that does one piece of work after another; none begins while one lasts that was given up."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._last = threading.Event()
        self._last.set()
        # A daemon: the end of the process does not wait for a device that does not answer.
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """What comes of the work; LunUnreachable when it lasts longer, or what was begun before it still does."""
        if not self._last.is_set():
            raise LunUnreachable(f"{self._name} does not answer: what was begun before has not ended")
        ended = self._last = threading.Event()
        result: list[T] = []
        failure: list[BaseException] = []

        def tell() -> None:
            try:
                result.append(work())
            except BaseException as error:
                failure.append(error)
            ended.set()

        self._work.put(tell)
        if not ended.wait(timeout_s):
            raise LunUnreachable(f"{self._name} does not answer")
        if failure:
            raise failure[0]
        return result[0]

    def end(self, last: Callable[[], None]) -> None:
        """Do the last piece when all before it has ended, and end; not waited for."""
        self._work.put(last)
        self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
