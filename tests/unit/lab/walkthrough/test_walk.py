"""The order of a walk, and how it ends."""

from collections.abc import Callable
from ipaddress import IPv4Network

import pytest

from cardume.ha.profile import PROFILES
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layout import Lab
from cardume.lab.walkthrough import walk as module
from cardume.lab.walkthrough.availability import LEASE_S
from cardume.lab.walkthrough.findings import Finding, Walk, Walked, expect, told
from cardume.lab.walkthrough.sections import SECTIONS, Section, Step, steps_before
from cardume.lab.walkthrough.stage import Stage, StepFailed
from cardume.lab.walkthrough.storage import read_choices

LAB = Lab("lab", IPv4Network("10.147.0.0/23"), 2)
Act = Callable[[Stage], Finding]


class Quiet:
    """Tells nobody; keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def before(self, number: int) -> None:
        self.heard.append(f"before {number}")

    def making_sure(self, step: Step) -> None:
        self.heard.append(f"sure {step.key}")

    def section(self, section: Section) -> None:
        self.heard.append(f"section {section.number}")

    def step(self, label: str, step: Step) -> None:
        self.heard.append(f"{label} {step.key}")

    def walked(self, walked: Walked) -> None:
        self.heard.append("held" if walked.held else "broken")


def fine(_: Stage) -> Finding:
    return Finding(expectations=(expect("expect.ha_on", True),))


def broken(_: Stage) -> Finding:
    return Finding(expectations=(expect("expect.ha_on", False),))


def failing(_: Stage) -> Finding:
    raise StepFailed(told("failure.other", reason="no"))


def unreachable(_: Stage) -> Finding:
    raise ConnectionRefusedError("nobody there")


def interrupted(_: Stage) -> Finding:
    raise KeyboardInterrupt


def walked(
    monkeypatch: pytest.MonkeyPatch, first: Act, second: Act, only: int | None = None, more: tuple[Step, ...] = ()
) -> tuple[Walk, Quiet]:
    """Two sections of a step each and one that leaves nothing, walked; `more` steps of the second one."""
    sections = (
        Section(1, (Step("a", first, leaves=True), Step("b", fine))),
        Section(2, (Step("c", second), *more)),
    )
    monkeypatch.setattr(module, "SECTIONS", sections)
    monkeypatch.setattr(module, "steps_before", lambda number: ((sections[0], sections[0].steps[0]),))
    teller = Quiet()
    return module.walk(Stage(LabHandle(LAB), "fast", lambda what: None), teller, only, 0.0), teller


def test_every_step_is_walked_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, teller = walked(monkeypatch, fine, fine)

    assert walk.held
    assert teller.heard == ["section 1", "1.1 a", "held", "1.2 b", "held", "section 2", "2.1 c", "held"]


def test_an_expectation_that_does_not_hold_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, _ = walked(monkeypatch, broken, fine)

    assert not walk.held
    assert [step.label for step in walk.steps] == ["1.1", "1.2", "2.1"]


@pytest.mark.parametrize(("act", "reason"), [(failing, "no"), (unreachable, "nobody there")])
def test_a_step_that_cannot_be_ended_is_the_last(monkeypatch: pytest.MonkeyPatch, act: Act, reason: str) -> None:
    walk, teller = walked(monkeypatch, act, fine)

    assert [step.failure for step in walk.steps] == [told("failure.other", reason=reason)]
    assert "section 2" not in teller.heard


def test_one_section_alone_makes_sure_of_what_earlier_ones_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, teller = walked(monkeypatch, fine, fine, only=2)

    assert teller.heard == ["before 2", "sure a", "section 2", "2.1 c", "held"]
    assert [step.label for step in walk.steps] == ["2.1"]


def test_it_is_not_walked_when_what_it_builds_on_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, _ = walked(monkeypatch, broken, fine, only=2)

    assert walk.failure == told("failure.broken_before", what=told("expect.ha_on"))
    assert not walk.held


def test_an_interrupted_walk_keeps_what_was_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, _ = walked(monkeypatch, fine, fine, more=(Step("d", interrupted),))

    assert walk.failure == told("failure.interrupted")
    assert [step.label for step in walk.steps] == ["1.1", "1.2", "2.1"]
    assert not walk.held


def test_a_walk_that_nobody_presses_a_key_for_keeps_what_was_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_key(_: Quiet, label: str, step: Step) -> None:
        if label == "2.1":
            raise LabError("standard input has ended")

    monkeypatch.setattr(Quiet, "step", no_key)
    walk, _ = walked(monkeypatch, fine, fine)

    assert walk.failure == told("failure.other", reason="standard input has ended")
    assert [step.label for step in walk.steps] == ["1.1", "1.2"]


def test_the_sections_are_the_handouts_in_order() -> None:
    assert [section.number for section in SECTIONS] == [1, 2, 3, 4, 5, 6]
    assert [step.key for _, step in steps_before(3)] == ["pool.clear", "pool.join", "storage.create"]
    assert "ha.cut" not in [step.key for _, step in steps_before(6)]


def test_no_step_is_named_twice() -> None:
    keys = [step.key for section in SECTIONS for step in section.steps]
    assert len(keys) == len(set(keys))


def test_the_times_are_those_of_the_profiles() -> None:
    assert {name: PROFILES[name].lease_s for name in LEASE_S} == LEASE_S


def test_a_probes_choices_are_read() -> None:
    text = "<iscsi-target><LUN><LUNid>1</LUNid><serial>080</serial><vendor/></LUN></iscsi-target>"

    assert read_choices(text) == [{"LUNid": "1", "serial": "080", "vendor": ""}]


def test_a_lost_host_is_not_asked_for_the_master() -> None:
    stage = Stage(LabHandle(LAB), "fast", lambda what: None, off=["d1-g1", "d2-g1"])

    with pytest.raises(LabError, match="no host answers"):
        stage.find_master_address()
