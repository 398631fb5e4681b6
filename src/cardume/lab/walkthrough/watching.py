"""How the walk looks at its VM from outside: pings all the while, and the guest's own page."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from cardume.lab.handle import LabHandle
from cardume.lab.pings import Pings
from cardume.lab.walkthrough.findings import EACH_SECOND_S, Mark, Watched

DENSE_S = 0.05
_ASK_TIMEOUT_S = 2.0


class Watch:
    """As a context: two rows of pings at an address, one each second as the handout's, and a denser one."""

    def __init__(self, lab: LabHandle, address: str) -> None:
        self._address = address
        self._each_second = Pings(lab, address, EACH_SECOND_S)
        self._dense = Pings(lab, address, DENSE_S)
        self._marks: list[Mark] = []

    def mark(self, key: str, at_s: float) -> None:
        """Note a moment for the graph."""
        self._marks.append(Mark(key, at_s))

    def __enter__(self) -> Self:
        self._each_second.__enter__()
        try:
            self._dense.__enter__()
        except BaseException:
            self._each_second.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            self._each_second.__exit__(*raised)
        finally:
            self._dense.__exit__(*raised)

    @property
    def watched(self) -> Watched:
        """What was seen; after the context."""
        return Watched(self._address, self._each_second.answers, self._dense.answers, tuple(self._marks))


@dataclass(frozen=True, slots=True)
class Page:
    """What the lab's guest tells of itself over HTTP."""

    boot_id: str
    ticks: int
    disk_ticks: int
    errors: int


def find_page(address: str) -> Page | None:
    """The guest's page, if it answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=_ASK_TIMEOUT_S) as answer:
            told = json.load(answer)
            return Page(str(told["boot_id"]), int(told["ticks"]), int(told["disk_ticks"]), int(told["errors"]))
    except (OSError, ValueError, KeyError):
        return None


def other_boot(address: str, before: Page) -> Callable[[], Page | None]:
    """A look for the guest's page after it has booted anew."""

    def look() -> Page | None:
        page = find_page(address)
        return page if page is not None and page.boot_id != before.boot_id else None

    return look
