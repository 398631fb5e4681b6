"""Which lab is walked in, and which one is never removed."""

from pathlib import Path

import pytest

from cardume.lab import layout
from cardume.lab.errors import LabError
from cardume.lab.layout import plan_lab, remember
from cardume.lab.walkthrough.command import OWN_NAME, OWN_SUBNET, plan


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layout, "STATE", tmp_path)
    return tmp_path


def test_without_a_word_it_is_a_lab_of_its_own() -> None:
    lab = plan(None, None, keep=False)

    assert (lab.name, str(lab.subnet), lab.host_count) == (OWN_NAME, OWN_SUBNET, 2)


def test_a_lab_that_somebody_else_made_is_not_removed() -> None:
    remember(plan_lab("second", "10.200.0.0/23", 2))

    with pytest.raises(LabError, match="would remove it with its disks"):
        plan("second", None, keep=False)


def test_a_lab_that_a_walk_has_made_is_made_anew(state: Path) -> None:
    remember(plan_lab("walk", "10.200.0.0/23", 2))
    (state / "walk" / "walkthrough").touch()

    assert str(plan(None, None, keep=False).subnet) == OWN_SUBNET


def test_the_present_lab_is_walked_in_as_it_is() -> None:
    remember(plan_lab("lab", "10.200.0.0/23", 3))

    lab = plan(None, None, keep=True)
    assert (lab.name, str(lab.subnet), lab.host_count) == ("lab", "10.200.0.0/23", 3)


def test_one_host_is_not_enough() -> None:
    remember(plan_lab("lab", "10.200.0.0/23", 1))

    with pytest.raises(LabError, match="the course needs two"):
        plan(None, None, keep=True)
