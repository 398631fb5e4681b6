"""The page Alerts as HTML."""

from collections.abc import Sequence
from html import escape as esc

from cardume.console.presenters.alerts import SEVERITIES, SPANS_DAYS, Alert, AlertsPage
from cardume.console.text.catalogue import Texts
from cardume.console.views.markup import link, shape


def page(content: AlertsPage, t: Texts) -> str:
    """Filters, what can be done with all, and a row for each alert."""
    severities = [("", t("alerts.all")), *((str(n), t(f"severity.{n}")) for n in SEVERITIES)]
    pools = [("", t("alerts.all")), *content.pools]
    spans = [(str(days), t(f"alerts.since.{days}")) for days in SPANS_DAYS]
    tools = (
        _select("severity", t("alerts.severity"), severities, content)
        + _select("pool", t("alerts.server"), pools, content)
        + _select("since", t("alerts.since"), spans, content)
        + '<span class="grow"></span>'
        + _button("alerts_export", t("alerts.export"), content)
        + _button("alerts_dismiss_all", t("alerts.dismiss_all"), content)
    )
    return f'<div class="tools">{tools}</div>{_rows(content, t)}'


def _rows(content: AlertsPage, t: Texts) -> str:
    if not content.shown:
        return f'<p class="empty">{esc(t("empty.alerts"))}</p>'
    keys = ("severity", "message", "pool", "date", "actions")
    head = "".join(f'<th scope="col">{esc(t(f"column.{key}"))}</th>' for key in keys)
    body = "".join(f"<tr>{_row(alert, t)}</tr>" for alert in content.shown)
    return (
        f'<div class="scroll told" tabindex="0" role="region" aria-label="{esc(t("page.alerts"))}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(alert: Alert, t: Texts) -> str:
    note = f'<span class="note">{esc(alert.told)}</span>' if alert.told else ""
    if alert.body:
        lead = f"{esc(t('alerts.said'))} " if alert.told else ""
        note += f'<span class="note">{lead}<span lang="en">{esc(alert.body)}</span></span>'  # servers speak English
    name = link(alert.applies_to, alert.place)
    pool = "" if alert.applies_to == alert.where else f'<span class="note">{esc(alert.where)}</span>'
    dismiss = (
        f'<button type="button" class="btn" data-act="alert_dismiss" data-ref="{esc(alert.ref)}" '
        f'data-pool="{esc(alert.pool)}" aria-label="{esc(t("ui.dismiss"))}: {esc(alert.title)}">{esc(t("ui.dismiss"))}</button>'
    )
    return (
        f"<td>{shape(alert.tone)} {esc(t(f'severity.{alert.severity}'))}</td>"
        f'<th scope="row"><span class="text">{esc(alert.title)}{note}</span></th>'
        f'<td><span class="text">{name}{pool}</span></td><td>{esc(alert.date)}</td><td>{dismiss}</td>'
    )


def _select(key: str, label: str, options: Sequence[tuple[str, str]], content: AlertsPage) -> str:
    chosen = content.filters.get(key, "")
    listed = "".join(
        f'<option value="{esc(value)}"{" selected" if value == chosen else ""}>{esc(text)}</option>'
        for value, text in options
    )
    return f'<label>{esc(label)} <select data-change="alerts_filter" data-filter="{key}" data-key="filter-{key}">{listed}</select></label>'


def _button(key: str, label: str, content: AlertsPage) -> str:
    off = "" if content.shown else " disabled"
    return f'<button type="button" class="btn" data-act="{key}" data-key="{key}"{off}>{esc(label)}</button>'
