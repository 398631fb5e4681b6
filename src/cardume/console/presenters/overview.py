"""The tab Overview: servers, VMs and storage with what they use right now."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import host_state, sr_state, vm_state
from cardume.console.presenters.tables import Cell, Table
from cardume.console.text.catalogue import Texts, epoch_of

DASH = Cell("–")
MOST_ROWS = 300  # a page of thousands is read by nobody, and slow for everybody: the tree has them all


def overview(sources: Sequence[Source], t: Texts, now: float, only_host: str = "") -> Table:
    """A row for each pool, server, VM and repository; of one host alone when it is named."""
    each = (_host(source, only_host, 0, t, now) if only_host else _pool(source, t, now) for source in sources)
    every = chain.from_iterable(each)
    rows = list(islice(every, MOST_ROWS))
    note = t("overview.more", n=MOST_ROWS) if next(every, None) else ""
    columns = tuple(t(f"column.{key}") for key in ("name", "cpu", "memory", "disks", "network", "address", "uptime"))
    return Table(columns, tuple(rows), t("empty.overview"), note=note)


def _pool(source: Source, t: Texts, now: float) -> Iterator[tuple[Cell, ...]]:
    if source.pool is None:
        return
    indent = 0
    if not source.is_standalone:
        path = Place("pool", source.uuid).path
        yield (Cell(source.name, path, source.pool["name_description"], icon="pool"), *[DASH] * 6)
        indent = 1
    for ref, _ in source.hosts():
        yield from _host(source, ref, indent, t, now)
    for vm in source.vms_by_home.get(NULL, ()):
        yield _vm(source, vm, indent, t, now)
    for ref, sr in source.srs_by_home.get(NULL, ()):
        yield _sr(source, ref, sr, indent, t)


def _host(source: Source, ref: str, indent: int, t: Texts, now: float) -> Iterator[tuple[Cell, ...]]:
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
        Cell(host["address"]),
        Cell(t.duration(now - boot)) if live and boot else DASH,
    )
    for vm in source.vms_by_home.get(ref, ()):
        yield _vm(source, vm, indent + 1, t, now)
    for sr_ref, sr in source.srs_by_home.get(ref, ()):
        yield _sr(source, sr_ref, sr, indent + 1, t)


def _vm(source: Source, vm: Record, indent: int, t: Texts, now: float) -> tuple[Cell, ...]:
    state = vm_state(vm, t)
    path = Place("vm", source.uuid, vm["uuid"]).path
    name = Cell(vm["name_label"], path, vm["name_description"], state.tone, icon="vm", indent=indent, pick=path)
    if vm["power_state"] != "Running":
        return (name, Cell(state.text), *[DASH] * 5)
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
        Cell(address_of(source, vm) or "–"),
        Cell(t.duration(now - began)) if began else DASH,
    )


def _sr(source: Source, ref: str, sr: Record, indent: int, t: Texts) -> tuple[Cell, ...]:
    size, used = float(sr["physical_size"]), float(sr["physical_utilisation"])
    icon = "iso" if sr["content_type"] == "iso" else "sr"
    path = Place("sr", source.uuid, sr["uuid"]).path
    name = Cell(sr["name_label"], path, sr["name_description"], sr_state(source, sr, t).tone, icon=icon, indent=indent)
    filled = Cell(t("value.used_of", used=t.size(used), total=t.size(size)), fill=used / size) if size > 0 else DASH
    return (name, DASH, DASH, filled, DASH, Cell(target_of(source, sr) or "–"), DASH)


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
