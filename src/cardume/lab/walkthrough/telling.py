"""The walk on a terminal: what is done and why, how it goes on, what came of it."""

import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from cardume.lab.errors import LabError
from cardume.lab.walkthrough.findings import Alert, Finding, Told, Walked, Watched, statistics_of
from cardume.lab.walkthrough.sections import Section, Step
from cardume.lab.walkthrough.texts import Words

_PLAIN_EVERY_S = 10.0
_CTRL_C = "\x03"


class Telling:
    """Tells a walk in one language; with `waits` it asks for a key before each step."""

    def __init__(self, console: Console, words: Words, waits: bool) -> None:
        self._console, self._words, self._waits = console, words, waits
        self._status: Status | None = None
        self._last = ("", 0.0)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Progress as a line that changes in place on a terminal, as a line now and then elsewhere."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status("") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def progress(self, what: Told) -> None:
        text = self._words.say(what)
        if self._status is not None:
            self._status.update(text)
            return
        before, at_s = self._last
        if what.key != before or time.monotonic() - at_s > _PLAIN_EVERY_S:
            self._last = (what.key, time.monotonic())
            self._say(f"… {text}", 6)

    def before(self, number: int) -> None:
        self._say(self._words("before", number=number), 0)

    def making_sure(self, step: Step) -> None:
        self._say(f"· {self._words(f'{step.key}.title')}", 2)

    def section(self, section: Section) -> None:
        title = self._words(f"section.{section.number}.title")
        self._console.print()
        self._say(self._words("section", number=section.number, title=title), 0, "bold")
        self._say(self._words(f"section.{section.number}.why"), 0)

    def step(self, label: str, step: Step) -> None:
        title = self._words(f"{step.key}.title")
        if self._waits:
            self._wait(self._words("key", label=label, title=title))
        self._console.print()
        self._say(f"{label} {title}", 2, "bold")
        self._say(self._words(f"{step.key}.why"), 6, "dim")

    def walked(self, walked: Walked) -> None:
        self._tell(walked.finding)
        if walked.failure is not None:
            self._say(f"✗ {self._words('failed', reason=walked.failure)}", 6, "bold red")
        self._say(self._words("took", took_s=walked.took_s), 6, "dim")

    def say(self, key: str, style: str = "", **values: str | int | float) -> None:
        """A sentence about the walk as a whole."""
        self._say(self._words(key, **values), 0, style)

    def _tell(self, finding: Finding) -> None:
        for fact in finding.facts:
            self._say(f"· {self._words.say(fact)}", 6)
        if finding.watched is not None:
            for line in ping_lines(finding.watched, self._words):
                self._say(line, 8)
        for alert in finding.alerts:
            self._say("  ".join(alert_cells(alert, self._words)), 8)
            self._say(alert_body(alert, self._words), 10, "dim")
        for each in finding.expectations:
            mark, style = ("✓", "green") if each.held else ("✗", "bold red")
            outcome = "" if each.held else f" – {self._words('broken')}"
            self._say(f"{mark} {self._words.say(each.told)}{outcome}", 6, style)

    def _say(self, text: str, indent: int, style: str = "") -> None:
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, indent), expand=False), highlight=False)

    def _wait(self, question: str) -> None:
        """Return when somebody has pressed a key, or ended a line where standard input is no terminal."""
        if self._status is not None:
            self._status.stop()
        self._console.print(f"\n[bold]▸[/] {question} ", end="", highlight=False)
        if not sys.stdin.isatty():
            if not sys.stdin.readline():
                raise LabError("--step waits for somebody to press a key, and standard input has ended")
        elif press() == _CTRL_C:
            raise KeyboardInterrupt
        self._console.print()
        if self._status is not None:
            self._status.start()


def press() -> str:
    """The next key that is pressed on the terminal."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        return sys.stdin.read(1)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def ping_lines(watched: Watched, words: Words) -> tuple[str, str, str]:
    """The end of a `ping` as the handout shows it."""
    found = statistics_of(watched.each_second)
    return (
        words("ping.title", address=watched.address),
        words("ping.packets", sent=found.sent, received=found.received, lost=found.lost, percent=found.lost_percent),
        words("ping.times", minimum_ms=found.minimum_ms, maximum_ms=found.maximum_ms, average_ms=found.average_ms),
    )


def alert_cells(alert: Alert, words: Words) -> tuple[str, str, str]:
    """An alert as a row of figure 39: message, what it is about, when."""
    title = words.find(f"alert.{alert.name}")
    message = title.format(about=alert.about) if title else alert.name
    return message, alert.about, words.moment(alert.at_s)


def alert_body(alert: Alert, words: Words) -> str:
    """What an alert says: in the walk's words where its own are for programs."""
    text = words.find(f"body.{alert.name}")
    return text.format(about=alert.about, body=alert.body) if text else alert.body
