"""The handout's six sections as data: their steps in order, and which of them leave what later sections need."""

from collections.abc import Callable
from dataclasses import dataclass

from cardume.lab.walkthrough import availability, master_lost, migration, moving, pool, storage
from cardume.lab.walkthrough.findings import Finding
from cardume.lab.walkthrough.stage import Stage


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Its texts are `KEY.title` and `KEY.why`; done twice, it finds its work done."""

    key: str
    act: Callable[[Stage], Finding]
    leaves: bool = False
    """A later section builds on it."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section; its texts are `section.NUMBER.title` and `section.NUMBER.why`."""

    number: int
    steps: tuple[Step, ...]


SECTIONS = (
    Section(
        1,
        (
            Step("pool.alone", pool.look_at_hosts),
            Step("pool.clear", pool.clear_the_way, leaves=True),
            Step("pool.join", pool.join, leaves=True),
            Step("pool.overview", pool.overview),
        ),
    ),
    Section(2, (Step("storage.scan", storage.scan), Step("storage.create", storage.create, leaves=True))),
    Section(
        3,
        (
            Step("moving.halt", moving.halt, leaves=True),
            Step("moving.move", moving.move, leaves=True),
            Step("moving.remove", moving.remove_others, leaves=True),
        ),
    ),
    Section(
        4,
        (
            Step("migration.start", migration.start, leaves=True),
            Step("migration.ping", migration.ping),
            Step("migration.move", migration.move),
            Step("migration.measure", migration.measure),
        ),
    ),
    Section(
        5,
        (
            Step("ha.enable", availability.enable, leaves=True),
            Step("ha.cut", availability.cut),
            Step("ha.alerts", availability.look_at_alerts),
        ),
    ),
    Section(
        6,
        (
            Step("lost.normal", master_lost.back_to_normal),
            Step("lost.cut", master_lost.cut),
            Step("lost.alerts", master_lost.look_at_alerts),
            Step("lost.back", master_lost.give_back),
            Step("lost.end", master_lost.end),
        ),
    ),
)


def steps_before(number: int) -> tuple[tuple[Section, Step], ...]:
    """The steps of earlier sections that a section builds on."""
    return tuple(
        (section, step) for section in SECTIONS if section.number < number for step in section.steps if step.leaves
    )
