"""The tab Overview: servers, VMs and storage with what they use right now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.ha import ha_cell
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import host_state, sr_state, vm_state
from cardume.console.presenters.tables import Cell, Table
from cardume.console.text.catalogue import Texts, epoch_of

DASH = Cell("–")
MOST_ROWS = 300  # a page of thousands is read by nobody, and slow for everybody: the tree has them all


def overview(sources: Sequence[Source], t: Texts, now: float, only_host: str = "") -> Table:
    """A row for each pool, server, VM and repository; of one host alone when it is named."""
    has_ha = any(source.pool is not None and source.pool["ha_enabled"] for source in sources)
    lists = (_List(source, t, now, has_ha) for source in sources)
    each = (_host(shown, only_host, 0) if only_host else _pool(shown) for shown in lists)
    every = chain.from_iterable(each)
    rows = list(islice(every, MOST_ROWS))
    note = t("overview.more", n=MOST_ROWS) if next(every, None) else ""
    keys = ("name", "cpu", "memory", "disks", "network", *(("ha",) if has_ha else ()), "address", "uptime")
    columns = tuple(t(f"column.{key}") for key in keys)
    return Table(columns, tuple(rows), t("empty.overview"), note=note)


@dataclass(frozen=True, slots=True)
class _List:
    """One pool's part of the table. `has_ha`: some pool of the table has high availability, so there is a column."""

    source: Source
    t: Texts
    now: float
    has_ha: bool

    def ha(self, kind: str, record: Record) -> tuple[Cell, ...]:
        """The cell of that column."""
        return (ha_cell(self.source, kind, record, self.t),) if self.has_ha else ()


def _pool(shown: _List) -> Iterator[tuple[Cell, ...]]:
    source = shown.source
    if source.pool is None:
        return
    indent = 0
    if not source.is_standalone:
        path = Place("pool", source.uuid).path
        name = Cell(source.name, path, source.pool["name_description"], icon="pool")
        yield (name, *[DASH] * 4, *shown.ha("pool", source.pool), *[DASH] * 2)
        indent = 1
    for ref, _ in source.hosts():
        yield from _host(shown, ref, indent)
    for vm in source.vms_by_home.get(NULL, ()):
        yield _vm(shown, vm, indent)
    for ref, sr in source.srs_by_home.get(NULL, ()):
        yield _sr(shown, ref, sr, indent)


def _host(shown: _List, ref: str, indent: int) -> Iterator[tuple[Cell, ...]]:
    source, t = shown.source, shown.t
    host = source.cache.find("host", ref)
    if host is None:
        return
    name = Cell(
        host["name_label"],
        Place("host", source.uuid, host["uuid"]).path,
        host["name_description"],
        host_state(source, host, t).tone,
        icon="host",
        indent=indent,
    )
    uuid, live = host["uuid"], source.connected and source.is_live(host)
    cpu, processors = source.measured(uuid, "cpu_avg"), len(host["host_CPUs"])
    total, free = (source.measured(uuid, f"memory_{what}_kib") for what in ("total", "free"))
    boot = float(host["other_config"].get("boot_time", "0").rstrip(".") or 0)
    yield (
        name,
        _cpu(cpu, processors, t) if live else DASH,
        _memory((total - free) * 1024, total * 1024, t) if live and total and free is not None else DASH,
        DASH,
        _rate(source, uuid, ("pif_aggr_rx", "pif_aggr_tx"), t) if live else DASH,
        *shown.ha("host", host),
        Cell(host["address"]),
        Cell(t.duration(shown.now - boot)) if live and boot else DASH,
    )
    for vm in source.vms_by_home.get(ref, ()):
        yield _vm(shown, vm, indent + 1)
    for sr_ref, sr in source.srs_by_home.get(ref, ()):
        yield _sr(shown, sr_ref, sr, indent + 1)


