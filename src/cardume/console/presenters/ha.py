"""The tab HA of a pool: its health in words, its settings, who hears whom, what happens if a server is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from cardume.console.connections.cache import Record
from cardume.console.connections.ha_plan import Plan
from cardume.console.presenters.alerts import ha_alerts
from cardume.console.presenters.ha_settings import BEST_EFFORT, NOTHING, PROFILES, RESTART, heartbeat_srs_now, present
from cardume.console.presenters.places import Place
from cardume.console.presenters.refusals import explain, explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.presenters.tables import Cell, Table
from cardume.console.text.catalogue import Texts

MOST_ROWS = 300
MOST_DECISIONS = 10
MOST_NAMES = 5
_TURNS = {RESTART: 0, BEST_EFFORT: 1, NOTHING: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence on how high availability is, and what can be done about it."""

    tone: str
    text: str
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class HaTab:
    """What the tab shows."""

    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]


def ha_tab(source: Source, plan: Plan, t: Texts) -> HaTab:
    """Sentences first, then what they were read from. Of a pool without HA, what it would do."""
    if source.pool is None:
        return HaTab((), ())
    findings = tuple(_findings(source, source.pool, plan, t))
    if not source.pool["ha_enabled"]:
        return HaTab(findings, (_settings(source, source.pool, plan, t), _decisions(source, t)))
    tables = (
        _settings(source, source.pool, plan, t),
        heartbeats(source, t),
        what_if(source, plan, t),
        _decisions(source, t),
    )
    return HaTab(findings, tables)


def _findings(source: Source, pool: Record, plan: Plan, t: Texts) -> Iterator[Finding]:
    if not source.connected:
        yield Finding("error", t("ha.health.away"))
    if not pool["ha_enabled"]:
        yield Finding("off", t("ha.health.off"), t("ha.health.off_way"))
        return
    profile = pool["ha_configuration"].get("profile", "")
    yield Finding("ok", t(f"ha.health.on.{profile if profile in PROFILES else 'other'}"))
    yield from _of_the_plan(source, pool, plan, t)
    yield from _of_hosts(source, t)
    waiting = [
        vm["name_label"]
        for _, vm in source.vms()
        if vm["ha_always_run"] and vm["ha_restart_priority"] == RESTART and vm["power_state"] == "Halted"
    ]
    if waiting:
        yield Finding("warn", t("ha.health.waiting", vms=_names(waiting, t)))
    if len(source.cache.all("host")) == 2:
        yield Finding("info", t("ha.health.two"))


def _of_the_plan(source: Source, pool: Record, plan: Plan, t: Texts) -> Iterator[Finding]:
    wanted, covered = int(pool["ha_host_failures_to_tolerate"]), int(pool["ha_plan_exists_for"])
    if not present(source).count(RESTART):
        yield Finding("warn", t("ha.health.nothing_protected"), t("ha.health.nothing_way"))
    elif wanted == 0:
        yield Finding("warn", t("ha.health.none_tolerated"), t("ha.health.none_way"))
    elif covered < wanted:
        yield Finding("error", t("ha.health.short", covered=covered, wanted=wanted), t("ha.health.short_way"))
    elif not pool["ha_overcommitted"]:
        yield Finding("ok", t("ha.health.covered1" if covered == 1 else "ha.health.covered", n=covered))
    alone = _is_alone(source)  # then every VM of the last server finds no place, and the server that is lost says why
    stuck = {
        vm["name_label"]: told["error_code"]
        for places in plan.places.values()
        for ref, told in places.items()
        if "error_code" in told and (vm := source.cache.find("vm", ref)) is not None
        if vm["ha_restart_priority"] == RESTART and not alone
    }
    for name, code in islice(sorted(stuck.items()), MOST_NAMES):
        yield Finding("error", t("ha.health.no_place", vm=name, why=_why_down(code, t)))
    if pool["ha_overcommitted"] and covered >= wanted and not stuck:
        yield Finding("warn", t("ha.health.overcommitted"), t("ha.health.short_way"))
    if plan.failure is not None:
        yield Finding("off", t("ha.health.no_answer", why=explain_failure(plan.failure, t)))


