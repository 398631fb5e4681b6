"""The tree on the left: pools, their servers, what runs there, and the storage they share."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.places import ROOT, Place
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import Badge, as_told, host_state, sr_state, vm_state
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Row:
    """A node, in the order of the tree from top to bottom."""

    path: str
    level: int
    icon: str
    name: str
    state: str
    tone: str
    marks: tuple[str, ...] = ()  # what else is worth knowing, as words
    kind: str = ""


VIEWS = ("infrastructure", "type", "tag")


def tree_rows(sources: Sequence[Source], t: Texts, view: str = "infrastructure") -> list[Row]:
    """Every node. The views `type` and `tag` gather what is alike, and what has a tag, over all pools."""
    rows = [Row(ROOT.path, 0, "root", t("product"), "", "", kind="root")]
    if view == "type":
        return rows + _by_type(sources, t)
    if view == "tag":
        return rows + _by_tag(sources, t)
    for source in sorted(sources, key=lambda one: (one.is_standalone, one.name.casefold())):
        rows += _pool(source, t)
    return rows


def rows_as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as the page's module reads them."""
    return [asdict(row) for row in rows]


def _pool(source: Source, t: Texts) -> list[Row]:
    if source.pool is None:
        why = explain_failure(source.failure, t) if source.failure else t("host.connecting")
        return [Row("", 1, "host", source.name, why, "error", kind="lost")]
    if source.is_standalone:
        ((ref, host),) = source.hosts()
        return [*_host(source, ref, host, 1, t), *_vms(source, NULL, 2, t), *_srs(source, NULL, 2, t)]
    badge = Badge(t("pool.connected"), "ok") if source.connected else Badge(t("pool.lost"), "error")
    rows = [Row(Place("pool", source.uuid).path, 1, "pool", source.name, badge.text, badge.tone, kind="pool")]
    for ref, host in source.hosts():
        rows += _host(source, ref, host, 2, t)
    return [*rows, *_vms(source, NULL, 2, t), *_srs(source, NULL, 2, t)]


def _host(source: Source, ref: str, host: Record, level: int, t: Texts) -> list[Row]:
    badge = host_state(source, host, t)
    marks = (t("mark.master"),) if source.is_master(ref) and not source.is_standalone else ()
    path = Place("host", source.uuid, host["uuid"]).path
    row = Row(path, level, "host", host["name_label"], badge.text, badge.tone, marks, "host")
    return [row, *_vms(source, ref, level + 1, t), *_srs(source, ref, level + 1, t)]


def _vms(source: Source, home: str, level: int, t: Texts) -> list[Row]:
    return [_vm(source, vm, level, t) for vm in source.vms_by_home.get(home, ())]


def _vm(source: Source, vm: Record, level: int, t: Texts) -> Row:
    badge = as_told(source, vm_state(vm, t), t)
    path = Place("vm", source.uuid, vm["uuid"]).path
    return Row(path, level, "vm", vm["name_label"], badge.text, badge.tone, tuple(vm["tags"]), "vm")


def _srs(source: Source, home: str, level: int, t: Texts) -> list[Row]:
    return [_sr(source, ref, sr, level, t) for ref, sr in source.srs_by_home.get(home, ())]


def _sr(source: Source, ref: str, sr: Record, level: int, t: Texts) -> Row:
    badge = as_told(source, sr_state(source, sr, t), t)
    marks = (t("mark.default"),) if source.pool and source.pool["default_SR"] == ref else ()
    path = Place("sr", source.uuid, sr["uuid"]).path
    icon = "iso" if sr["content_type"] == "iso" else "sr"
    return Row(path, level, icon, sr["name_label"], badge.text, badge.tone, marks, "sr")


def _by_type(sources: Sequence[Source], t: Texts) -> list[Row]:
    hosts = [_host(source, ref, host, 2, t)[0] for source in sources for ref, host in source.hosts()]
    vms = [_vm(source, vm, 2, t) for source in sources for _, vm in source.vms()]
    srs = [_sr(source, ref, sr, 2, t) for source in sources for ref, sr in source.srs()]
    rows: list[Row] = []
    for kind, found in (("host", hosts), ("vm", vms), ("sr", srs)):
        if found:
            heading = t(f"kind.{kind}s")
            rows += [Row("", 1, "folder", heading, "", "", kind="folder")]
            rows += sorted(found, key=lambda row: row.name.casefold())
    return rows


def _by_tag(sources: Sequence[Source], t: Texts) -> list[Row]:
    """A heading for each tag with what has it, and at the end the VMs without one."""
    tagged: dict[str, list[Row]] = {}
    untagged: list[Row] = []
    for source in sources:
        for tags, row in _with_tags(source, t):
            for tag in tags:
                tagged.setdefault(tag, []).append(row)
            if not tags and row.kind == "vm":
                untagged.append(row)
    groups = [(tag, "tag", tagged[tag]) for tag in sorted(tagged, key=str.casefold)]
    if untagged:
        groups.append((t("kind.untagged"), "untagged", untagged))
    rows: list[Row] = []
    for heading, kind, found in groups:
        rows += [Row("", 1, "folder", heading, "", "", kind=kind)]
        rows += sorted(found, key=lambda row: row.name.casefold())
    return rows


def _with_tags(source: Source, t: Texts) -> Iterator[tuple[Sequence[str], Row]]:
    if source.pool is not None and not source.is_standalone:
        path = Place("pool", source.uuid).path
        yield source.pool["tags"], Row(path, 2, "pool", source.name, "", "", kind="pool")
    for ref, host in source.hosts():
        yield host["tags"], _host(source, ref, host, 2, t)[0]
    for _, vm in source.vms():
        yield vm["tags"], _vm(source, vm, 2, t)
    for ref, sr in source.srs():
        yield sr["tags"], _sr(source, ref, sr, 2, t)
