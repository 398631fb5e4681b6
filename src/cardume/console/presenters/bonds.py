"""The tab NICs of a server: its network cards and bonds, and what keeps cards from being bonded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.devices import link_of
from cardume.console.presenters.sources import Source
from cardume.console.presenters.tables import Cell, RowAct, Table
from cardume.console.text.catalogue import Texts

MODES = ("active-backup", "lacp", "balance-slb")
FEWEST = 2


@dataclass(frozen=True, slots=True)
class Nic:
    """A card that a bond could have; `why_not` says what is against it."""

    ref: str
    device: str
    note: str
    why_not: str = ""


def nics(source: Source, host: Record, t: Texts) -> Table:
    """The cards of a host, and the bonds that some of them make up."""
    pifs = [pair for pair in source.cache.each("pif", host["PIFs"]) if pair[1]["physical"] or pair[1]["bond_master_of"]]
    found = sorted(pifs, key=lambda pair: (not pair[1]["physical"], pair[1]["device"]))
    keys = ("nic", "mac", "link", "speed", "duplex", "vendor", "model", "pci", "actions")
    has_bonds = any(not pif["physical"] for _, pif in found)
    columns = tuple(t(f"column.{key}") for key in (keys if has_bonds else keys[:-1]))
    rows = tuple(_row(source, pif, has_bonds, t) for _, pif in found)
    return Table(columns, rows, t("empty.nics"))


def _row(source: Source, pif: Record, has_bonds: bool, t: Texts) -> tuple[Cell, ...]:
    metrics = source.cache.find("pif_metrics", pif["metrics"]) or {}
    speed = int(metrics.get("speed", 0))
    cells = (
        Cell(pif["device"], icon="nic", note=_note(source, pif, t)),
        Cell(pif["MAC"]),
        link_of(source, pif, t),
        Cell(t("value.speed", n=t.number(speed)) if speed > 0 else "–"),
        Cell(t("duplex.full" if metrics.get("duplex") else "duplex.half") if metrics.get("carrier") else "–"),
        Cell(metrics.get("vendor_name") or "–"),
        Cell(metrics.get("device_name") or "–"),
        Cell(metrics.get("pci_bus_path") or "–"),
    )
    if not has_bonds:
        return cells
    away = "" if source.connected else t("why.away")
    acts = tuple(RowAct("bond_remove", t("row.bond_remove"), ref, away) for ref in pif["bond_master_of"])
    return (*cells, Cell("", acts=acts))


def _note(source: Source, pif: Record, t: Texts) -> str:
    """What a bond is made of, or which bond a card is in."""
    for _, bond in source.cache.each("bond", pif["bond_master_of"]):
        return t("bond.of", mode=t(f"bond.mode.{bond['mode']}"), nics=", ".join(members(source, bond)))
    upper = source.cache.find("bond", pif["bond_slave_of"])
    top = source.cache.find("pif", upper["master"]) if upper else None
    return t("bond.in", bond=top["device"]) if top else ""


def members(source: Source, bond: Record) -> list[str]:
    """The cards of a bond."""
    return sorted(str(pif["device"]) for _, pif in source.cache.each("pif", bond["slaves"]))


def candidates(source: Source, host: Record, t: Texts) -> list[Nic]:
    """The cards of a host as members of a new bond."""
    pifs = [(ref, pif) for ref, pif in source.cache.each("pif", host["PIFs"]) if pif["physical"]]
    found = []
    for ref, pif in sorted(pifs, key=lambda pair: str(pair[1]["device"])):
        told = [pif["MAC"], pif["IP"], t("interface.management") if pif["management"] else ""]
        found.append(Nic(ref, pif["device"], ", ".join(filter(None, told)), _why_not_bonded(source, host, pif, t)))
    return found


def _why_not_bonded(source: Source, host: Record, pif: Record, t: Texts) -> str:
    if pif["bond_slave_of"] != NULL:
        return t("bond.is_in")
    if not pif["managed"]:
        return t("bond.unmanaged")
    network = source.cache.find("network", pif["network"])
    users = [vm["name_label"] for vm in _plugged(source, network, host)] if network else []
    return t("bond.used", vms=", ".join(users)) if users else ""


def _plugged(source: Source, network: Record, host: Record) -> list[Record]:
    """The VMs that run on a host with a card in a network."""
    vifs = [vif for _, vif in source.cache.each("vif", network["VIFs"]) if vif["currently_attached"]]
    vms = [vm for vif in vifs if (vm := source.cache.find("vm", vif["VM"])) is not None]
    return [vm for vm in vms if source.cache.find("host", vm["resident_on"]) is host]


def why_no_bond(source: Source, draft: Mapping[str, Any], t: Texts) -> str:
    """What is wrong with a new bond; empty when nothing is."""
    chosen = [pif for _, pif in source.cache.each("pif", draft["nics"])]
    if len(chosen) < FEWEST:
        return t("bond.too_few")
    with_address = [pif["device"] for pif in chosen if pif["ip_configuration_mode"] != "None"]
    if len(with_address) > 1:
        return t("bond.two_addresses", nics=", ".join(with_address))
    return "" if draft["name"].strip() else t("why.no_name")


def suggested_name(source: Source, nics: Sequence[str]) -> str:
    """What the network of a bond is called."""
    devices = sorted(str(pif["device"]) for _, pif in source.cache.each("pif", nics))
    return f"Bond {'+'.join(devices)}"


def commands(source: Source, draft: Mapping[str, Any]) -> Sequence[str]:
    """What `xe` says for a new bond."""
    uuids = ",".join(str(pif["uuid"]) for _, pif in source.cache.each("pif", draft["nics"]))
    return (
        f"NETWORK=$(xe network-create name-label={quote(draft['name'].strip())})",
        f"xe bond-create network-uuid=$NETWORK pif-uuids={uuids} mode={draft['mode']}",
    )
