"""PIF: a host's interfaces found, plugged, given addresses, and forgotten."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface
from typing import Any

from cardume.core.failover_changes import tied
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode, PrimaryAddressType
from cardume.datamodel.pif_metrics import PIFMetrics
from cardume.datamodel.refs import Ref
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.networkd import BRIDGE_PREFIX
from cardume.messages.call import Call
from cardume.messages.card_records import ensure_network, new_pif, pif_addressing
from cardume.messages.consoles import relocate_consoles
from cardume.messages.ha_plan import assert_keeps_plan
from cardume.messages.host_network import Picture, applied, assert_no_vif_plugged, found_addresses, picture
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader, Transaction


@implements(PIF.scan, as_task=True)
async def scan(call: Call, host: Ref[Host]) -> None:
    """Cards that a bridge has already are taken over as they are; the others get a network and stay down."""
    call.db.get(host)
    network = call.hosts.hands(host).network
    async with network.lock:
        cards = await network.cards()
        known = {call.db.get(pif).device for pif in call.db.get(host).PIFs}
        for nic in cards:
            if nic.name not in known:
                await _introduce(call, host, nic, cards)


@implements(PIF.introduce, as_task=True)
async def introduce(call: Call, host: Ref[Host], MAC: str, device: str, managed: bool) -> Ref[PIF]:
    known = [call.db.get(pif) for pif in call.db.get(host).PIFs]
    network = call.hosts.hands(host).network
    async with network.lock:
        cards = await network.cards()
        nic = _find_card(cards, MAC, device)
        if any(pif.physical and pif.device == nic.name for pif in known):
            raise errors.DUPLICATE_PIF_DEVICE_NAME(nic.name)
        ref = await _introduce(call, host, nic, cards)
        if not managed:
            await call.db.update(ref, managed=False)
    return ref


def _find_card(cards: tuple[NIC, ...], mac: str, device: str) -> NIC:
    with_mac = [nic for nic in cards if not mac or nic.mac.lower() == mac.lower()]
    if not with_mac:
        raise errors.MAC_DOES_NOT_EXIST(mac)
    found = [nic for nic in with_mac if nic.name == device or (mac and not device)]
    if not found:
        raise errors.COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS(device, mac)
    return found[0]


async def _introduce(call: Call, host: Ref[Host], nic: NIC, cards: tuple[NIC, ...]) -> Ref[PIF]:
    configured = await call.hosts.hands(host).network.configured()
    async with call.db.transaction() as txn:
        bridge = nic.bridge or _free_bridge(txn, cards)
        found = new_pif(host, nic, ensure_network(txn, nic, bridge))
        ref: Ref[PIF] = txn.create(found)
        if nic.bridge is not None:
            txn.update(ref, **pif_addressing(found, nic, configured))
        txn.update(ref, metrics=txn.create(PIFMetrics(carrier=nic.carrier, speed=nic.speed_mbps)))
    return ref


def _free_bridge(db: Reader, cards: tuple[NIC, ...]) -> str:
    taken = {network.bridge for network in db.all(Network).values()} | {nic.bridge for nic in cards}
    return next(name for number in range(len(taken) + 1) if (name := f"{BRIDGE_PREFIX}{number}") not in taken)


@implements(PIF.forget, as_task=True)
async def forget(call: Call, self: Ref[PIF]) -> None:
    """The card goes back to the host's own configuration."""
    pif = call.db.get(self)
    if not pif.physical:
        raise errors.PIF_IS_NOT_PHYSICAL(self)
    async with call.hosts.hands(pif.host).network.lock:
        assert_can_unplug(call.db, self)
        assert_free(call.db, self)
        wanted = picture(call.db, pif.host)
        del wanted.pifs[self]
        async with applied(call, pif.host, wanted, self), call.db.transaction() as txn:
            delete_pif(txn, self)


@implements(PIF.plug, as_task=True)
async def plug(call: Call, self: Ref[PIF]) -> None:
    pif = call.db.get(self)
    async with call.hosts.hands(pif.host).network.lock:
        await plug_locked(call, self)


async def plug_locked(call: Call, self: Ref[PIF]) -> None:
    """Plug an interface, and what it is made on; the caller holds the network's lock."""
    pif = call.db.get(self)
    if pif.currently_attached:
        return
    assert_managed(call.db, self)
    if call.db.find(pif.bond_slave_of) is not None:
        raise errors.CANNOT_PLUG_BOND_SLAVE(self)
    wanted = picture(call.db, pif.host)
    to_plug = [self]
    if vlan := call.db.find(pif.VLAN_master_of):
        to_plug.append(vlan.tagged_PIF)
    for each in to_plug:
        wanted.change(each, currently_attached=True)
    async with applied(call, pif.host, wanted, self):
        found = {each: await found_now(call, wanted, each) for each in to_plug}
        async with call.db.transaction() as txn:
            for each, fields in found.items():
                txn.update(each, currently_attached=True, **fields)


