"""network: made and removed; a network without a PIF is a bridge inside one host."""

import dataclasses

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network, NetworkPurpose
from cardume.datamodel.pif import PIF
from cardume.datamodel.refs import Ref
from cardume.messages.blob import forget_blobs
from cardume.messages.call import Call
from cardume.messages.failures import guest_failures
from cardume.messages.host_network import applied, picture
from cardume.messages.registry import implements
from cardume.messages.storage_values import is_live
from cardume.pooldb.db import Reader

SMALLEST_MTU, LARGEST_MTU = 68, 65535


@implements("network.create")
async def create(call: Call, args: Network) -> Ref[Network]:
    if args.bridge and any(network.bridge == args.bridge for network in call.db.all(Network).values()):
        raise errors.BRIDGE_NAME_EXISTS(args.bridge)
    _assert_mtu(args.MTU)
    if not args.managed:
        bridges = await call.hosts.hands(call.localhost).bridges.list_bridges()
        if args.bridge not in {bridge.name for bridge in bridges}:
            raise errors.BRIDGE_NOT_AVAILABLE(args.bridge)
    bridge = args.bridge or free_bridge(call.db)
    return await call.db.create(dataclasses.replace(args, uuid="", bridge=bridge))


@implements("network.destroy")
async def destroy(call: Call, self: Ref[Network]) -> None:
    network = call.db.get(self)
    if network.PIFs:
        raise errors.NETWORK_CONTAINS_PIF(network.PIFs[0])
    if network.VIFs:
        raise errors.NETWORK_CONTAINS_VIF(network.VIFs[0])
    if network.managed:
        for host in live_hosts(call.db):
            with guest_failures(self):
                await call.hosts.hands(host).bridges.remove_bridge(network.bridge)
    async with call.db.transaction() as txn:
        forget_blobs(txn, self)
        txn.delete(self)


@implements("network.set_MTU")
async def set_mtu(call: Call, self: Ref[Network], value: int) -> None:
    """The bridge and what joins it to the outside take it at once, guests' cards at their next start."""
    _assert_mtu(value)
    for pif in call.db.get(self).PIFs:
        await _set_pif_mtu(call, pif, value)
    for host in live_hosts(call.db):
        with guest_failures(self):
            await call.hosts.hands(host).bridges.ensure_bridge(call.db.get(self).bridge, value)
    await call.db.update(self, MTU=value)


def live_hosts(db: Reader) -> list[Ref[Host]]:
    """The hosts that can be asked now; the others make their bridges when they come back."""
    return [ref for ref in db.all(Host) if is_live(db, ref)]


async def _set_pif_mtu(call: Call, ref: Ref[PIF], value: int) -> None:
    pif = call.db.get(ref)
    async with call.hosts.hands(pif.host).network.lock:
        if not pif.managed:
            raise errors.PIF_UNMANAGED(ref)
        wanted = picture(call.db, pif.host)
        wanted.change(ref, MTU=value)
        async with applied(call, pif.host, wanted, ref):
            await call.db.update(ref, MTU=value)


@implements(Network.add_purpose)
async def add_purpose(call: Call, self: Ref[Network], value: NetworkPurpose) -> None:
    purposes = call.db.get(self).purpose
    for other in purposes:
        if other is not value:
            raise errors.NETWORK_INCOMPATIBLE_PURPOSES(value, other)
    if value not in purposes:
        await call.db.update(self, purpose=(*purposes, value))


@implements(Network.remove_purpose)
async def remove_purpose(call: Call, self: Ref[Network], value: NetworkPurpose) -> None:
    await call.db.update(self, purpose=tuple(each for each in call.db.get(self).purpose if each is not value))


def _assert_mtu(value: int) -> None:
    if not SMALLEST_MTU <= value <= LARGEST_MTU:
        raise errors.INVALID_VALUE("MTU", value)


def free_bridge(db: Reader) -> str:
    """`xapi0`, `xapi1`, …: as XenServer names the bridges of networks inside a host."""
    taken = {network.bridge for network in db.all(Network).values()}
    return next(name for number in range(len(taken) + 1) if (name := f"xapi{number}") not in taken)
