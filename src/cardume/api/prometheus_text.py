"""What is measured now in Prometheus' text format: gauges, in base units, with what they are of as labels."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cardume.core.rrd import SourceNow

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Owner:
    """A host or VM that is measured, with the labels that tell it from others."""

    kind: str  # host, vm
    labels: Mapping[str, str]
    sources: tuple[SourceNow, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """Sources of one form: the metric they are values of, the label for what the form leaves open, and the unit."""

    form: str
    name: str
    label: str = ""
    scale: float = 1.0


_MIB, _US = float(1 << 20), 1e-6
_WAYS = (("read", "read"), ("write", "written"))

_FAMILIES = (
    _Family(r"cpu(\d+)", "cpu_busy_ratio", "cpu"),
    _Family(r"cpu_avg", "cpu_average_busy_ratio"),
    _Family(r"cpu_usage", "cpu_average_busy_ratio"),
    _Family(r"memory_total_kib", "memory_total_bytes", scale=1024),
    _Family(r"memory_free_kib", "memory_free_bytes", scale=1024),
    _Family(r"memory", "memory_bytes"),
    _Family(r"memory_target", "memory_target_bytes"),
    _Family(r"memory_internal_free", "memory_internal_free_bytes", scale=1024),
    _Family(r"loadavg", "load1"),
    _Family(r"running_vcpus", "running_vcpus"),
    _Family(r"running_domains", "running_vms"),
    _Family(r"(?:pif|vif)_(?!aggr)([a-z0-9]+)_rx", "network_receive_bytes_per_second", "device"),
    _Family(r"(?:pif|vif)_(?!aggr)([a-z0-9]+)_tx", "network_transmit_bytes_per_second", "device"),
    _Family(r"(?:pif|vif)_(?!aggr)([a-z0-9]+)_rx_errors", "network_receive_errors_per_second", "device"),
    _Family(r"(?:pif|vif)_(?!aggr)([a-z0-9]+)_tx_errors", "network_transmit_errors_per_second", "device"),
    *(_Family(rf"vbd_([a-z]+)_{way}", f"disk_{done}_bytes_per_second", "device") for way, done in _WAYS),
    *(_Family(rf"vbd_([a-z]+)_iops_{way}", f"disk_{way}s_per_second", "device") for way, _ in _WAYS),
    *(_Family(rf"vbd_([a-z]+)_{way}_latency", f"disk_{way}_latency_seconds", "device", _US) for way, _ in _WAYS),
    *(_Family(rf"{way}_([0-9a-f]{{8}})", f"sr_{done}_bytes_per_second", "sr") for way, done in _WAYS),
    *(_Family(rf"iops_{way}_([0-9a-f]{{8}})", f"sr_{way}s_per_second", "sr") for way, _ in _WAYS),
    *(_Family(rf"{way}_latency_([0-9a-f]{{8}})", f"sr_{way}_latency_seconds", "sr", _US) for way, _ in _WAYS),
)
"""A sum of others (`pif_aggr_rx`, `…_total_…`), or the same in another unit, is left to Prometheus."""

_PATTERNS = tuple((re.compile(family.form), family) for family in _FAMILIES)


def render(owners: Iterable[Owner]) -> str:
    """The page; a value that is not known is left out."""
    lines: dict[str, list[str]] = {}
    for owner in owners:
        for each in owner.sources:
            found = _find(each.source.name)
            if found is None or not math.isfinite(each.value):
                continue
            family, device = found
            name = f"cardume_{owner.kind}_{family.name}"
            labels = {**owner.labels, **({family.label: device} if family.label else {})}
            text = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
            lines.setdefault(name, []).append(f"{name}{{{text}}} {each.value * family.scale:.10g}\n")
    return "".join(f"# TYPE {name} gauge\n{''.join(values)}" for name, values in sorted(lines.items()))


def _find(name: str) -> tuple[_Family, str] | None:
    for pattern, family in _PATTERNS:
        found = pattern.fullmatch(name)
        if found is not None:
            return family, found[1] if family.label else ""
    return None


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
