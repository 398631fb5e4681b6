"""One call that is done as several calls of the same length: the progress of each is a part of the whole's."""

from dataclasses import dataclass, replace
from typing import Any

from cardume.datamodel.refs import Ref
from cardume.messages.call import Call, TaskHandle


@dataclass(frozen=True, slots=True)
class Part:
    """The task of one of several pieces of work."""

    whole: TaskHandle
    number: int
    count: int

    @classmethod
    def of(cls, call: Call, number: int, count: int) -> Call:
        """The call of that piece, counted from zero."""
        return replace(call, task=cls(call.task, number, count))

    @property
    def ref(self) -> Ref[Any]:
        return self.whole.ref

    def progress(self, fraction: float) -> None:
        self.whole.progress((self.number + fraction) / self.count)
