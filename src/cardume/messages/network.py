"""network: made and removed; a network without a PIF is a bridge inside one host."""

import dataclasses

from cardume.datamodel import errors
from cardume.datamodel.network import Network
from cardume.datamodel.refs import Ref
from cardume.messages.blob import forget_blobs
from cardume.messages.call import Call
from cardume.messages.failures import guest_failures
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader


@implements("network.create")
async def create(call: Call, args: Network) -> Ref[Network]:
    if args.bridge and any(network.bridge == args.bridge for network in call.db.all(Network).values()):
        raise errors.BRIDGE_NAME_EXISTS(args.bridge)
    if not 68 <= args.MTU <= 65535:
        raise errors.INVALID_VALUE("MTU", args.MTU)
    bridge = args.bridge or _free_bridge(call.db)
    return await call.db.create(dataclasses.replace(args, uuid="", bridge=bridge))


@implements("network.destroy")
async def destroy(call: Call, self: Ref[Network]) -> None:
    network = call.db.get(self)
    if network.PIFs:
        raise errors.NETWORK_CONTAINS_PIF(network.PIFs[0])
    if network.VIFs:
        raise errors.NETWORK_CONTAINS_VIF(network.VIFs[0])
    with guest_failures(self):
        await call.hosts.hands(call.localhost).bridges.remove_bridge(network.bridge)
    async with call.db.transaction() as txn:
        forget_blobs(txn, self)
        txn.delete(self)


@implements("network.set_MTU")
async def set_mtu(call: Call, self: Ref[Network], value: int) -> None:
    """The bridge takes it at once, guests' cards at their next start."""
    if not 68 <= value <= 65535:
        raise errors.INVALID_VALUE("MTU", value)
    with guest_failures(self):
        await call.hosts.hands(call.localhost).bridges.ensure_bridge(call.db.get(self).bridge, value)
    await call.db.update(self, MTU=value)


def _free_bridge(db: Reader) -> str:
    """`xapi0`, `xapi1`, …: as XenServer names the bridges of networks inside a host."""
    taken = {network.bridge for network in db.all(Network).values()}
    return next(name for number in range(len(taken) + 1) if (name := f"xapi{number}") not in taken)
