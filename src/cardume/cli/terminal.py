"""The person at the terminal, if there is one: questions, the progress of long work, and their files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from cardume.cli.desk import Desk, ThisMachine


class Meter(Protocol):
    """Shows how much of a piece of work is done, from 0 to 1."""

    def __call__(self, done: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where to ask, where progress is drawn, and where files are."""

    input: TextIO
    err: TextIO
    desk: Desk = field(default_factory=ThisMachine)

    @property
    def answers(self) -> bool:
        """True when a person can be asked."""
        return self.input.isatty()

    def read_line(self) -> str:
        """What the person types."""
        return self.input.readline().strip()

    @contextmanager
    def meter(self, label: str, *, wanted: bool) -> Iterator[Meter]:
        """A bar for the length of the block; nothing is drawn when it is not wanted."""
        if not wanted:
            yield lambda done: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        with Progress(*columns, TimeElapsedColumn(), console=Console(file=self.err)) as progress:
            bar = progress.add_task(label, total=1.0)
            yield lambda done: progress.update(bar, completed=done)
