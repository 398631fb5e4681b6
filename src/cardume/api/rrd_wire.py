"""Archives as XenAPI's clients read them: XML or JSON, of rows since a moment or of everything.

In JSON every number is a text, as in XenServer since 23.31: JSON has no NaN.
"""

import json
import math
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from cardume.core.rrd import HEARTBEAT_S, SPANS, STEP_S, UNKNOWN, Archives, Fold, Track
from cardume.core.rrd_table import Table

XML_TYPE, JSON_TYPE = "text/xml", "application/json"
_DECLARATION = '<?xml version="1.0"?>\n'


def wants_json(accept: str | None, query_says_json: bool) -> bool:
    """What the client would rather have. `*/*` counts as JSON; without any preference the query decides."""
    qualities = dict(_qualities(accept or ""))
    best_json = max((qualities.get(name, 0.0) for name in (JSON_TYPE, "application/*", "*/*")), default=0.0)
    best_xml = max((qualities.get(name, 0.0) for name in (XML_TYPE, "application/xml", "text/html")), default=0.0)
    return best_json > best_xml or query_says_json


def table_json(table: Table) -> str:
    """`/rrd_updates` as JSON."""
    meta = {**_meta(table), "legend": [column.legend for column in table.columns]}
    rows = zip(table.times, table.rows, strict=True)
    data = [{"t": str(time), "values": [number(value) for value in row]} for time, row in rows]
    return json.dumps({"meta": meta, "data": data}, separators=(",", ":"))


def table_xml(table: Table) -> str:
    """`/rrd_updates` as XML."""
    meta = "".join(f"<{name}>{value}</{name}>" for name, value in _meta(table).items())
    legend = "".join(f"<entry>{escape(column.legend)}</entry>" for column in table.columns)
    rows = "".join(f"<row><t>{time}</t>{_values(row)}</row>" for time, row in zip(table.times, table.rows, strict=True))
    return f"{_DECLARATION}<xport><meta>{meta}<legend>{legend}</legend></meta><data>{rows}</data></xport>"


def archives_json(archives: Archives) -> str:
    """`/host_rrd` and `/vm_rrd` as JSON."""
    tracks = _kept(archives)
    rras = [
        {
            "cf": fold.value,
            "pdp_per_row": str(SPANS[span].steps),
            "params": {"xff": "0.5"},
            "cdp_prep": {"ds": [dict(_folding(archives, track, span, fold)) for track in tracks]},
            "database": [[number(value) for value in row] for row in _rows(archives, tracks, span, fold)],
        }
        for fold in Fold
        for span in range(len(SPANS))
    ]
    told = {
        "version": "0003",
        "step": str(STEP_S),
        "lastupdate": str(int(archives.updated_s or 0)),
        "ds": [dict(_source(track)) for track in tracks],
        "rra": rras,
    }
    return json.dumps(told, separators=(",", ":"))


def archives_xml(archives: Archives) -> str:
    """`/host_rrd` and `/vm_rrd` as XML."""
    tracks = _kept(archives)
    parts = [
        _DECLARATION,
        f"<rrd><version>0003</version><step>{STEP_S}</step><lastupdate>{int(archives.updated_s or 0)}</lastupdate>",
        *(f"<ds>{_elements(_source(track))}</ds>" for track in tracks),
    ]
    for fold in Fold:
        for span in range(len(SPANS)):
            folding = "".join(f"<ds>{_elements(_folding(archives, track, span, fold))}</ds>" for track in tracks)
            rows = "".join(f"<row>{_values(row)}</row>" for row in _rows(archives, tracks, span, fold))
            parts.append(
                f"<rra><cf>{fold}</cf><pdp_per_row>{SPANS[span].steps}</pdp_per_row><params><xff>0.5</xff></params>"
                f"<cdp_prep>{folding}</cdp_prep><database>{rows}</database></rra>"
            )
    return "".join([*parts, "</rrd>"])


def number(value: float) -> str:
    """A value to seven digits, never with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.7g}"
    return f"{value:.6f}" if "e" in text else text


def _meta(table: Table) -> dict[str, str]:
    """When no row has come since, the rows begin and end where they would."""
    times = table.times or (0,)
    return {
        "start": str(times[-1]),
        "step": str(table.step_s),
        "end": str(times[0]),
        "rows": str(len(table.rows)),
        "columns": str(len(table.columns)),
    }


def _kept(archives: Archives) -> list[Track]:
    return [track for _, track in sorted(archives.tracks.items()) if track.enabled]


def _source(track: Track) -> Iterator[tuple[str, str]]:
    source = track.source
    yield "name", source.name
    yield "type", source.kind.value
    yield "minimal_heartbeat", number(HEARTBEAT_S)
    yield "min", number(source.least)
    yield "max", number(source.most)
    yield "last_ds", number(track.rate if math.isnan(track.last) else track.last)
    yield "value", number(track.total)
    yield "unknown_sec", number(track.unknown_s)


def _folding(archives: Archives, track: Track, span: int, fold: Fold) -> Iterator[tuple[str, str]]:
    """The row that is being made: what it is of its steps so far."""
    value, unknown = UNKNOWN, 0
    if span > 0:
        total, known, least, most = track.folding[span - 1]
        begun = int((archives.updated_s or 0) // STEP_S) % SPANS[span].steps
        unknown = max(0, begun - known)
        if known:
            value = {Fold.AVERAGE: total / SPANS[span].steps, Fold.MIN: least, Fold.MAX: most}[fold]
    yield "primary_value", number(0.0)
    yield "secondary_value", number(0.0)
    yield "value", number(value if not math.isnan(value) else 0.0)
    yield "unknown_datapoints", str(unknown)


def _rows(archives: Archives, tracks: Iterable[Track], span: int, fold: Fold) -> Iterable[tuple[float, ...]]:
    """All rows of an archive, the oldest first."""
    last, length = archives.last_row(span), SPANS[span].length
    numbers = range(last - length + 1, last + 1)
    columns = [archives.column(track.source.name, span, fold, numbers) for track in tracks]
    return zip(*columns, strict=True) if columns else (() for _ in numbers)


def _elements(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in pairs)


def _values(row: Iterable[float]) -> str:
    return "".join(f"<v>{number(value)}</v>" for value in row)


def _qualities(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            yield name.lower(), float(quality)
        except ValueError:
            yield name.lower(), 0.0