def _of_hosts(source: Source, t: Texts) -> Iterator[Finding]:
    for _, host in source.hosts():
        name = host["name_label"]
        if not source.is_live(host):
            yield Finding("error", t("ha.health.host_lost", host=name), t("ha.health.host_lost_way"))
            continue
        if not host["enabled"]:
            yield Finding("warn", t("ha.health.host_disabled", host=name))
        unheard = _unheard(source, host)
        if unheard:
            yield Finding(
                "warn", t("ha.health.unheard", host=name, others=_names(unheard, t)), t("ha.health.unheard_way")
            )
        if not host["ha_statefiles"]:
            yield Finding("error", t("ha.health.no_statefile", host=name), t("ha.health.no_statefile_way"))


def _names(names: list[str], t: Texts) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else t("ha.and_more", names=shown, n=len(names) - MOST_NAMES)


def _unheard(source: Source, host: Record) -> list[str]:
    """The live hosts whose heartbeats another does not hear over the network."""
    heard = set(host["ha_network_peers"])
    return [
        other["name_label"]
        for _, other in source.hosts()
        if other["uuid"] not in heard and other["uuid"] != host["uuid"] and source.is_live(other)
    ]


def _settings(source: Source, pool: Record, plan: Plan, t: Texts) -> Table:
    wanted, covered = int(pool["ha_host_failures_to_tolerate"]), int(pool["ha_plan_exists_for"])
    wishes = present(source)
    rows = [(Cell(t("ha.set.enabled")), Cell(t("yes" if pool["ha_enabled"] else "no")))]
    if pool["ha_enabled"]:
        profile = pool["ha_configuration"].get("profile", "")
        short = pool["ha_overcommitted"]
        text = t("ha.overcommitted", n=covered) if short else t.number(covered)
        rows += [
            (Cell(t("ha.set.sr")), Cell(", ".join(sr["name_label"] for sr in heartbeat_srs_now(source)) or "–")),
            (Cell(t("ha.set.profile")), Cell(t(f"ha.profile.{profile}") if profile in PROFILES else "–")),
            (Cell(t("ha.set.wanted")), Cell(t.number(wanted))),
            (Cell(t("ha.set.covered")), Cell(text, tone="error" if short else "ok")),
        ]
        if plan.most is not None:
            rows.append((Cell(t("ha.set.most")), Cell(t.number(plan.most))))
    protected, hopeful = wishes.count(RESTART), wishes.count(BEST_EFFORT)
    rows.append((Cell(t("ha.set.vms")), Cell(t("ha.vms", restart=protected, best=hopeful))))
    return Table((t("column.setting"), t("column.value")), tuple(rows), "", title=t("ha.configuration"))


def heartbeats(source: Source, t: Texts) -> Table:
    """Who hears whom: a row for each server, a column for the network and one for each heartbeat SR."""
    srs = heartbeat_srs_now(source)
    statefiles = set(source.pool["ha_statefiles"]) if source.pool else set()
    columns = (t("column.server"), t("ha.by_network"), *(sr["name_label"] for sr in srs))
    rows = []
    for ref, host in source.hosts():
        note = t("mark.master") if source.is_master(ref) else ""
        name = Cell(host["name_label"], Place("host", source.uuid, host["uuid"]).path, note, icon="host")
        if not source.is_live(host) or not source.connected:
            lost = Cell(t("host.lost" if source.connected else "ha.unknown"), tone="error")
            rows.append((name, *[lost] * (1 + len(srs))))
            continue
        reached = statefiles & set(host["ha_statefiles"])
        disk = Cell(t("ha.healthy"), tone="ok") if reached else Cell(t("ha.no_access"), tone="error")
        rows.append((name, _network(source, host, t), *[disk] * len(srs)))
    return Table(columns, tuple(rows), t("empty.overview"), title=t("ha.heartbeats"), note=t("ha.heartbeats_note"))


def _network(source: Source, host: Record, t: Texts) -> Cell:
    every = len(source.cache.all("host"))
    heard = {*host["ha_network_peers"], host["uuid"]}
    live = {other["uuid"] for _, other in source.hosts() if source.is_live(other)}
    unheard = _unheard(source, host)
    if unheard:
        return Cell(
            t("ha.heard_of", n=len(heard & live), m=every),
            note=t("ha.unheard", others=_names(unheard, t)),
            tone="error",
        )
    if len(live) < every:
        return Cell(t("ha.heard_of", n=len(live), m=every), tone="warn")
    return Cell(t("ha.healthy"), tone="ok")


