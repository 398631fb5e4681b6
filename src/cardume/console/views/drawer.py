"""The drawer at the bottom: the newest event in one line, or all of them."""

from collections.abc import Sequence
from html import escape as esc

from cardume.console.connections.workspace import Job
from cardume.console.presenters.events import Event, events
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts
from cardume.console.views.markup import link, shape


def drawer(sources: Sequence[Source], jobs: Sequence[Job], t: Texts, now: float, *, is_open: bool) -> str:
    """The strip, and below it the rows while it is open."""
    found = events(sources, jobs, t, now)
    running = sum(event.tone == "info" for event in found)
    last = found[0] if found else None
    latest = (
        f"{shape(last.tone)} {esc(last.title)} – {esc(last.state)}{_percent(last, t)}"
        if last
        else esc(t("empty.events"))
    )
    count = f'<span class="count">{running}</span>' if running else ""
    strip = (
        f'<button type="button" class="strip" data-act="drawer" data-key="drawer" aria-expanded="{str(is_open).lower()}">'
        f'<strong>{esc(t("ui.events"))}</strong>{count}<span class="latest" aria-live="polite">{latest}</span></button>'
    )
    return strip + (_rows(found, t) if is_open else "")


def _rows(found: Sequence[Event], t: Texts) -> str:
    if not found:
        return f'<p class="empty">{esc(t("empty.events"))}</p>'
    head = "".join(
        f'<th scope="col">{esc(t(f"column.{key}"))}</th>'
        for key in ("message", "state", "pool", "date", "took", "actions")
    )
    body = "".join(f"<tr>{_row(event, t)}</tr>" for event in found)
    return (
        f'<div class="scroll rows" tabindex="0" role="region" aria-label="{esc(t("ui.events"))}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(event: Event, t: Texts) -> str:
    error = ""
    if event.error:
        error = (
            f'<p class="error">{esc(event.error)}</p><details><summary>{esc(t("ui.details"))}</summary>'
            f"<code>{esc(event.raw)}</code></details>"
        )
    cancel = ""
    if event.can_cancel:
        cancel = (
            f'<button type="button" class="btn" data-act="cancel_task" data-task="{esc(event.key)}" '
            f'data-pool="{esc(event.pool_uuid)}" data-key="cancel-{esc(event.key)}">{esc(t("ui.cancel"))}</button>'
        )
    bar = ""
    if event.tone == "info":
        bar = f'<span class="bar" aria-hidden="true"><span style="width:{event.progress * 100:.0f}%"></span></span>'
    return (
        f'<th scope="row">{link(event.title, event.place)}{error}</th>'
        f"<td>{shape(event.tone)} {esc(event.state)}{_percent(event, t)}{bar}</td>"
        f"<td>{esc(event.pool)}</td><td>{esc(event.began)}</td><td>{esc(event.took)}</td><td>{cancel}</td>"
    )


def _percent(event: Event, t: Texts) -> str:
    return f" {t.share(event.progress)}" if event.tone == "info" and event.progress > 0 else ""