@implements(PIF.unplug, as_task=True)
async def unplug(call: Call, self: Ref[PIF]) -> None:
    pif = call.db.get(self)
    async with call.hosts.hands(pif.host).network.lock:
        if not call.db.get(self).currently_attached:
            return
        assert_can_unplug(call.db, self)
        await _assert_ha_can_spare(call.db, pif)
        for vlan in call.db.get(self).VLAN_slave_of:
            if call.db.get(call.db.get(vlan).untagged_PIF).currently_attached:
                raise errors.PIF_VLAN_STILL_EXISTS(self)
        wanted = picture(call.db, pif.host)
        wanted.change(self, currently_attached=False)
        async with applied(call, pif.host, wanted, self):
            await call.db.update(self, currently_attached=False)


async def _assert_ha_can_spare(db: Reader, pif: PIF) -> None:
    """Raise when protected VMs count on every host having this network."""
    users = {db.get(vif).VM for vif in db.get(pif.network).VIFs}
    if db.get(pif.host).enabled:
        await assert_keeps_plan(db, lambda pool: tied(pool, users))


@implements(PIF.reconfigure_ip, as_task=True)
async def reconfigure_ip(
    call: Call, self: Ref[PIF], mode: IpConfigurationMode, IP: str, netmask: str, gateway: str, DNS: str
) -> None:
    servers = ",".join(_ipv4(each.strip(), "DNS") for each in DNS.split(",") if each.strip())
    fields: dict[str, Any] = {"ip_configuration_mode": mode, "IP": "", "netmask": "", "gateway": "", "DNS": servers}
    if mode is IpConfigurationMode.STATIC:
        fields |= _static_ipv4(IP, netmask, gateway)
        _assert_address_free(call.db, self, fields["IP"])
    await _reconfigure(call, self, fields, is_none=mode is IpConfigurationMode.NONE, family=PrimaryAddressType.IPV4)


@implements(PIF.reconfigure_ipv6, as_task=True)
async def reconfigure_ipv6(
    call: Call, self: Ref[PIF], mode: Ipv6ConfigurationMode, IPv6: str, gateway: str, DNS: str
) -> None:
    fields: dict[str, Any] = {"ipv6_configuration_mode": mode, "IPv6": (), "ipv6_gateway": ""}
    if servers := [_ipv6(each.strip(), "DNS") for each in DNS.split(",") if each.strip()]:
        fields["DNS"] = ",".join(servers)
    if mode is Ipv6ConfigurationMode.STATIC:
        fields |= {"IPv6": (_ipv6_interface(IPv6),), "ipv6_gateway": _ipv6(gateway, "gateway") if gateway else ""}
    await _reconfigure(call, self, fields, is_none=mode is Ipv6ConfigurationMode.NONE, family=PrimaryAddressType.IPV6)


async def _reconfigure(
    call: Call, self: Ref[PIF], fields: dict[str, Any], *, is_none: bool, family: PrimaryAddressType
) -> None:
    host = call.db.get(self).host
    async with call.hosts.hands(host).network.lock:
        pif = call.db.get(self)
        assert_managed(call.db, self)
        if call.db.find(pif.bond_slave_of) is not None:
            raise errors.PIF_ALREADY_BONDED(self)
        if is_none and pif.management and pif.primary_address_type is family:
            raise errors.PIF_IS_MANAGEMENT_INTERFACE(self)
        wanted = picture(call.db, host)
        wanted.change(self, **fields)
        if not pif.currently_attached:
            await call.db.update(self, **fields)
            return
        async with applied(call, host, wanted, self):
            found = fields | await found_now(call, wanted, self)
            async with call.db.transaction() as txn:
                txn.update(self, **found)
                record_address(txn, host)


