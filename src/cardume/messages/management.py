"""The management interface: the API moved from one interface of a host to another, without losing it on the way."""

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF, IpConfigurationMode, Ipv6ConfigurationMode, PrimaryAddressType
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.host_network import applied, picture
from cardume.messages.pif import found_now, record_address
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader


@implements(Host.management_reconfigure, as_task=True)
async def management_reconfigure(call: Call, pif: Ref[PIF]) -> None:
    """The old way stays until the new one works: its address is there and its gateway answers."""
    _assert_can_manage(call.db, pif)
    host = call.db.get(pif).host
    async with call.hosts.hands(host).network.lock:
        managing = [each for each in call.db.get(host).PIFs if call.db.get(each).management]
        if managing == [pif]:
            return
        wanted = picture(call.db, host)
        for old in managing:
            wanted.change(old, management=False)
        wanted.change(pif, management=True, currently_attached=True)
        async with applied(call, host, wanted, pif):
            found = await found_now(call, wanted, pif)
            if not (found.get("IP") or found.get("IPv6") or wanted.pifs[pif].IP or wanted.pifs[pif].IPv6):
                raise errors.INTERFACE_HAS_NO_IP(call.db.get(pif).device)
            async with call.db.transaction() as txn:
                for old in managing:
                    txn.update(old, management=False)
                txn.update(pif, management=True, currently_attached=True, **found)
                record_address(txn, host)


@implements(Pool.management_reconfigure, as_task=True)
async def pool_management_reconfigure(call: Call, network: Ref[Network]) -> None:
    for pool in call.db.all(Pool).values():
        if pool.ha_enabled:
            raise errors.HA_IS_ENABLED()
    moves = [_find_pif(call.db, host, network) for host in call.db.all(Host)]
    for pif in moves:
        _assert_can_manage(call.db, pif)
    for pif in moves:
        await management_reconfigure(call, pif)


def _find_pif(db: Reader, host: Ref[Host], network: Ref[Network]) -> Ref[PIF]:
    for pif in db.get(network).PIFs:
        if db.get(pif).host == host:
            return pif
    raise errors.PIF_NOT_PRESENT(host, network)


def _assert_can_manage(db: Reader, ref: Ref[PIF]) -> None:
    pif = db.get(ref)
    if db.find(pif.bond_slave_of) is not None:
        raise errors.CANNOT_PLUG_BOND_SLAVE(ref)
    has_ipv4 = pif.ip_configuration_mode is not IpConfigurationMode.NONE
    has_ipv6 = pif.ipv6_configuration_mode is not Ipv6ConfigurationMode.NONE
    if pif.primary_address_type is PrimaryAddressType.IPV6 and not has_ipv6:
        raise errors.PIF_HAS_NO_V6_NETWORK_CONFIGURATION(ref)
    if pif.primary_address_type is PrimaryAddressType.IPV4 and not has_ipv4:
        raise errors.PIF_HAS_NO_NETWORK_CONFIGURATION(ref)
    for other in db.get(pif.host).PIFs:
        if db.get(other).management and db.get(other).primary_address_type is not pif.primary_address_type:
            raise errors.PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE(ref)
