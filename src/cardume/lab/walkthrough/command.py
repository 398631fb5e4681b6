"""`cardume lab walkthrough`: the walk from its lab to its report and exit status."""

import time
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from cardume.lab import room, starting_point, web_console
from cardume.lab.cache import Progress
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layout import DEFAULT_NAME, Lab, find_lab, plan_lab, write_whole
from cardume.lab.walkthrough.availability import LEASE_S
from cardume.lab.walkthrough.findings import Walk
from cardume.lab.walkthrough.master_lost import power_on
from cardume.lab.walkthrough.report import PAGE, report_files, summary_lines
from cardume.lab.walkthrough.stage import Stage, StepFailed
from cardume.lab.walkthrough.telling import Telling
from cardume.lab.walkthrough.texts import Words
from cardume.lab.walkthrough.walk import walk

OWN_NAME, OWN_SUBNET = "walk", "10.149.0.0/23"
"""Of the lab that is made for a walk from the beginning."""
_OWN_MARK = "walkthrough"
INTERRUPTED = 130


def plan(name: str | None, subnet: str | None, keep: bool) -> Lab:
    """The lab that is to be walked in; LabError rather than a lab removed that somebody else works in."""
    if keep:
        lab = room.plan_up(name or DEFAULT_NAME, subnet, None)
    else:
        present = find_lab(name or OWN_NAME)
        if present is not None and not (present.directory / _OWN_MARK).exists():
            raise LabError(
                f"the lab {present.name} is there, and a walk from the beginning would remove it with its disks: "
                f"walk in it as it is (--keep), take another --name, or forget it first: "
                f"cardume lab down --name {present.name}"
            )
        lab = plan_lab(name or OWN_NAME, subnet or OWN_SUBNET, 2)
    if lab.host_count < 2:
        raise LabError(f"the lab {lab.name} has one host; the course needs two: cardume lab up --hosts 2")
    return lab


def bring_up(lab: Lab, keep: bool, progress: Progress) -> None:
    """The lab up: from the beginning, or completed as it is."""
    if not keep:
        room.down(lab.name, progress)
        lab.directory.mkdir(parents=True)
        (lab.directory / _OWN_MARK).touch()
    room.up(lab, progress, starting_point.reach)
    web_console.ensure(lab)


def go(
    lab: Lab, console: Console, words: Words, *, section: int | None, step: bool, profile: str, report: Path
) -> None:
    """Walk, tell, report; typer.Exit with status 0 only when every expectation held."""
    telling = Telling(console, words, step)
    stage = Stage(LabHandle(lab), profile, telling.progress)
    with telling.shown():
        walked = walk(stage, telling, section, time.time())
        if walked.held and stage.off:
            walked = _with_power(stage, walked)
    paths = write_report(walked, words, report)
    console.print()
    for line in summary_lines(walked, words):
        console.print(line, style="bold green" if walked.held else "bold red", highlight=False, markup=False)
    telling.say("end.report", path=str(paths))
    if stage.off:
        telling.say("end.power", hosts=", ".join(stage.off), lab=lab.name)
    telling.say("end.lab", lab=lab.name)
    if not walked.held:
        interrupted = walked.failure is not None and walked.failure.key == "failure.interrupted"
        raise typer.Exit(INTERRUPTED if interrupted else 1)


def _with_power(stage: Stage, walked: Walk) -> Walk:
    """The walk with its hosts' power given back, where its last section has cut it."""
    try:
        power_on(stage)
    except StepFailed as failed:
        return replace(walked, failure=failed.why)
    return walked


def write_report(walked: Walk, words: Words, folder: Path) -> Path:
    """Write the report's files into a folder; the page to open."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in report_files(walked, words).items():
            write_whole(folder / name, text)
    except OSError as error:
        raise LabError(f"the report could not be written to {folder}: {error}") from None
    return folder / PAGE


def check_profile(profile: str) -> str:
    """Refuse a profile that there is not."""
    if profile not in LEASE_S:
        raise typer.BadParameter(f"one of {', '.join(LEASE_S)}")
    return profile