@implements(PIF.set_primary_address_type)
async def set_primary_address_type(call: Call, self: Ref[PIF], primary_address_type: PrimaryAddressType) -> None:
    pif = call.db.get(self)
    if primary_address_type is pif.primary_address_type:
        return
    if pif.management:
        raise errors.PIF_IS_MANAGEMENT_INTERFACE(self)
    if primary_address_type is PrimaryAddressType.IPV4:
        if pif.ip_configuration_mode is IpConfigurationMode.NONE:
            raise errors.PIF_HAS_NO_NETWORK_CONFIGURATION(self)
    elif pif.ipv6_configuration_mode is Ipv6ConfigurationMode.NONE:
        raise errors.PIF_HAS_NO_V6_NETWORK_CONFIGURATION(self)
    await call.db.update(self, primary_address_type=primary_address_type)


@implements(PIF.set_disallow_unplug)
async def set_disallow_unplug(call: Call, self: Ref[PIF], value: bool) -> None:
    await call.db.update(self, disallow_unplug=value)


def assert_managed(db: Reader, pif: Ref[PIF]) -> None:
    """Raise PIF_UNMANAGED for an interface that the host's owner keeps by hand."""
    if not db.get(pif).managed:
        raise errors.PIF_UNMANAGED(pif)


def assert_can_unplug(db: Reader, ref: Ref[PIF]) -> None:
    """Raise the reason why an interface must stay up."""
    pif = db.get(ref)
    assert_managed(db, ref)
    if pif.management:
        raise errors.PIF_IS_MANAGEMENT_INTERFACE(ref)
    if pif.currently_attached and pif.disallow_unplug:
        raise errors.PIF_DOES_NOT_ALLOW_UNPLUG(ref)
    if db.find(pif.bond_slave_of) is not None:
        raise errors.CANNOT_PLUG_BOND_SLAVE(ref)
    if pif.currently_attached:
        assert_no_vif_plugged(db, pif.network, pif.host)


def assert_free(db: Reader, ref: Ref[PIF]) -> None:
    """Raise the reason why something else still stands on an interface."""
    pif = db.get(ref)
    if pif.VLAN_slave_of:
        raise errors.PIF_VLAN_STILL_EXISTS(ref)
    if pif.tunnel_transport_PIF_of:
        raise errors.PIF_TUNNEL_STILL_EXISTS(ref)


def delete_pif(txn: Transaction, ref: Ref[PIF]) -> None:
    """Remove an interface's record, and what is measured of it."""
    metrics = txn.get(ref).metrics
    if txn.find(metrics) is not None:
        txn.delete(metrics)
    txn.delete(ref)


def record_address(txn: Transaction, host: Ref[Host]) -> None:
    """Have the host's address follow its management interface's."""
    managing = [txn.get(pif) for pif in txn.get(host).PIFs if txn.get(pif).management]
    for pif in managing:
        is_ipv6 = pif.primary_address_type is PrimaryAddressType.IPV6
        address = pif.IPv6[0].partition("/")[0] if is_ipv6 and pif.IPv6 else pif.IP
        if txn.get(host).address != address:
            txn.update(host, address=address)
            relocate_consoles(txn, host)


async def found_now(call: Call, wanted: Picture, ref: Ref[PIF]) -> dict[str, Any]:
    """What the network's servers gave an interface of a picture that was just made true."""
    pif = wanted.pifs[ref]
    return await found_addresses(call, pif.host, wanted.networks[pif.network].bridge, pif)


def _static_ipv4(address: str, netmask: str, gateway: str) -> dict[str, str]:
    own, mask = _ipv4(address, "IP"), _ipv4(netmask, "netmask")
    try:
        around = IPv4Network(f"{own}/{mask}", strict=False)
    except ValueError:
        raise errors.INVALID_IP_ADDRESS_SPECIFIED("netmask") from None
    if gateway and IPv4Address(_ipv4(gateway, "gateway")) not in around:
        raise errors.INVALID_IP_ADDRESS_SPECIFIED("gateway")
    return {"IP": own, "netmask": mask, "gateway": gateway}


def _assert_address_free(db: Reader, ref: Ref[PIF], address: str) -> None:
    for other in db.get(db.get(ref).host).PIFs:
        if other != ref and address == db.get(other).IP:
            raise errors.INVALID_IP_ADDRESS_SPECIFIED("IP")


def _ipv4(text: str, parameter: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise errors.INVALID_IP_ADDRESS_SPECIFIED(parameter) from None


def _ipv6(text: str, parameter: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise errors.INVALID_IP_ADDRESS_SPECIFIED(parameter) from None


def _ipv6_interface(text: str) -> str:
    if "/" not in text:
        raise errors.INVALID_CIDR_ADDRESS_SPECIFIED("IPv6")
    try:
        return str(IPv6Interface(text))
    except ValueError:
        raise errors.INVALID_CIDR_ADDRESS_SPECIFIED("IPv6") from None
