"""The page Alerts: what pools have to tell, by severity, place and date."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts, epoch_of

SEVERITIES = (1, 2, 3, 4, 5)
SPANS_DAYS = (0, 1, 7, 30)
MOST_SHOWN = 1000
_TONES = {1: "error", 2: "error", 3: "warn", 4: "ok", 5: "info"}
_CLASSES = {"VM": "vm", "Host": "host", "SR": "sr", "Pool": "pool"}


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of the page."""

    ref: str
    pool: str  # uuid
    severity: int
    tone: str
    title: str
    body: str
    applies_to: str
    place: str
    where: str
    at: float
    date: str
    told: str = ""  # in words of the console's own what it means, and what to do


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """The rows that pass the filters, how many there are without them, and what filters offer."""

    shown: tuple[Alert, ...]
    total: int
    pools: tuple[tuple[str, str], ...]
    filters: Mapping[str, str]


def count_alerts(sources: Sequence[Source]) -> int:
    """How many alerts want attention: all but mere information."""
    return sum(int(one["priority"]) <= 3 for source in sources for one in source.cache.all("message").values())


def alerts_page(sources: Sequence[Source], filters: Mapping[str, str], t: Texts, now: float) -> AlertsPage:
    """The newest first."""
    every = [_alert(source, ref, one, t) for source in sources for ref, one in source.cache.all("message").items()]
    shown = [alert for alert in every if _passes(alert, filters, now)]
    shown.sort(key=lambda alert: alert.at, reverse=True)
    pools = tuple((source.uuid, source.name) for source in sources if source.pool is not None)
    return AlertsPage(tuple(shown[:MOST_SHOWN]), len(every), pools, filters)


def ha_alerts(source: Source, t: Texts) -> list[Alert]:
    """What high availability told of a pool and of its master, the newest first."""
    listed = [
        _alert(source, ref, one, t)
        for ref, one in source.cache.all("message").items()
        if str(one["name"]).startswith("HA_") or one["name"] == "POOL_MASTER_TRANSITION"
    ]
    return sorted(listed, key=lambda alert: alert.at, reverse=True)


def as_csv(alerts: Sequence[Alert], t: Texts) -> str:
    """The alerts as a table for other programs."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("Title", "Severity", "Description", "Applies To", "Timestamp"))
    for alert in alerts:
        row = (alert.title, t(f"severity.{alert.severity}"), alert.body or alert.told, alert.applies_to, alert.date)
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def _passes(alert: Alert, filters: Mapping[str, str], now: float) -> bool:
    severity, pool, days = (filters.get(key, "") for key in ("severity", "pool", "since"))
    if severity and alert.severity != int(severity):
        return False
    if pool and alert.pool != pool:
        return False
    return not days or days == "0" or alert.at > now - int(days) * 86400


def _alert(source: Source, ref: str, message: Record, t: Texts) -> Alert:
    severity = min(max(int(message["priority"]), 1), 5)
    name, cls = str(message["name"]), _CLASSES.get(str(message["cls"]), "")
    found = source.cache.find_ref(cls, message["obj_uuid"]) if cls else None
    subject = source.cache.find(cls, found) if found else None
    applies_to = subject["name_label"] if subject and subject["name_label"] else source.name
    at = epoch_of(message["timestamp"])
    place = Place(cls, source.uuid, message["obj_uuid"]).path if subject and cls != "pool" else ""
    title = t(f"alert.{name}") if t.has(f"alert.{name}") else name.replace("_", " ").capitalize()
    body = str(message["body"])
    told = _told(name, body, applies_to, source, t)
    if told and (body.isdecimal() or body.startswith("<body>")):
        body = ""  # for programs: the sentence has it
    return Alert(
        ref,
        source.uuid,
        severity,
        _TONES[severity],
        title,
        body,
        applies_to,
        place,
        source.name,
        at,
        t.moment(at),
        told,
    )


def _told(name: str, body: str, applies_to: str, source: Source, t: Texts) -> str:
    """What an alert means, in the reader's language; empty when the console has no words for it."""
    if name == "HA_POOL_DROP_IN_PLAN_EXISTS_FOR" and body.isdecimal():
        return t("told.drop_to_none" if body == "0" else "told.drop", pool=source.name, n=body)
    key = f"told.{name}"
    return t(key, name=applies_to, pool=source.name) if t.has(key) else ""