def _vm(shown: _List, vm: Record, indent: int) -> tuple[Cell, ...]:
    source, t = shown.source, shown.t
    state = vm_state(vm, t)
    path = Place("vm", source.uuid, vm["uuid"]).path
    name = Cell(vm["name_label"], path, vm["name_description"], state.tone, icon="vm", indent=indent, pick=path)
    if vm["power_state"] != "Running":
        return (name, Cell(state.text), *[DASH] * 3, *shown.ha("vm", vm), *[DASH] * 2)
    uuid, metrics = vm["uuid"], source.cache.find("vm_metrics", vm["metrics"])
    cpu = source.measured(uuid, "cpu_usage")
    memory, free = source.measured(uuid, "memory"), source.measured(uuid, "memory_internal_free")
    used = memory - free * 1024 if memory is not None and free is not None else memory
    began = epoch_of(metrics["start_time"]) if metrics else 0.0
    return (
        name,
        _cpu(cpu, int(vm["VCPUs_at_startup"]), t),
        _memory(used, memory, t) if used is not None and memory else DASH,
        _rate(source, uuid, _sources(source, uuid, "vbd_"), t),
        _rate(source, uuid, _sources(source, uuid, "vif_"), t),
        *shown.ha("vm", vm),
        Cell(address_of(source, vm) or "–"),
        Cell(t.duration(shown.now - began)) if began else DASH,
    )


def _sr(shown: _List, ref: str, sr: Record, indent: int) -> tuple[Cell, ...]:
    source, t = shown.source, shown.t
    size, used = float(sr["physical_size"]), float(sr["physical_utilisation"])
    icon = "iso" if sr["content_type"] == "iso" else "sr"
    path = Place("sr", source.uuid, sr["uuid"]).path
    name = Cell(sr["name_label"], path, sr["name_description"], sr_state(source, sr, t).tone, icon=icon, indent=indent)
    filled = Cell(t("value.used_of", used=t.size(used), total=t.size(size)), fill=used / size) if size > 0 else DASH
    return (name, DASH, DASH, filled, DASH, *shown.ha("sr", sr), Cell(target_of(source, sr) or "–"), DASH)


def address_of(source: Source, vm: Record) -> str:
    """The first address that a guest tells of itself."""
    guest = source.cache.find("vm_guest_metrics", vm["guest_metrics"])
    networks = guest["networks"] if guest else {}
    return next((networks[key] for key in sorted(networks) if key.endswith(("/ip", "/ipv4/0"))), "")


def target_of(source: Source, sr: Record) -> str:
    """Where a repository's storage is, as far as its PBDs tell."""
    for _, pbd in source.pbds(sr):
        config = pbd["device_config"]
        if config.get("target"):
            return str(config["target"])
        if config.get("server"):
            return str(config["server"])
        location = str(config.get("location", ""))
        return location.split(":")[0] if ":" in location else ""
    return ""


def _cpu(used: float | None, processors: int, t: Texts) -> Cell:
    if used is None:
        return DASH
    return Cell(t("value.cpu" if processors != 1 else "value.cpu1", used=t.share(used), n=processors), fill=used)


def _memory(used_bytes: float, total_bytes: float, t: Texts) -> Cell:
    text = t("value.used_of", used=t.size(used_bytes), total=t.size(total_bytes))
    return Cell(text, fill=used_bytes / total_bytes)


def _sources(source: Source, uuid: str, prefix: str) -> tuple[str, ...]:
    ends = ("_read", "_write") if prefix == "vbd_" else ("_rx", "_tx")
    return tuple(
        name
        for name in source.usage.get(uuid, {})
        if name.startswith(prefix) and name.endswith(ends) and "iops" not in name
    )


def _rate(source: Source, uuid: str, names: tuple[str, ...], t: Texts) -> Cell:
    values = [value for name in names if (value := source.measured(uuid, name)) is not None]
    return Cell(t("value.rate", rate=t.size(sum(values)))) if values else DASH
