"""A walk: sections in order, each step acted, told and kept for the report."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import XenAPI

from cardume.lab.api import UNREACHABLE
from cardume.lab.errors import LabError
from cardume.lab.walkthrough.findings import Finding, Told, Walk, Walked, told
from cardume.lab.walkthrough.sections import SECTIONS, Section, Step, steps_before
from cardume.lab.walkthrough.stage import Stage, StepFailed


class Teller(Protocol):
    """Who tells a person how the walk goes."""

    def before(self, number: int) -> None: ...

    def making_sure(self, step: Step) -> None: ...

    def section(self, section: Section) -> None: ...

    def step(self, label: str, step: Step) -> None: ...

    def walked(self, walked: Walked) -> None: ...


def walk(stage: Stage, teller: Teller, only: int | None, began_s: float) -> Walk:
    """The walk through all sections, or through one after what earlier ones leave was made sure of.

    It ends at the first step that cannot be ended; an expectation that does not hold ends nothing.
    """
    steps: list[Walked] = []
    failure = None
    try:
        if only is not None and only > 1:
            failure = _make_sure(stage, teller, only)
        if failure is None:
            for section in SECTIONS:
                if only in (None, section.number) and not (steps and steps[-1].failure):
                    teller.section(section)
                    for step in _walk_section(stage, teller, section):
                        steps.append(step)
    except KeyboardInterrupt:
        failure = told("failure.interrupted")
    except LabError as error:  # nobody is there to press a key
        failure = told("failure.other", reason=str(error))
    return Walk(stage.lab.lab.name, began_s, time.time() - began_s, stage.profile, tuple(steps), failure)


def _make_sure(stage: Stage, teller: Teller, number: int) -> Told | None:
    """What earlier sections leave, brought about; why not, if it could not be."""
    teller.before(number)
    for section, step in steps_before(number):
        teller.making_sure(step)
        done = _act(stage, section, section.steps.index(step) + 1, step)
        if done.failure is not None:
            return done.failure
        for each in done.finding.expectations:
            if not each.held:
                return told("failure.broken_before", what=each.told)
    return None


def _walk_section(stage: Stage, teller: Teller, section: Section) -> Iterator[Walked]:
    for number, step in enumerate(section.steps, 1):
        teller.step(f"{section.number}.{number}", step)
        done = _act(stage, section, number, step)
        teller.walked(done)
        yield done
        if done.failure is not None:
            break


def _act(stage: Stage, section: Section, number: int, step: Step) -> Walked:
    """The step, done; what kept it from its end is told in it."""
    began = time.monotonic()
    finding, failure = _tried(lambda: step.act(stage))
    return Walked(section.number, number, step.key, time.monotonic() - began, finding, failure)


def _tried(act: Callable[[], Finding]) -> tuple[Finding, Told | None]:
    try:
        return act(), None
    except StepFailed as failed:
        return Finding(), failed.why
    except (LabError, XenAPI.Failure, *UNREACHABLE) as error:
        return Finding(), told("failure.other", reason=str(error))
