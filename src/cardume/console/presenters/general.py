"""The tab General: the facts of an object, in groups."""

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.overview import address_of
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import host_state, sr_state, vm_state
from cardume.console.presenters.tables import Block, Cell, Facts, Table
from cardume.console.text.catalogue import Texts, epoch_of


def pool_general(source: Source, t: Texts) -> list[Block]:
    """The facts of a pool."""
    pool = source.pool
    if pool is None:
        return []
    master = source.cache.find("host", pool["master"])
    return [
        Facts(
            t("group.general"),
            (
                (t("field.name"), pool["name_label"]),
                (t("field.description"), pool["name_description"]),
                (t("field.tags"), ", ".join(pool["tags"])),
                (t("field.master"), master["name_label"] if master else ""),
                (t("field.servers"), t.number(len(source.cache.all("host")))),
                (t("field.default_sr"), _name(source, "sr", pool["default_SR"], t)),
                (t("field.suspend_sr"), _name(source, "sr", pool["suspend_image_SR"], t)),
                (t("field.ha"), t("yes" if pool["ha_enabled"] else "no")),
                (t("field.uuid"), pool["uuid"]),
            ),
        ),
        Facts(t("group.cpu"), _cpu_lines(pool["cpu_info"], t)),
    ]


def host_general(source: Source, ref: str, host: Record, t: Texts, now: float) -> list[Block]:
    """The facts of a server."""
    metrics = source.cache.find("host_metrics", host["metrics"])
    version, config = host["software_version"], host["other_config"]
    total = float(metrics["memory_total"]) if metrics else 0.0
    guests = sum(float(vm["memory_dynamic_max"]) for _, vm in source.vms() if vm["resident_on"] == ref)
    pifs = [pif for _, pif in source.cache.each("pif", host["PIFs"]) if pif["management"]]
    processors = [cpu for _, cpu in source.cache.each("host_cpu", host["host_CPUs"])]
    return [
        Facts(
            t("group.general"),
            (
                (t("field.name"), host["name_label"]),
                (t("field.description"), host["name_description"]),
                (t("field.tags"), ", ".join(host["tags"])),
                (t("field.is_master"), t("yes" if source.is_master(ref) else "no")),
                (t("field.state"), host_state(source, host, t).text),
                (t("field.iqn"), host["iscsi_iqn"]),
                (t("field.uptime"), _since(config.get("boot_time"), now, t)),
                (t("field.toolstack_uptime"), _since(config.get("agent_start_time"), now, t)),
                (t("field.uuid"), host["uuid"]),
            ),
        ),
        Facts(
            t("group.management"),
            (
                (t("field.hostname"), host["hostname"]),
                *((f"{pif['device']}", pif["IP"]) for pif in pifs),
            ),
        ),
        Facts(
            t("group.memory"),
            (
                (t("field.memory_total"), t.size(total)),
                (t("field.memory_guests"), t.size(guests)),
            ),
        ),
        Facts(
            t("group.version"),
            tuple(
                (t(f"field.{key}"), version[name])
                for key, name in (
                    ("product", "product_version_text"),
                    ("linux", "linux"),
                    ("libvirt", "libvirt"),
                    ("qemu", "qemu"),
                    ("acceleration", "acceleration"),
                )
                if version.get(name)
            ),
        ),
        Facts(
            t("group.cpu"),
            (
                (t("field.cpus"), t.number(len(processors))),
                (t("field.cpu_model"), processors[0]["modelname"] if processors else ""),
            ),
        ),
    ]


