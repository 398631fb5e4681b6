"""What stands right of the tree: an object's heading, its tabs, and what the tab shows."""

from html import escape as esc
from typing import TYPE_CHECKING

from cardume.console.connections.cache import Record
from cardume.console.presenters import actions, bonds, devices, general
from cardume.console.presenters.alerts import alerts_page
from cardume.console.presenters.overview import overview
from cardume.console.presenters.places import ROOT, TABS, Place
from cardume.console.presenters.snapshots import snapshots, why_no_snapshot
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import Badge, as_told, host_state, sr_state, vm_state
from cardume.console.presenters.tables import Table
from cardume.console.presenters.users import users
from cardume.console.views import alerts, bulk, graphs, ha_tab, vnc
from cardume.console.views.markup import Picks, action_bar, badge, blocks, icon, tab_bar, table

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


def content(screen: "Screen", sources: list[Source], now: float) -> tuple[str, str]:
    """Heading and content of the place that the screen shows."""
    t, place = screen.t, screen.place
    if place.kind == "root":
        head = _head("root", t("product"), "", None, action_bar(actions.root_actions(sources, t), t))
        return head, _overview(screen, overview(sources, t, now))
    if place.kind == "alerts":
        page = alerts_page(sources, screen.filters, t, now)
        return _head("alert", t("page.alerts"), "", None, ""), alerts.page(page, t)
    found = screen.find_object() if place.kind in TABS else None
    if found is None:
        return _head("alert", t("ui.not_found"), "", None, ""), f'<p class="empty">{esc(t("empty.object"))}</p>'
    _, source, ref, record = found
    tab = place.tab or TABS[place.kind][0]
    head, body = _object(source, place.kind, ref, record, tab, screen, now)
    names = [name for name in TABS[place.kind] if name != "users" or place.kind == "pool" or source.is_standalone]
    tabs = [(name, place.at(name).path) for name in names]
    offered = actions.tab_actions(source, place.kind, record, tab, t)
    body = (action_bar(offered, t) if offered else "") + body
    return _trail(source, place, record, screen) + head + tab_bar(tabs, tab, t), body


def _object(
    source: Source, kind: str, ref: str, record: Record, tab: str, screen: "Screen", now: float
) -> tuple[str, str]:
    t = screen.t
    match kind:
        case "pool":
            state = Badge(t("pool.connected"), "ok") if source.connected else Badge(t("pool.lost"), "error")
            bar = action_bar(actions.pool_actions(source, t), t)
            head = _head("pool", source.name, record["name_description"], state, bar)
            return head, _pool_tab(source, tab, screen, now)
        case "host":
            bar = action_bar(actions.host_actions(source, ref, record, t), t)
            head = _head("host", record["name_label"], record["name_description"], host_state(source, record, t), bar)
            return head, _host_tab(source, ref, record, tab, screen, now)
        case "vm":
            bar = action_bar(actions.vm_actions(source, record, t), t)
            head = _head(
                "vm", record["name_label"], record["name_description"], as_told(source, vm_state(record, t), t), bar
            )
            return head, _vm_tab(source, record, tab, screen, now)
        case "sr":
            bar = action_bar(actions.sr_actions(source, ref, record, t), t)
            mark = "iso" if record["content_type"] == "iso" else "sr"
            state = as_told(source, sr_state(source, record, t), t)
            head = _head(mark, record["name_label"], record["name_description"], state, bar)
            if tab == "disks":
                return head, table(devices.sr_disks(source, record, t))
            return head, blocks(general.sr_general(source, record, t))
    raise AssertionError(f"no screen for {kind}")


def _pool_tab(source: Source, tab: str, screen: "Screen", now: float) -> str:
    t = screen.t
    match tab:
        case "overview":
            return _overview(screen, overview([source], t, now))
        case "general":
            return blocks(general.pool_general(source, t))
        case "storage":
            return table(devices.repositories(source, "", t))
        case "ha":
            return ha_tab.page(screen, source)
        case "users":
            return table(users(source, t))
    return blocks(devices.networks(source, "", t))


def _host_tab(source: Source, ref: str, host: Record, tab: str, screen: "Screen", now: float) -> str:
    t = screen.t
    match tab:
        case "overview":
            return _overview(screen, overview([source], t, now, only_host=ref))
        case "general":
            return blocks(general.host_general(source, ref, host, t, now))
        case "storage":
            return table(devices.repositories(source, ref, t))
        case "networking":
            return blocks(devices.networks(source, ref, t))
        case "performance":
            return graphs.graphs(screen.place, t)
        case "users":
            return table(users(source, t))
    return table(bonds.nics(source, host, t))


def _overview(screen: "Screen", shown: Table) -> str:
    """The rows, and above them what can be done with the VMs that are ticked."""
    return bulk.bar(screen) + table(shown, Picks(screen.chosen, screen.t("bulk.choose")))


def _vm_tab(source: Source, vm: Record, tab: str, screen: "Screen", now: float) -> str:
    t = screen.t
    match tab:
        case "general":
            return blocks(general.vm_general(source, vm, t, now))
        case "storage":
            return table(devices.drives(source, vm, t))
        case "networking":
            return table(devices.cards(source, vm, t))
        case "performance":
            return graphs.graphs(screen.place, t)
        case "snapshots":
            take = actions.Action("snapshot_take", t("do.snapshot_take"), why_no_snapshot(source, vm, t))
            return action_bar([take], t) + table(snapshots(source, vm, t))
    return vnc.console(source, vm, screen.place, t)


def _head(mark: str, name: str, note: str, state: Badge | None, bar: str) -> str:
    shown = badge(state) if state else ""
    about = f'<p class="about">{esc(note)}</p>' if note else ""
    return f'<div class="title">{icon(mark)}<h1>{esc(name)}</h1>{shown}</div>{about}{bar}'


def _trail(source: Source, place: Place, record: Record, screen: "Screen") -> str:
    """Where the object is: links to what holds it."""
    steps = [(screen.t("product"), ROOT.path)]
    if place.kind != "pool" and not source.is_standalone:
        steps.append((source.name, Place("pool", source.uuid).path))
    host_ref = source.home_of(record) if place.kind == "vm" else source.host_of(record) if place.kind == "sr" else ""
    host = source.cache.find("host", host_ref)
    if host is not None:
        steps.append((host["name_label"], Place("host", source.uuid, host["uuid"]).path))
    between = '<span aria-hidden="true">›</span>'
    links = between.join(f'<a href="{esc(path)}">{esc(text)}</a>' for text, path in steps)
    return f'<nav class="trail" aria-label="{esc(screen.t("ui.trail"))}">{links}</nav>'
