"""The tab Performance: which data sources make which graph, what they are called, and which time is shown."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cardume.console.connections.metering import History
from cardume.console.presenters.marks import Mark, marks_as_json
from cardume.console.text.catalogue import Texts

KINDS = ("cpu", "memory", "network", "disk", "requests", "latency", "sr", "load")
USUAL = {"vm": ("cpu", "memory", "network", "disk"), "host": ("cpu", "memory", "network")}
MORE = {"vm": ("requests", "latency"), "host": ("sr", "requests", "latency", "load")}
SPANS_S = (600, 7200, 604800, 31622400)
ARCHIVES = ((600, 5), (7200, 60), (604800, 3600), (31622400, 86400))
"""What hosts keep: how far it reaches back, and how long a row is."""
LEAST_ROWS = 12
MOST_CORES = 8
MOST_LINES = 32
_CORE = re.compile(r"cpu\d+")
_CARD = re.compile(r"(?:vif_\d+|pif_(?!aggr)\w+?)_(?:rx|tx)")
_DRIVE = re.compile(r"vbd_\w+?_(?:read|write)")
_OF_A_DRIVE = {
    "requests": re.compile(r"vbd_(\w+?)_iops_(read|write)"),
    "latency": re.compile(r"vbd_(\w+?)_(read|write)_latency"),
}
_OF_AN_SR = {
    "sr": re.compile(r"io_throughput_(read|write)_([0-9a-f]{8})"),
    "requests": re.compile(r"iops_(read|write)_([0-9a-f]{8})"),
    "latency": re.compile(r"(read|write)_latency_([0-9a-f]{8})"),
}
_KIB, _MIB = 1024.0, 1024.0**2
_UNITS = {"cpu": "share", "memory": "size", "requests": "count", "latency": "time", "load": "number"}

Named = Mapping[str, str]
"""Names of repositories by the first eight letters of their uuid."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks of a graph: the newest seconds, or a time (epoch); chosen lines, None for the usual ones."""

    kind: str
    span_s: float
    begin: float = 0.0
    end: float = 0.0
    chosen: tuple[str, ...] | None = None

    @property
    def is_live(self) -> bool:
        return not self.end


@dataclass(frozen=True, slots=True)
class Line:
    """A data source: its name for people, the factor to the graph's unit, and whether it is drawn unless asked."""

    source: str
    name: str
    factor: float = 1.0
    is_usual: bool = True


def read_asked(query: Mapping[str, str], now: float) -> Asked | None:
    """What a page asks for; None when that is nonsense."""
    kind, span, show = query.get("kind", ""), query.get("span", ""), query.get("show")
    if kind not in KINDS or not span.isdecimal() or int(span) not in SPANS_S:
        return None
    chosen = None if show is None else tuple(show.split(",")[:MOST_LINES])
    if "from" not in query:
        return Asked(kind, float(span), chosen=chosen)
    try:
        begin, end = float(query["from"]), float(query.get("to", ""))
    except ValueError:
        return None
    if not (math.isfinite(begin) and math.isfinite(end)):
        return None
    return Asked(kind, float(span), *fit(begin, end, now), chosen)


def fit(begin: float, end: float, now: float) -> tuple[float, float]:
    """A time that hosts have rows of: not after now, within a year, and wide enough for the rows of its age."""
    oldest = now - ARCHIVES[-1][0]
    for _ in ARCHIVES:
        begin, end = min(begin, now), min(end, now)
        step_s = next((step for reach, step in ARCHIVES if begin >= now - reach), ARCHIVES[-1][1])
        lacking = LEAST_ROWS * step_s - (end - begin)
        if lacking <= 0:
            break
        begin, end = begin - lacking / 2, end + lacking / 2
        begin, end = begin - max(end - now, 0.0), min(end, now)
    if begin < oldest:
        begin, end = oldest, max(min(oldest + end - begin, now), oldest + LEAST_ROWS * ARCHIVES[-1][1])
    return begin, end