def vm_general(source: Source, vm: Record, t: Texts, now: float) -> list[Block]:
    """The facts of a VM."""
    guest = source.cache.find("vm_guest_metrics", vm["guest_metrics"])
    metrics = source.cache.find("vm_metrics", vm["metrics"])
    began = epoch_of(metrics["start_time"]) if metrics and vm["power_state"] == "Running" else 0.0
    tools = guest is not None and guest["PV_drivers_detected"]
    return [
        Facts(
            t("group.general"),
            (
                (t("field.name"), vm["name_label"]),
                (t("field.description"), vm["name_description"]),
                (t("field.tags"), ", ".join(vm["tags"])),
                (t("field.state"), vm_state(vm, t).text),
                (t("field.server"), _name(source, "host", vm["resident_on"], t)),
                (t("field.home"), _name(source, "host", vm["affinity"], t)),
                (t("field.os"), guest["os_version"].get("name", "") if guest else ""),
                (t("field.address"), address_of(source, vm)),
                (t("field.started"), t.duration(now - began) if began else ""),
                (t("field.tools"), t("tools.there" if tools else "tools.none")),
                (t("field.uuid"), vm["uuid"]),
            ),
        ),
        Facts(
            t("group.resources"),
            (
                (t("field.vcpus"), t.number(int(vm["VCPUs_at_startup"]))),
                (t("field.vcpus_max"), t.number(int(vm["VCPUs_max"]))),
                (t("field.memory"), t.size(float(vm["memory_static_max"]))),
            ),
        ),
        Facts(
            t("group.boot"),
            (
                (t("field.firmware"), vm["HVM_boot_params"].get("firmware", "bios").upper()),
                (t("field.boot_order"), _boot_order(vm["HVM_boot_params"].get("order", ""), t)),
            ),
        ),
        Facts(
            t("group.ha"),
            (
                (t("field.ha_priority"), t(f"ha.{vm['ha_restart_priority'] or 'none'}")),
                (t("field.order"), t.number(int(vm["order"]))),
                (t("field.start_delay"), t.duration(float(vm["start_delay"]))),
            ),
        ),
    ]


def sr_general(source: Source, sr: Record, t: Texts) -> list[Block]:
    """The facts of a repository, and how each server reaches it."""
    used, size, allocated = (
        t.size(float(sr[name])) for name in ("physical_utilisation", "physical_size", "virtual_allocation")
    )
    pbds = source.pbds(sr)
    config = pbds[0][1]["device_config"] if pbds else {}
    shown = tuple(
        (t(f"config.{key}") if t.has(f"config.{key}") else key, value)
        for key, value in sorted(config.items())
        if "pass" not in key and "secret" not in key
    )
    rows = []
    for ref, host in source.hosts():
        pbd = next((pbd for _, pbd in pbds if pbd["host"] == ref), None)
        if pbd is None and not sr["shared"]:
            continue
        key = "missing" if pbd is None else "connected" if pbd["currently_attached"] else "unplugged"
        rows.append((Cell(host["name_label"]), Cell(t(f"pbd.{key}"), tone="ok" if key == "connected" else "error")))
    return [
        Facts(
            t("group.general"),
            (
                (t("field.name"), sr["name_label"]),
                (t("field.description"), sr["name_description"]),
                (t("field.tags"), ", ".join(sr["tags"])),
                (t("field.type"), sr_type(sr, t)),
                (t("field.size"), t("value.sr_size", used=used, size=size, allocated=allocated)),
                (t("field.shared"), t("yes" if sr["shared"] else "no")),
                (t("field.state"), sr_state(source, sr, t).text),
                (t("field.uuid"), sr["uuid"]),
            ),
        ),
        Facts(t("group.location"), shown),
        Table((t("column.server"), t("column.state")), tuple(rows), t("empty.pbds"), title=t("group.status")),
    ]


def sr_type(sr: Record, t: Texts) -> str:
    """What kind of storage a repository is on."""
    key = f"srtype.{sr['type']}"
    return t(key) if t.has(key) else str(sr["type"])


def _name(source: Source, cls: str, ref: str, t: Texts) -> str:
    record = source.cache.find(cls, ref) if ref != NULL else None
    return str(record["name_label"]) if record else t("none")


def _since(at: str | None, now: float, t: Texts) -> str:
    try:
        return t.duration(now - float((at or "").rstrip(".")))
    except ValueError:
        return ""


def _boot_order(order: str, t: Texts) -> str:
    return ", ".join(t(f"boot.{letter}") for letter in order if t.has(f"boot.{letter}"))


def _cpu_lines(info: Record, t: Texts) -> tuple[tuple[str, str], ...]:
    shown = (("cpu_vendor", "vendor"), ("cpus", "cpu_count"), ("sockets", "socket_count"))
    return tuple((t(f"field.{key}"), str(info[name])) for key, name in shown if info.get(name))
