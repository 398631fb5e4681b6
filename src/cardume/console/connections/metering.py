"""What the hosts of a pool measure: the newest values, and histories for graphs."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.xenapi import server_of

EVERY_S = 5.0

Values = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class History:
    """Rows of measurements, the oldest first: the moment of each, and the values of each data source."""

    moments: tuple[float, ...]
    series: Mapping[tuple[str, str], tuple[float, ...]]  # (uuid, data source)


async def newest(connection: Connection) -> Values:
    """The newest values of every host and VM, by uuid and data source; a host that does not answer is left out."""
    hosts = [host for host in connection.cache.all("host").values() if _is_live(connection, host)]
    answers = await asyncio.gather(*(_ask(connection, host, -15.0) for host in hosts))
    found: Values = {}
    for history in answers:
        if history is None:
            continue
        for (uuid, source), values in history.series.items():
            known = [value for value in values if not math.isnan(value)]
            if known:
                found.setdefault(uuid, {})[source] = known[-1]
    return found


async def history(connection: Connection, host: Mapping[str, Any], since: float) -> History:
    """What a host, with the guests that run on it, measured since a moment; a negative one is before now."""
    found = await _ask(connection, host, since)
    return found or History((), {})


def _is_live(connection: Connection, host: Mapping[str, Any]) -> bool:
    metrics = connection.cache.find("host_metrics", host["metrics"])
    return bool(metrics and metrics["live"])


async def _ask(connection: Connection, host: Mapping[str, Any], since: float) -> History | None:
    query = {"start": str(int(since)), "host": "true", "cf": "AVERAGE", "json": "true"}
    try:
        server = connection.server_of_host(host) or server_of(host["address"])
        return read_history(await connection.api.get_json("/rrd_updates", query, server))
    except (Refused, Unreachable, UntrustedKey, KeyError, TypeError, ValueError):
        return None


def read_history(answer: Mapping[str, Any]) -> History:
    """The rows that `/rrd_updates` answered as JSON; ValueError, KeyError or TypeError when it is something else."""
    legend = [_column(entry) for entry in answer["meta"]["legend"]]
    rows: Sequence[Mapping[str, Any]] = answer["data"]
    moments = tuple(float(row["t"]) for row in reversed(rows))
    columns: list[list[float]] = [[] for _ in legend]
    for row in reversed(rows):
        for column, value in zip(columns, row["values"], strict=True):
            column.append(float(value))
    series = {key: tuple(column) for key, column in zip(legend, columns, strict=True)}
    return History(moments, series)


def _column(entry: str) -> tuple[str, str]:
    """`AVERAGE:vm:UUID:cpu0` as uuid and data source."""
    _, _, uuid, source = entry.split(":", 3)
    return uuid, source
