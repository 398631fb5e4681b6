"""PBD: the links of hosts to repositories, plugged and unplugged."""

from collections.abc import Mapping

from cardume.core.failover_changes import tied
from cardume.datamodel import errors
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.device_config import drop_secrets, for_driver, store_secrets
from cardume.messages.failures import storage_failures
from cardume.messages.ha_plan import assert_keeps_plan, refresh_plan, the_pool
from cardume.messages.registry import implements
from cardume.messages.storage_values import driver, find_pbd, repository
from cardume.pooldb.db import Transaction

PLUG_AGAIN = "plug_again"
"""In other_config of a PBD: its host had it attached, could not attach it after a stop, and goes on trying."""


@implements("PBD.create")
async def create(call: Call, args: PBD) -> Ref[PBD]:
    sr = call.db.get(args.SR)
    call.db.get(args.host)
    existing = find_pbd(call.db, args.SR, args.host)
    if existing is not None:
        raise errors.PBD_EXISTS(args.SR, args.host, existing)
    config = for_driver(call.db, args.device_config, args.host)
    with storage_failures(call.db, sr=args.SR):
        driver(call.hosts.hands(args.host), sr.type).check_config(config)
    async with call.db.transaction() as txn:
        stored = store_secrets(txn, args.device_config)
        link = PBD(host=args.host, SR=args.SR, device_config=stored, other_config=dict(args.other_config))
        return txn.create(link)


@implements("PBD.destroy")
async def destroy(call: Call, self: Ref[PBD]) -> None:
    if call.db.get(self).currently_attached:
        raise errors.OPERATION_NOT_ALLOWED("the PBD is plugged: unplug it first")
    async with call.db.transaction() as txn:
        remove_pbd(txn, self)


@implements(PBD.plug, as_task=True)
async def plug(call: Call, self: Ref[PBD]) -> None:
    await attach(call, self)


@implements(PBD.unplug, as_task=True)
async def unplug(call: Call, self: Ref[PBD]) -> None:
    await _assert_ha_can_spare(call, call.db.get(self))
    await detach(call, self)
    await refresh_plan(call.db)


async def _assert_ha_can_spare(call: Call, pbd: PBD) -> None:
    """Raise the reason why high availability needs this host to reach this SR."""
    _, pool = the_pool(call.db)
    if any(vdi in pool.ha_statefiles for vdi in call.db.get(pbd.SR).VDIs):
        raise errors.HA_IS_ENABLED()
    drives = (call.db.get(vbd) for vdi in call.db.get(pbd.SR).VDIs for vbd in call.db.get(vdi).VBDs)
    users = {drive.VM for drive in drives}
    if pbd.currently_attached and call.db.get(pbd.host).enabled:
        await assert_keeps_plan(call.db, lambda pool: tied(pool, users))


@implements(PBD.set_device_config)
async def set_device_config(call: Call, self: Ref[PBD], value: Mapping[str, str]) -> None:
    pbd = call.db.get(self)
    with storage_failures(call.db, sr=pbd.SR):
        config = for_driver(call.db, value, pbd.host)
        driver(call.hosts.hands(pbd.host), call.db.get(pbd.SR).type).check_config(config)
    async with call.db.transaction() as txn:
        before = txn.get(self).device_config
        txn.update(self, device_config=store_secrets(txn, value))
        drop_secrets(txn, before)


def remove_pbd(txn: Transaction, pbd: Ref[PBD]) -> None:
    """Remove a PBD, with the secrets that were made for it."""
    config = txn.get(pbd).device_config
    txn.delete(pbd)
    drop_secrets(txn, config)


async def attach(call: Call, pbd_ref: Ref[PBD]) -> None:
    """Attach an SR on the PBD's host; attached already is no error."""
    pbd = call.db.get(pbd_ref)
    repo = repository(call.db, pbd.SR, pbd.host, attached=False)
    with storage_failures(call.db, sr=pbd.SR):
        await driver(call.hosts.hands(pbd.host), repo.type).attach(repo)
    async with call.db.transaction() as txn:
        note_attached(txn, pbd_ref, True)


async def detach(call: Call, pbd_ref: Ref[PBD]) -> None:
    """Detach an SR from the PBD's host; refused while a VM there has a disk of it open."""
    pbd = call.db.find(pbd_ref)
    if pbd is None:
        return
    if not pbd.currently_attached:
        if PLUG_AGAIN in pbd.other_config:
            async with call.db.transaction() as txn:
                note_attached(txn, pbd_ref, False)
        return
    for vdi in call.db.get(pbd.SR).VDIs:
        record = call.db.get(vdi)
        if record.current_operations:
            raise errors.VDI_IN_USE(vdi, "unplug")
        for vbd in record.VBDs:
            if call.db.get(vbd).currently_attached and call.db.get(call.db.get(vbd).VM).resident_on == pbd.host:
                raise errors.VDI_IN_USE(vdi, "unplug")
    repo = repository(call.db, pbd.SR, pbd.host)
    with storage_failures(call.db, sr=pbd.SR):
        await driver(call.hosts.hands(pbd.host), repo.type).detach(repo)
    async with call.db.transaction() as txn:
        note_attached(txn, pbd_ref, False)


def note_attached(txn: Transaction, pbd: Ref[PBD], is_attached: bool, *, plug_again: bool = False) -> None:
    """Record whether a PBD is attached, and when it is not, whether its host is to go on trying."""
    others = {key: value for key, value in txn.get(pbd).other_config.items() if key != PLUG_AGAIN}
    if plug_again:
        others[PLUG_AGAIN] = "true"
    txn.update(pbd, currently_attached=is_attached, other_config=others)
