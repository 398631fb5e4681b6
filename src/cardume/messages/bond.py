"""Bond: several cards of a host as one interface; what the first of them had moves to the bond, and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cardume.core import devices
from cardume.datamodel import errors
from cardume.datamodel.bond import Bond, BondMode
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode
from cardume.datamodel.pif_metrics import PIFMetrics
from cardume.datamodel.refs import NULL, Ref
from cardume.messages.call import Call
from cardume.messages.host_network import (
    NEW_BOND,
    NEW_PIF,
    Picture,
    applied,
    assert_no_vif_plugged,
    picture,
)
from cardume.messages.pif import assert_can_unplug, assert_managed, delete_pif, found_now, record_address
from cardume.messages.registry import implements
from cardume.messages.vlan import assert_connectable
from cardume.pooldb.db import Reader, Transaction

FEWEST_MEMBERS = 2
KNOWN_PROPERTIES = {"hashing_algorithm": ("src_mac", "tcpudp_ports"), "lacp-time": ("slow", "fast")}
NO_SLB = "the kernel's bonding sends a VM's own broadcasts back to it in this mode: use active-backup or lacp"
_NO_ADDRESS: dict[str, Any] = {
    "ip_configuration_mode": IpConfigurationMode.NONE,
    "IP": "",
    "netmask": "",
    "gateway": "",
    "DNS": "",
    "ipv6_configuration_mode": Ipv6ConfigurationMode.NONE,
    "IPv6": (),
    "ipv6_gateway": "",
}


@implements(Bond.create, as_task=True)
async def create(
    call: Call,
    network: Ref[Network],
    members: tuple[Ref[PIF], ...],
    MAC: str,
    mode: BondMode,
    properties: Mapping[str, str],
) -> Ref[Bond]:
    members = tuple(dict.fromkeys(members))
    _assert_mode(mode)
    for name, value in properties.items():
        _assert_property(name, value)
    if len(members) < FEWEST_MEMBERS:
        raise errors.PIF_BOND_NEEDS_MORE_MEMBERS()
    if MAC:
        devices.assert_valid_mac(MAC.lower())
    host = call.db.get(members[0]).host
    async with call.hosts.hands(host).network.lock:
        _assert_can_bond(call.db, members, network)
        primary = _choose_primary(call.db, members)
        wanted = picture(call.db, host)
        top = _bond_pif(call.db, primary, network, MAC.lower())
        wanted.pifs[NEW_PIF] = top
        wanted.bonds[NEW_BOND] = Bond(master=NEW_PIF, mode=mode, properties=dict(properties), other_config={})
        for member in members:
            wanted.change(member, bond_slave_of=NEW_BOND, management=False, currently_attached=False, **_NO_ADDRESS)
        _move_vlans(wanted, members, NEW_PIF)
        async with applied(call, host, wanted, primary):
            found = await found_now(call, wanted, NEW_PIF)
            async with call.db.transaction() as txn:
                pif: Ref[PIF] = txn.create(replace(top, metrics=txn.create(PIFMetrics()), **found))
                made = Bond(master=pif, primary_slave=primary, mode=mode, properties=dict(properties), other_config={})
                bond: Ref[Bond] = txn.create(made)
                for member in members:
                    _move_vifs(txn, txn.get(member).network, network)
                    txn.update(member, bond_slave_of=bond, management=False, currently_attached=False, **_NO_ADDRESS)
                _record_vlans(txn, wanted, {NEW_PIF: pif})
                record_address(txn, host)
    return bond


@implements(Bond.destroy, as_task=True)
async def destroy(call: Call, self: Ref[Bond]) -> None:
    """Its addresses, its VLANs and the management traffic go back to the primary member."""
    bond = call.db.get(self)
    host = call.db.get(bond.master).host
    async with call.hosts.hands(host).network.lock:
        top = call.db.get(bond.master)
        assert_no_vif_plugged(call.db, top.network, host)
        if not top.management:
            assert_can_unplug(call.db, bond.master)
        primary = bond.primary_slave if bond.primary_slave in bond.slaves else bond.slaves[0]
        was_attached = top.currently_attached
        wanted = picture(call.db, host)
        del wanted.pifs[bond.master], wanted.bonds[self]
        given = {name: getattr(top, name) for name in _NO_ADDRESS}
        for member in bond.slaves:
            wanted.change(member, bond_slave_of=NULL, currently_attached=was_attached)
        wanted.change(primary, management=top.management, **given)
        _move_vlans(wanted, (bond.master,), primary)
        async with applied(call, host, wanted, bond.master):
            found = await found_now(call, wanted, primary)
            async with call.db.transaction() as txn:
                for member in bond.slaves:
                    txn.update(member, bond_slave_of=NULL, currently_attached=was_attached)
                txn.update(primary, management=top.management, **(given | found))
                _move_vifs(txn, top.network, txn.get(primary).network)
                _record_vlans(txn, wanted, {})
                txn.delete(self)
                delete_pif(txn, bond.master)
                record_address(txn, host)


@implements(Bond.set_mode, as_task=True)
async def set_mode(call: Call, self: Ref[Bond], value: BondMode) -> None:
    _assert_mode(value)
    await _change(call, self, mode=value)


@implements(Bond.set_property, as_task=True)
async def set_property(call: Call, self: Ref[Bond], name: str, value: str) -> None:
    _assert_property(name, value)
    await _change(call, self, properties={**call.db.get(self).properties, name: value})


async def _change(call: Call, self: Ref[Bond], **fields: Any) -> None:
    """The bond is made anew with its new settings: its traffic stops for a moment."""
    bond = call.db.get(self)
    host = call.db.get(bond.master).host
    async with call.hosts.hands(host).network.lock:
        wanted = picture(call.db, host)
        wanted.bonds[self] = replace(wanted.bonds[self], **fields)
        async with applied(call, host, wanted, bond.master):
            await call.db.update(self, **fields)


def _assert_mode(mode: BondMode) -> None:
    if mode is BondMode.BALANCE_SLB:
        raise errors.VALUE_NOT_SUPPORTED("mode", mode, NO_SLB)


def _assert_property(name: str, value: str) -> None:
    if value not in KNOWN_PROPERTIES.get(name, ()):
        raise errors.INVALID_VALUE(name, value)


def _assert_can_bond(db: Reader, members: tuple[Ref[PIF], ...], network: Ref[Network]) -> None:
    host = db.get(members[0]).host
    for member in members:
        pif = db.get(member)
        if pif.host != host:
            raise errors.PIF_CANNOT_BOND_CROSS_HOST()
        if db.find(pif.bond_slave_of) is not None:
            raise errors.PIF_ALREADY_BONDED(member)
        if pif.VLAN >= 0:
            raise errors.PIF_IS_VLAN(member)
        if not pif.physical:
            raise errors.PIF_IS_NOT_PHYSICAL(member)
        assert_managed(db, member)
        assert_no_vif_plugged(db, pif.network, host)
        if pif.currently_attached and pif.disallow_unplug:
            raise errors.PIF_DOES_NOT_ALLOW_UNPLUG(member)
    if sum(_has_address(db.get(member)) for member in members) > 1:
        raise errors.PIF_BOND_MORE_THAN_ONE_IP()
    tags = [db.get(vlan).tag for member in members for vlan in db.get(member).VLAN_slave_of]
    if len(tags) != len(set(tags)):
        raise errors.PIF_VLAN_STILL_EXISTS(next(member for member in members if db.get(member).VLAN_slave_of))
    assert_connectable(db, network, host)


def _has_address(pif: PIF) -> bool:
    is_ipv6 = pif.ipv6_configuration_mode is not Ipv6ConfigurationMode.NONE
    return is_ipv6 or pif.ip_configuration_mode is not IpConfigurationMode.NONE


def _choose_primary(db: Reader, members: tuple[Ref[PIF], ...]) -> Ref[PIF]:
    """The member that the host is reached by, else the one with an address, else the first."""
    return max(members, key=lambda each: (db.get(each).management, _has_address(db.get(each))))


def _bond_pif(db: Reader, primary: Ref[PIF], network: Ref[Network], mac: str) -> PIF:
    first = db.get(primary)
    taken = {db.get(pif).device for pif in db.get(first.host).PIFs}
    device = next(name for number in range(len(taken) + 1) if (name := f"bond{number}") not in taken)
    return replace(
        first,
        uuid="",
        device=device,
        network=network,
        MAC=mac or first.MAC,
        MTU=db.get(network).MTU,
        physical=False,
        currently_attached=True,
        VLAN_slave_of=(),
        bond_master_of=(),
        metrics=NULL,
        other_config={},
    )


def _move_vlans(wanted: Picture, sources: tuple[Ref[PIF], ...], target: Ref[PIF]) -> None:
    for ref, vlan in list(wanted.vlans.items()):
        if vlan.tagged_PIF in sources:
            wanted.vlans[ref] = replace(vlan, tagged_PIF=target)
            carrier = wanted.pifs[target]
            wanted.change(vlan.untagged_PIF, device=carrier.device, MAC=carrier.MAC)


def _record_vlans(txn: Transaction, wanted: Picture, made: Mapping[Ref[PIF], Ref[PIF]]) -> None:
    """Write down on what the VLANs of a picture stand; `made`: records that exist by now."""
    for ref, vlan in wanted.vlans.items():
        if txn.get(ref).tagged_PIF != vlan.tagged_PIF:
            pif = wanted.pifs[vlan.untagged_PIF]
            txn.update(ref, tagged_PIF=made.get(vlan.tagged_PIF, vlan.tagged_PIF))
            txn.update(vlan.untagged_PIF, device=pif.device, MAC=pif.MAC)


def _move_vifs(txn: Transaction, source: Ref[Network], target: Ref[Network]) -> None:
    """Cards of VMs that are off follow their network's interface; plugged ones would have been refused."""
    for vif in txn.get(source).VIFs:
        txn.update(vif, network=target)
