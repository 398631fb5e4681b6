"""The tab Performance: which data sources make which graph, and what they are called."""

import math
import re
from collections.abc import Callable
from typing import Any

from cardume.console.connections.metering import History
from cardume.console.text.catalogue import Texts

KINDS = ("cpu", "memory", "network", "disk")
SPANS_S = (600, 7200, 604800, 31622400)
MOST_CORES = 8
_CORE = re.compile(r"cpu\d+")
_CARD = re.compile(r"(?:vif_\d+|pif_(?!aggr)\w+?)_(?:rx|tx)")
_DRIVE = re.compile(r"vbd_\w+?_(?:read|write)")
_KIB = 1024.0


def graph(kind: str, uuid: str, history: History | None, t: Texts) -> dict[str, Any]:
    """A graph as the page's module draws it: moments, and values of each line in one unit; unknown ones are None."""
    unit, most = {"cpu": ("share", 1.0), "memory": ("size", None)}.get(kind, ("rate", None))
    if history is None:
        return {"unit": unit, "most": most, "moments": [], "series": []}
    names = sorted(source for owner, source in history.series if owner == uuid)
    lines = _LINES[kind](names, t)
    series = []
    for source, name, factor in lines:
        values = history.series[uuid, source]
        series.append({"name": name, "values": [None if math.isnan(one) else one * factor for one in values]})
    return {"unit": unit, "most": most, "moments": list(history.moments), "series": series}


Line = tuple[str, str, float]  # data source, name, factor to the graph's unit


def _cpu(names: list[str], t: Texts) -> list[Line]:
    cores = sorted((name for name in names if _CORE.fullmatch(name)), key=lambda name: int(name[3:]))
    if len(cores) > MOST_CORES:
        whole = next((name for name in ("cpu_avg", "cpu_usage") if name in names), None)
        return [(whole, t("graph.cpu_all"), 1.0)] if whole else []
    return [(name, f"CPU {name[3:]}", 1.0) for name in cores]


def _memory(names: list[str], t: Texts) -> list[Line]:
    known = (
        ("memory_total_kib", "graph.memory_total", _KIB),
        ("memory_free_kib", "graph.memory_free", _KIB),
        ("memory", "graph.memory_given", 1.0),
        ("memory_internal_free", "graph.memory_inside", _KIB),
    )
    return [(name, t(key), factor) for name, key, factor in known if name in names]


def _matching(pattern: re.Pattern[str]) -> Callable[[list[str], Texts], list[Line]]:
    def lines(names: list[str], t: Texts) -> list[Line]:
        found = []
        for name in names:
            if pattern.fullmatch(name) and "iops" not in name:
                _, *device, way = name.split("_")
                found.append((name, f"{' '.join(device)} {t(f'graph.{way}')}", 1.0))
        return found

    return lines


_LINES: dict[str, Callable[[list[str], Texts], list[Line]]] = {
    "cpu": _cpu,
    "memory": _memory,
    "network": _matching(_CARD),
    "disk": _matching(_DRIVE),
}
