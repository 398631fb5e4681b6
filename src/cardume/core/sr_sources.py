"""What is measured of an SR: what each host's guests do to it, taken together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cardume.core.rrd import UNKNOWN, SourceNow

_WEIGHTS = {"read_latency": "iops_read", "write_latency": "iops_write", "latency": "iops_total"}


def source_on_host(name: str, sr: str) -> str:
    """What a host calls a source of an SR: it is one of many there."""
    return f"{name}_{sr[:8]}"


def sources_of_sr(hosts: Iterable[Sequence[SourceNow]], sr: str) -> tuple[SourceNow, ...]:
    """An SR's sources from those of all hosts, by name: rates are added, a latency is that of the mean request."""
    suffix = source_on_host("", sr)
    here = [
        {each.source.name.removesuffix(suffix): each for each in host if each.source.name.endswith(suffix)}
        for host in hosts
    ]
    return tuple(_together(name, here) for name in sorted({name for host in here for name in host}))


def _together(name: str, hosts: Sequence[Mapping[str, SourceNow]]) -> SourceNow:
    having = [host for host in hosts if name in host]
    source = having[0][name].source
    what = source.description.partition(" of this host")[0]
    return SourceNow(
        replace(source, name=name, description=f"{what} by all guests"),
        any(host[name].enabled for host in having),
        _mean(name, having) if name in _WEIGHTS else _total(having, name),
    )


def _total(hosts: Sequence[Mapping[str, SourceNow]], name: str) -> float:
    known = [value for host in hosts if not math.isnan(value := _value(host, name))]
    return sum(known) if known else UNKNOWN


def _mean(name: str, hosts: Sequence[Mapping[str, SourceNow]]) -> float:
    known = [(value, _value(host, _WEIGHTS[name])) for host in hosts if not math.isnan(value := _value(host, name))]
    weighed = [(value, weight) for value, weight in known if weight > 0]
    if not weighed:  # nobody has asked for anything just now: what it took lately
        weighed = [(value, 1.0) for value, _ in known]
    total = sum(weight for _, weight in weighed)
    return sum(value * weight for value, weight in weighed) / total if weighed else UNKNOWN


def _value(host: Mapping[str, SourceNow], name: str) -> float:
    return host[name].value if name in host else UNKNOWN
