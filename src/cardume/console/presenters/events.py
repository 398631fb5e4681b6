"""The events drawer: what goes on and went on, from the server's own tasks and from what was started here."""

from collections.abc import Sequence
from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.connections.workspace import Job
from cardume.console.presenters.refusals import explain
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts, epoch_of


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the drawer."""

    key: str
    title: str
    pool: str
    pool_uuid: str
    state: str
    tone: str
    progress: float  # of one
    began: str
    took: str
    place: str = ""
    error: str = ""
    raw: str = ""
    can_cancel: bool = False
    at: float = 0.0


_TONES = {"pending": "info", "success": "ok", "failure": "error", "cancelling": "warn", "cancelled": "off"}
MOST_EVENTS = 200


def events(sources: Sequence[Source], jobs: Sequence[Job], t: Texts, now: float) -> list[Event]:
    """The newest first: every task of every pool, named as it was started here where it was."""
    by_task = {job.task: job for job in jobs if job.task}
    found = [
        _task(source, ref, task, by_task.get(ref), t, now)
        for source in sources
        for ref, task in source.cache.all("task").items()
    ]
    known = {event.key for event in found}
    found += [_job(number, job, t, now) for number, job in enumerate(jobs) if job.task not in known]
    return sorted(found, key=lambda event: event.at, reverse=True)[:MOST_EVENTS]


def _task(source: Source, ref: str, task: Record, job: Job | None, t: Texts, now: float) -> Event:
    began, status = epoch_of(str(task["created"])), str(task["status"])
    ended = epoch_of(str(task["finished"])) or now
    info = tuple(str(part) for part in task["error_info"])
    if job is not None and status == "success" and (job.runs or job.error):
        # The task was a step: what was started here is over when its last step is.
        status, info, ended = _status(job), job.error, job.ended_at or now
    is_over = status in ("success", "failure", "cancelled")
    name = str(task["name_label"])
    return Event(
        ref,
        job.title if job else task_title(name, t),
        source.name,
        source.uuid,
        t(f"task.{status}"),
        _TONES.get(status, "info"),
        1.0 if is_over else float(task["progress"]),
        t.moment(began),
        t.duration((ended if is_over else now) - began),
        job.place if job else "",
        explain(info, t) if info and status == "failure" else "",
        _raw(info),
        "cancel" in task["allowed_operations"] and status == "pending",
        began,
    )


def task_title(name: str, t: Texts) -> str:
    """What a task does, by the message that made it."""
    plain = name.removeprefix("Async.")
    key = f"message.{plain}"
    return t(key) if t.has(key) else plain


def _job(number: int, job: Job, t: Texts, now: float) -> Event:
    status = _status(job)
    return Event(
        f"job{number}",
        job.title,
        "",
        "",
        t(f"task.{status}"),
        _TONES[status],
        0.0 if job.runs else 1.0,
        t.moment(job.started_at),
        t.duration((job.ended_at or now) - job.started_at),
        job.place,
        explain(job.error, t) if job.error else "",
        _raw(job.error),
        False,
        job.started_at,
    )


def _status(job: Job) -> str:
    return "pending" if job.runs else "failure" if job.error else "success"


def _raw(details: Sequence[str]) -> str:
    """An error as the server told it, but for a session: whoever reads its reference has it."""
    return details[0] if details and details[0] == "SESSION_INVALID" else ": ".join(details)
