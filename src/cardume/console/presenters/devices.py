"""The tabs Storage, Networking, NICs and Disks: what an object has, as tables."""

from collections.abc import Sequence

from cardume.console.connections.cache import Record
from cardume.console.presenters.files import why_no_export
from cardume.console.presenters.general import sr_type
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source, by_name
from cardume.console.presenters.states import sr_state
from cardume.console.presenters.tables import Cell, RowAct, Table
from cardume.console.text.catalogue import Texts


def _columns(t: Texts, *keys: str) -> tuple[str, ...]:
    return tuple(t(f"column.{key}") for key in keys)


def repositories(source: Source, host_ref: str, t: Texts) -> Table:
    """The repositories of a pool, or those that one of its hosts reaches."""
    rows = []
    for _, sr in source.srs():
        pbds = [pbd for _, pbd in source.pbds(sr)]
        if host_ref and not any(pbd["host"] == host_ref for pbd in pbds):
            continue
        size, used = float(sr["physical_size"]), float(sr["physical_utilisation"])
        path = Place("sr", source.uuid, sr["uuid"]).path
        share = used / size if size > 0 else 0.0
        usage = Cell(t("value.usage", share=t.share(share), used=t.size(used)), fill=share)
        rows.append(
            (
                Cell(sr["name_label"], path, sr["name_description"], sr_state(source, sr, t).tone, icon="sr"),
                Cell(sr_type(sr, t)),
                Cell(t("yes" if sr["shared"] else "no")),
                usage if size > 0 else Cell("–"),
                Cell(t.size(size) if size > 0 else "–"),
                Cell(t.size(float(sr["virtual_allocation"]))),
            )
        )
    columns = _columns(t, "name", "type", "shared", "usage", "size", "allocated")
    return Table(columns, tuple(rows), t("empty.storage"), numbers=frozenset({4, 5}))


def drives(source: Source, vm: Record, t: Texts) -> Table:
    """The drives of a VM, by position."""
    rows = []
    for ref, vbd, vdi in source.drives(vm):
        sr = source.cache.find("sr", vdi["SR"]) if vdi else None
        name = vdi["name_label"] if vdi else t("drive.empty" if vbd["type"] == "CD" else "none")
        rows.append(
            (
                Cell(vbd["userdevice"]),
                Cell(name, note=vdi["name_description"] if vdi else "", icon="iso" if vbd["type"] == "CD" else "disk"),
                Cell(sr["name_label"], Place("sr", source.uuid, sr["uuid"]).path) if sr else Cell("–"),
                Cell(t.size(float(vdi["virtual_size"])) if vdi else "–"),
                Cell(t("yes" if vbd["mode"] == "RO" else "no")),
                Cell(t("yes" if vbd["currently_attached"] else "no")),
                Cell(vbd["device"] or "–"),
                _drive_acts(source, ref, vbd, vdi, t),
            )
        )
    columns = _columns(t, "position", "disk", "sr", "size", "read_only", "active", "device", "actions")
    return Table(columns, tuple(rows), t("empty.drives"), numbers=frozenset({3}))


def _drive_acts(source: Source, ref: str, vbd: Record, vdi: Record | None, t: Texts) -> Cell:
    if vbd["type"] != "Disk":
        return Cell("")
    detach = RowAct("disk_detach", t("row.disk_detach"), ref, _away(source, t))
    if vdi is None:
        return Cell("", acts=(detach,))
    return Cell("", acts=(RowAct("disk_export", t("row.export"), vbd["VDI"], why_no_export(source, vdi, t)), detach))


def sr_disks(source: Source, sr: Record, t: Texts) -> Table:
    """The disks on a repository, with the VMs that have them."""
    rows = []
    vdis = {ref: vdi for ref, vdi in source.cache.each("vdi", sr["VDIs"]) if vdi["managed"]}
    for ref, vdi in by_name(vdis):
        users = users_of(source, vdi)
        first = Place("vm", source.uuid, users[0]["uuid"]).path if users and not users[0]["is_a_template"] else ""
        rows.append(
            (
                Cell(vdi["name_label"] or vdi["location"], note=vdi["name_description"], icon="disk"),
                Cell(t.size(float(vdi["virtual_size"])) if not vdi["is_a_snapshot"] else "–"),
                Cell(t.size(float(vdi["physical_utilisation"]))),
                Cell(", ".join(vm["name_label"] for vm in users) or "–", first),
                _disk_acts(source, ref, vdi, users, t),
            )
        )
    columns = _columns(t, "name", "size", "on_disk", "vm", "actions")
    return Table(columns, tuple(rows), t("empty.disks"), numbers=frozenset({1, 2}))


def _disk_acts(source: Source, ref: str, vdi: Record, users: Sequence[Record], t: Texts) -> Cell:
    why_not = _away(source, t) or _why_not_deleted(vdi, users, t)
    delete = RowAct("disk_delete", t("row.disk_delete"), ref, why_not, is_danger=True)
    return Cell("", acts=(RowAct("disk_export", t("row.export"), ref, why_no_export(source, vdi, t)), delete))


