"""A client that knows the pool from its events, as management programs do: nothing here is polled."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cardume.lab.api import session

T = TypeVar("T")
Record = dict[str, Any]


class Follower:
    """Every object of a pool as the events told it: `records["vm"][ref]`."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Record]] = {}
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._is_ended = False

    def follow(self, api: Any) -> None:
        """Ask for events, one batch after another, until `end`."""
        try:
            token = ""
            while not self._is_ended:
                batch = _events_after(api, token)
                token = batch["token"]
                self._apply(batch["events"])
        except BaseException as failure:
            self._failure = failure
            with self._changed:
                self._changed.notify_all()

    def end(self) -> None:
        self._is_ended = True

    def find(self, cls: str, ref: str) -> Record | None:
        """What the events told of an object; None when it is gone, or never was."""
        return self.records.get(cls, {}).get(ref)

    def wait(self, what: str, look: Callable[[], T | None], timeout_s: float = 90.0) -> T:
        """The first true thing that `look` gives, tried again after each batch of events."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (found := look()):
                if self._failure is not None:
                    raise AssertionError("the events ended") from self._failure
                left = deadline - time.monotonic()
                assert left > 0, f"within {timeout_s:g} s no event told: {what}"
                self._changed.wait(left)
        return found

    def wait_for(self, cls: str, ref: str, timeout_s: float = 90.0, **fields: Any) -> Record:
        """The object's record once it has these values."""

        def look() -> Record | None:
            record = self.find(cls, ref)
            return record if record and all(record[name] == value for name, value in fields.items()) else None

        return self.wait(f"{cls} {ref} with {fields}", look, timeout_s)

    def wait_gone(self, cls: str, ref: str) -> None:
        """Return when the object's end was told."""
        self.wait(f"the end of {cls} {ref}", lambda: self.find(cls, ref) is None)

    def wait_task(self, task: str, timeout_s: float = 300.0) -> Record:
        """The task's record once it is over, whatever its end."""
        over = ("success", "failure", "cancelled")

        def look() -> Record | None:
            record = self.find("task", task)
            return record if record and record["status"] in over else None

        return self.wait(f"the end of task {task}", look, timeout_s)

    def _apply(self, events: list[Record]) -> None:
        with self._changed:
            for event in events:
                objects = self.records.setdefault(event["class"], {})
                if event["operation"] == "del":
                    objects.pop(event["ref"], None)
                else:
                    objects[event["ref"]] = event["snapshot"]
            self._changed.notify_all()


def _events_after(api: Any, token: str) -> Record:
    batch: Record = getattr(api.event, "from")(["*"], token, 2.0)  # `from` is a word of Python's own
    return batch


@contextmanager
def following(address: str) -> Iterator[Follower]:
    """A follower of the pool at an address, in a session and a thread of its own."""
    follower = Follower()
    with session(address) as api:
        thread = threading.Thread(target=follower.follow, args=(api,), daemon=True)
        thread.start()
        try:
            follower.wait("the pool", lambda: follower.records.get("pool"))
            yield follower
        finally:
            follower.end()
            thread.join(timeout=30)