def graph(
    asked: Asked,
    uuid: str,
    history: History | None,
    t: Texts,
    *,
    named: Named | None = None,
    marks: Sequence[Mark] = (),
) -> dict[str, Any]:
    """A graph as the page's module draws it: moments, and values of each line in one unit; unknown ones are None."""
    drawn: dict[str, Any] = {
        "unit": _UNITS.get(asked.kind, "rate"),
        "most": 1.0 if asked.kind == "cpu" else None,
        "moments": [],
        "series": [],
        "choices": [],
        "marks": [],
    }
    if not asked.is_live:
        drawn |= {"from": asked.begin, "to": asked.end}
    if history is None:
        return drawn
    if not asked.is_live:
        history = _until(history, asked.end)
    names = sorted(source for owner, source in history.series if owner == uuid)
    lines = _LINES[asked.kind](names, t, named or {})
    shown = [line for line in lines if (line.is_usual if asked.chosen is None else line.source in asked.chosen)]
    shown = shown[:MOST_LINES]
    end = asked.end or (history.moments[-1] if history.moments else 0.0)
    begin = asked.begin if not asked.is_live else end - asked.span_s
    return drawn | {
        "moments": list(history.moments),
        "series": [
            {"source": line.source, "name": line.name, "values": _values(line, uuid, history)} for line in shown
        ],
        "choices": [{"source": line.source, "name": line.name, "usual": line.is_usual} for line in lines],
        "marks": marks_as_json(marks, begin, end, t),
    }


def _until(history: History, end: float) -> History:
    """The rows of a time, with the first one after it, so that lines go on to its edge."""
    count = sum(moment <= end for moment in history.moments) + 1
    series = {key: values[:count] for key, values in history.series.items()}
    return History(history.moments[:count], series)


def _values(line: Line, uuid: str, history: History) -> list[float | None]:
    values = history.series[uuid, line.source]
    return [None if math.isnan(one) else one * line.factor for one in values]


def _cpu(names: list[str], t: Texts, _: Named) -> list[Line]:
    cores = sorted((name for name in names if _CORE.fullmatch(name)), key=lambda name: int(name[3:]))
    whole = next((name for name in ("cpu_avg", "cpu_usage") if name in names), None)
    is_many = len(cores) > MOST_CORES
    lines = [Line(whole, t("graph.cpu_all"), is_usual=is_many)] if whole else []
    return [*lines, *(Line(name, f"CPU {name[3:]}", is_usual=not is_many) for name in cores)]


def _memory(names: list[str], t: Texts, _: Named) -> list[Line]:
    known = (
        Line("memory_total_kib", t("graph.memory_total"), _KIB),
        Line("memory_free_kib", t("graph.memory_free"), _KIB),
        Line("memory", t("graph.memory_given")),
        Line("memory_target", t("graph.memory_target"), is_usual=False),
        Line("memory_internal_free", t("graph.memory_inside"), _KIB),
    )
    return [line for line in known if line.source in names]


def _network(names: list[str], t: Texts, _: Named) -> list[Line]:
    found = []
    for name in names:
        if _CARD.fullmatch(name):
            found.append(_of_a_device(name, t))
    whole = [
        Line(f"pif_aggr_{way}", f"{t('graph.all_cards')} {t(f'graph.{way}')}", is_usual=False) for way in ("rx", "tx")
    ]
    return [*found, *(line for line in whole if line.source in names)]


def _disk(names: list[str], t: Texts, _: Named) -> list[Line]:
    found = []
    for name in names:
        if _DRIVE.fullmatch(name) and "iops" not in name:
            found.append(_of_a_device(name, t))
    return found


def _of_a_device(name: str, t: Texts) -> Line:
    """`vif_0_rx` as `0 received`."""
    _, *device, way = name.split("_")
    return Line(name, f"{' '.join(device)} {t(f'graph.{way}')}")


def _of(kind: str) -> Callable[[list[str], Texts, Named], list[Line]]:
    """Lines of drives and of repositories."""
    drive, sr = _OF_A_DRIVE.get(kind), _OF_AN_SR[kind]
    factor = _MIB if kind == "sr" else 1.0

    def lines(names: list[str], t: Texts, named: Named) -> list[Line]:
        found = []
        for name in names:
            if drive and (match := drive.fullmatch(name)):
                found.append(Line(name, f"{match[1]} {t(f'graph.{match[2]}')}", factor))
            elif match := sr.fullmatch(name):
                found.append(Line(name, f"{named.get(match[2], match[2])} {t(f'graph.{match[1]}')}", factor))
        return sorted(found, key=lambda line: line.name.casefold())

    return lines


def _load(names: list[str], t: Texts, _: Named) -> list[Line]:
    return [Line("loadavg", t("graph.load_average"))] if "loadavg" in names else []


_LINES: dict[str, Callable[[list[str], Texts, Named], list[Line]]] = {
    "cpu": _cpu,
    "memory": _memory,
    "network": _network,
    "disk": _disk,
    "requests": _of("requests"),
    "latency": _of("latency"),
    "sr": _of("sr"),
    "load": _load,
}