def ha_cell(source: Source, kind: str, record: Record, t: Texts) -> Cell:
    """What high availability is of an object in a list: tolerated losses, heartbeats, a VM's priority."""
    if source.pool is None or not source.pool["ha_enabled"]:
        return Cell("–")
    match kind:
        case "pool":
            covered, wanted = int(record["ha_plan_exists_for"]), int(record["ha_host_failures_to_tolerate"])
            short = record["ha_overcommitted"] or covered < wanted
            return Cell(t("ha.tolerates", n=covered), tone="error" if short else "ok")
        case "host":
            if not source.is_live(record) or not source.connected:
                return Cell(t("host.lost" if source.connected else "ha.unknown"), tone="error")
            return _network(source, record, t)
        case "vm":
            return Cell(t(f"ha.{record['ha_restart_priority'] or 'none'}"))
        case "sr":
            is_heartbeat = any(sr["uuid"] == record["uuid"] for sr in heartbeat_srs_now(source))
            return Cell(t("ha.heartbeat_sr") if is_heartbeat else "–")
    return Cell("–")


def what_if(source: Source, plan: Plan, t: Texts) -> Table:
    """If this server is lost: which of its VMs starts again where, and which stays down."""
    every = _fates(source, plan, t)
    rows = tuple(islice(every, MOST_ROWS))
    note = t("overview.more", n=MOST_ROWS) if next(every, None) else t("ha.what_if_note")
    columns = tuple(t(f"column.{key}") for key in ("if_lost", "vm", "priority", "then"))
    return Table(columns, rows, t("ha.nothing_runs"), title=t("ha.what_if"), note=note)


def _fates(source: Source, plan: Plan, t: Texts) -> Iterator[tuple[Cell, ...]]:
    for ref, host in source.hosts():
        path = Place("host", source.uuid, host["uuid"]).path
        alone = _is_alone(source)
        note = t("ha.last_server") if alone else t("ha.master_moves") if source.is_master(ref) else ""
        if not source.is_live(host):
            yield Cell(host["name_label"], path, icon="host", tone="error"), Cell("–"), Cell("–"), Cell(t("host.lost"))
            continue
        there = [(vm_ref, vm) for vm_ref, vm in source.vms() if vm["resident_on"] == ref]
        there.sort(key=lambda pair: (_TURNS.get(pair[1]["ha_restart_priority"], 2), int(pair[1]["order"])))
        if not there:
            yield Cell(host["name_label"], path, note, icon="host"), Cell("–"), Cell("–"), Cell(t("ha.nothing_there"))
        for number, (vm_ref, vm) in enumerate(there):
            name = Cell(host["name_label"], path, "" if number else note, icon="host")
            guest = Cell(vm["name_label"], Place("vm", source.uuid, vm["uuid"]).path, icon="vm")
            priority = Cell(t(f"ha.{vm['ha_restart_priority'] or 'none'}"))
            yield name, guest, priority, _fate(source, vm, plan.places.get(ref, {}).get(vm_ref), plan, t)


def _is_alone(source: Source) -> bool:
    """True when only one server is left."""
    return sum(source.is_live(host) for _, host in source.hosts()) < 2


def _fate(source: Source, vm: Record, told: object, plan: Plan, t: Texts) -> Cell:
    if vm["ha_restart_priority"] not in (RESTART, BEST_EFFORT) or _is_alone(source):
        return Cell(t("ha.stays_down"), tone="off")
    if not isinstance(told, dict):
        return Cell(t("ha.unknown" if plan.failure else "ha.asking"), tone="off")
    if "error_code" in told:
        tone = "error" if vm["ha_restart_priority"] == RESTART else "warn"
        return Cell(t("ha.finds_no_place"), note=_why_down(told["error_code"], t), tone=tone)
    host = source.cache.find("host", told.get("host", ""))
    name = host["name_label"] if host else "?"
    if vm["ha_restart_priority"] == BEST_EFFORT:
        return Cell(t("ha.starts_if_room", host=name), tone="info")
    return Cell(t("ha.starts_on", host=name), tone="ok")


def _why_down(code: str, t: Texts) -> str:
    key = f"ha.stays.{code}"
    return t(key) if t.has(key) else explain([code], t)


def _decisions(source: Source, t: Texts) -> Table:
    """What high availability told last, the newest first."""
    rows = tuple(
        (Cell(one.date), Cell(one.title, note=one.told or one.body, tone=one.tone), Cell(one.applies_to, one.place))
        for one in ha_alerts(source, t)[:MOST_DECISIONS]
    )
    columns = (t("column.date"), t("column.message"), t("column.about"))
    return Table(columns, rows, t("ha.no_decisions"), title=t("ha.decisions"))
