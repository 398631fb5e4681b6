"""What is measured of a host's interfaces, and the addresses that others give them, kept true."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cardume.datamodel.bond import Bond
from cardume.datamodel.host import Host
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode
from cardume.datamodel.pif_metrics import PIFMetrics
from cardume.datamodel.refs import Ref
from cardume.hostops.hands import Hands
from cardume.hostops.network.card_facts import CardFacts
from cardume.hostops.network.host_network import HostNetwork
from cardume.messages.host_network import address_fields
from cardume.messages.pif import record_address
from cardume.pooldb.db import Database, Reader, Transaction

_FIXED = (IpConfigurationMode.NONE, IpConfigurationMode.STATIC)
_FIXED6 = (Ipv6ConfigurationMode.NONE, Ipv6ConfigurationMode.STATIC)


async def refresh_interfaces(db: Database, hands: Hands, host: Ref[Host]) -> None:
    """Bring metrics, bonds' counts and leased addresses up to date; what is true already is not written again."""
    pifs = {ref: db.get(ref) for ref in db.get(host).PIFs}
    cards = sorted(pif.device for pif in pifs.values() if pif.physical)
    facts = await hands.network.card_facts(cards)
    leased = {ref: await _leased(hands.network, db, ref) for ref in pifs if _is_leased(db.get(ref))}
    async with db.transaction() as txn:
        for ref in pifs:
            if txn.find(ref) is not None:
                _measure(txn, ref, facts)
        for ref, fields in leased.items():
            if txn.find(ref) is not None:
                _update(txn, ref, fields)
        _count_links(txn, host, facts)
        record_address(txn, host)


def _is_leased(pif: PIF) -> bool:
    is_open = pif.ip_configuration_mode not in _FIXED or pif.ipv6_configuration_mode not in _FIXED6
    return pif.currently_attached and is_open


async def _leased(network: HostNetwork, db: Reader, ref: Ref[PIF]) -> dict[str, Any]:
    pif = db.get(ref)
    return address_fields(pif, await network.addresses(db.get(pif.network).bridge))


def _measure(txn: Transaction, ref: Ref[PIF], facts: Mapping[str, CardFacts]) -> None:
    pif = txn.get(ref)
    now = _facts_of(txn, ref, facts)
    old = txn.find(pif.metrics)
    known = old or PIFMetrics()
    new = replace(
        known,
        carrier=now.carrier,
        speed=now.speed_mbps,
        duplex=now.duplex,
        vendor_id=now.vendor_id,
        vendor_name=now.vendor_name,
        device_id=now.device_id,
        device_name=now.device_name,
        pci_bus_path=now.pci_bus_path,
    )
    if old is None:
        txn.update(ref, metrics=txn.create(replace(new, last_updated=datetime.now(UTC))))
    elif new != old:
        changed = {name: getattr(new, name) for name in _MEASURED}
        txn.update(pif.metrics, last_updated=datetime.now(UTC), **changed)


_MEASURED = (
    "carrier",
    "speed",
    "duplex",
    "vendor_id",
    "vendor_name",
    "device_id",
    "device_name",
    "pci_bus_path",
)


def _facts_of(txn: Transaction, ref: Ref[PIF], facts: Mapping[str, CardFacts]) -> CardFacts:
    """A VLAN has the facts of what it is on; a bond has a signal while a member has, and the members' speeds."""
    pif = txn.get(ref)
    if pif.physical:
        return facts.get(pif.device, CardFacts(carrier=False))
    if vlan := txn.find(pif.VLAN_master_of):
        below = _facts_of(txn, vlan.tagged_PIF, facts)
        return CardFacts(below.carrier, below.speed_mbps, below.duplex)
    members = [_facts_of(txn, each, facts) for bond in pif.bond_master_of for each in txn.get(bond).slaves]
    alive = [member for member in members if member.carrier]
    return CardFacts(bool(alive), sum(each.speed_mbps for each in alive), any(each.duplex for each in alive))


def _count_links(txn: Transaction, host: Ref[Host], facts: Mapping[str, CardFacts]) -> None:
    for ref, bond in txn.all(Bond).items():
        if txn.get(bond.master).host == host:
            members = [_facts_of(txn, each, facts) for each in bond.slaves]
            _update(txn, ref, {"links_up": sum(member.carrier for member in members)})


def _update(txn: Transaction, ref: Ref[Any], fields: dict[str, Any]) -> None:
    record = txn.get(ref)
    if any(getattr(record, name) != value for name, value in fields.items()):
        txn.update(ref, **fields)
