"""VLAN: one tag's traffic of an interface as an interface of its own, on one host or on all."""

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF
from cardume.datamodel.pif_metrics import PIFMetrics
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vlan import VLAN
from cardume.messages.call import Call
from cardume.messages.host_network import applied, picture
from cardume.messages.pif import assert_can_unplug, assert_managed, delete_pif, plug_locked
from cardume.messages.registry import implements
from cardume.pooldb.db import Reader

HIGHEST_TAG = 4094


@implements(VLAN.create, as_task=True)
async def create(call: Call, tagged_PIF: Ref[PIF], tag: int, network: Ref[Network]) -> Ref[VLAN]:
    """It is plugged at once when the interface under it is."""
    host = call.db.get(tagged_PIF).host
    async with call.hosts.hands(host).network.lock:
        _assert_can_create(call.db, tagged_PIF, tag, network)
        vlan = await _record(call, tagged_PIF, tag, network)
        if call.db.get(tagged_PIF).currently_attached:
            try:
                await plug_locked(call, call.db.get(vlan).untagged_PIF)
            except BaseException:
                await _delete(call, vlan)
                raise
    return vlan


@implements(VLAN.destroy, as_task=True)
async def destroy(call: Call, self: Ref[VLAN]) -> None:
    pif = call.db.get(self).untagged_PIF
    host = call.db.get(pif).host
    async with call.hosts.hands(host).network.lock:
        assert_can_unplug(call.db, pif)
        wanted = picture(call.db, host)
        del wanted.pifs[pif]
        async with applied(call, host, wanted, pif):
            await _delete(call, self)


@implements(PIF.destroy, as_task=True)
async def destroy_pif(call: Call, self: Ref[PIF]) -> None:
    pif = call.db.get(self)
    if pif.physical:
        raise errors.PIF_IS_PHYSICAL(self)
    if call.db.find(pif.VLAN_master_of) is None:
        raise errors.OPERATION_NOT_ALLOWED("the interface is no VLAN: destroy the bond")
    await destroy(call, pif.VLAN_master_of)


@implements(Pool.create_VLAN, as_task=True)
async def create_on_device(call: Call, device: str, network: Ref[Network], VLAN: int) -> tuple[Ref[PIF], ...]:
    carriers = [ref for ref, pif in call.db.all(PIF).items() if pif.device == device and pif.VLAN < 0]
    if not carriers:
        raise errors.PIF_DEVICE_NOT_FOUND()
    return await _create_on_all(call, carriers, network, VLAN)


@implements(Pool.create_VLAN_from_PIF, as_task=True)
async def create_from_pif(call: Call, pif: Ref[PIF], network: Ref[Network], VLAN: int) -> tuple[Ref[PIF], ...]:
    carriers = call.db.get(call.db.get(pif).network).PIFs
    return await _create_on_all(call, list(carriers), network, VLAN)


@implements(PIF.create_VLAN, as_task=True)
async def create_on_host(call: Call, device: str, network: Ref[Network], host: Ref[Host], VLAN: int) -> Ref[PIF]:
    for carrier in call.db.get(host).PIFs:
        if call.db.get(carrier).device == device and call.db.get(carrier).VLAN < 0:
            return (await _create_on_all(call, [carrier], network, VLAN))[0]
    raise errors.PIF_DEVICE_NOT_FOUND()


async def _create_on_all(call: Call, carriers: list[Ref[PIF]], network: Ref[Network], tag: int) -> tuple[Ref[PIF], ...]:
    """On every host or on none."""
    made: list[Ref[VLAN]] = []
    try:
        for carrier in carriers:
            made.append(await create(call, carrier, tag, network))
    except BaseException:
        for vlan in made:
            await destroy(call, vlan)
        raise
    return tuple(call.db.get(vlan).untagged_PIF for vlan in made)


def _assert_can_create(db: Reader, tagged: Ref[PIF], tag: int, network: Ref[Network]) -> None:
    carrier = db.get(tagged)
    if not 0 <= tag <= HIGHEST_TAG:
        raise errors.VLAN_TAG_INVALID(tag)
    if carrier.VLAN >= 0:
        raise errors.PIF_IS_VLAN(tagged)
    if db.find(carrier.bond_slave_of) is not None:
        raise errors.CANNOT_ADD_VLAN_TO_BOND_SLAVE(tagged)
    assert_managed(db, tagged)
    if any(db.get(vlan).tag == tag for vlan in carrier.VLAN_slave_of):
        raise errors.PIF_VLAN_EXISTS(tagged)
    assert_connectable(db, network, carrier.host)


def assert_connectable(db: Reader, network: Ref[Network], host: Ref[Host]) -> None:
    """Raise the reason why a network cannot get an interface of a host."""
    if not db.get(network).managed:
        raise errors.NETWORK_UNMANAGED(network)
    for other in db.get(network).PIFs:
        if db.get(other).host == host:
            raise errors.NETWORK_ALREADY_CONNECTED(network, other)


async def _record(call: Call, tagged: Ref[PIF], tag: int, network: Ref[Network]) -> Ref[VLAN]:
    carrier = call.db.get(tagged)
    async with call.db.transaction() as txn:
        made = PIF(
            host=carrier.host,
            device=carrier.device,
            network=network,
            MAC=carrier.MAC,
            MTU=min(carrier.MTU, txn.get(network).MTU),
            VLAN=tag,
            physical=False,
            currently_attached=False,
            metrics=txn.create(PIFMetrics()),
            other_config={},
        )
        pif: Ref[PIF] = txn.create(made)
        vlan: Ref[VLAN] = txn.create(VLAN(tagged_PIF=tagged, untagged_PIF=pif, tag=tag, other_config={}))
        txn.update(pif, VLAN_master_of=vlan)
    return vlan


async def _delete(call: Call, vlan: Ref[VLAN]) -> None:
    async with call.db.transaction() as txn:
        pif = txn.get(vlan).untagged_PIF
        txn.delete(vlan)
        if pif != NULL:
            delete_pif(txn, pif)