def _why_not_deleted(vdi: Record, users: Sequence[Record], t: Texts) -> str:
    if users:
        return t("disk.is_used")
    return "" if "destroy" in vdi["allowed_operations"] else t("why.not_allowed")


def users_of(source: Source, vdi: Record) -> Sequence[Record]:
    """The VMs and templates that have a disk."""
    vbds = (vbd for _, vbd in source.cache.each("vbd", vdi["VBDs"]))
    found = (source.cache.find("vm", vbd["VM"]) for vbd in vbds)
    return [vm for vm in found if vm is not None]


def networks(source: Source, host_ref: str, t: Texts) -> list[Table]:
    """The networks of a pool or of a host, and the addresses that hosts have in them."""
    rows, addresses = [], []
    for ref, network in by_name(source.cache.all("network")):
        pifs = [pif for _, pif in source.cache.each("pif", network["PIFs"])]
        here = [pif for pif in pifs if not host_ref or pif["host"] == host_ref]
        if host_ref and pifs and not here:
            continue
        devices = ", ".join(dict.fromkeys(pif["device"] for pif in here))
        vlans = ", ".join(dict.fromkeys(str(pif["VLAN"]) for pif in here if int(pif["VLAN"]) >= 0))
        links = [link_of(source, pif, t) for pif in here]
        rows.append(
            (
                Cell(network["name_label"], note=network["name_description"], icon="network"),
                Cell(devices or "–"),
                Cell(vlans or "–"),
                links[0] if len({cell.text for cell in links}) == 1 else Cell("–" if not links else t("link.mixed")),
                Cell(here[0]["MAC"] if len(here) == 1 else "–"),
                Cell(t.number(int(network["MTU"]))),
                _act("network_remove", ref, _away(source, t) or why_not_removed(network, pifs, t), t),
            )
        )
        addresses += [_address(source, ref, network, pif, t) for pif in here if pif["IP"]]
    return [
        Table(
            _columns(t, "name", "nic", "vlan", "link", "mac", "mtu", "actions"),
            tuple(rows),
            t("empty.networks"),
            title=t("group.networks"),
        ),
        Table(
            _columns(t, "server", "interface", "network", "nic", "ip_setup", "address", "netmask", "gateway"),
            tuple(sorted(addresses, key=lambda row: row[0].text.casefold())),
            t("empty.addresses"),
            title=t("group.addresses"),
        ),
    ]


def why_not_removed(network: Record, pifs: Sequence[Record], t: Texts) -> str:
    """A network stays while a NIC itself, or a VM, is in it; its VLAN goes with it."""
    if any(int(pif["VLAN"]) < 0 for pif in pifs):
        return t("network.has_nics")
    return t("network.has_cards") if network["VIFs"] else ""


def _act(key: str, ref: str, why_not: str, t: Texts) -> Cell:
    return Cell("", acts=(RowAct(key, t(f"row.{key}"), ref, why_not),))


def _away(source: Source, t: Texts) -> str:
    return "" if source.connected else t("why.away")


def _address(source: Source, ref: str, network: Record, pif: Record, t: Texts) -> tuple[Cell, ...]:
    host = source.cache.find("host", pif["host"])
    return (
        Cell(host["name_label"] if host else "–"),
        Cell(t("interface.management" if pif["management"] else "interface.other")),
        Cell(network["name_label"]),
        Cell(pif["device"]),
        Cell(t(f"ipmode.{pif['ip_configuration_mode']}")),
        Cell(pif["IP"]),
        Cell(pif["netmask"] or "–"),
        Cell(pif["gateway"] or "–"),
    )


def link_of(source: Source, pif: Record, t: Texts) -> Cell:
    metrics = source.cache.find("pif_metrics", pif["metrics"])
    up = bool(metrics and metrics["carrier"])
    return Cell(t("link.up" if up else "link.down"), tone="ok" if up else "error")


def cards(source: Source, vm: Record, t: Texts) -> Table:
    """The network cards of a VM."""
    guest = source.cache.find("vm_guest_metrics", vm["guest_metrics"])
    told = guest["networks"] if guest and vm["power_state"] == "Running" else {}
    rows = []
    vifs = sorted(source.cache.each("vif", vm["VIFs"]), key=lambda pair: int(pair[1]["device"]))
    for ref, vif in vifs:
        network = source.cache.find("network", vif["network"])
        addresses = [told[key] for key in sorted(told) if key.startswith(f"{vif['device']}/ip")]
        rows.append(
            (
                Cell(vif["device"]),
                Cell(vif["MAC"]),
                Cell(network["name_label"] if network else "–"),
                Cell(", ".join(dict.fromkeys(addresses)) or "–"),
                Cell(t("yes" if vif["currently_attached"] else "no")),
                _act("card_remove", ref, _away(source, t), t),
            )
        )
    columns = _columns(t, "device", "mac", "network", "address", "active", "actions")
    return Table(columns, tuple(rows), t("empty.cards"))
