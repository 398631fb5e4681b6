"""Which host has which disk open, as the database knows it before anything is opened and until all is closed."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime

from cardume.datamodel.activation import Activation
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vm import VM
from cardume.pooldb.db import Reader, Transaction


def activation(db: Reader, vbd: Ref[VBD]) -> Activation | None:
    """The hold of a drive on its disk; None when the disk is not open for it."""
    return db.find(_ref(vbd))


def activate(txn: Transaction, vbd_ref: Ref[VBD], host: Ref[Host]) -> None:
    """Write down that a drive's disk is open on a host from now on."""
    vbd = txn.get(vbd_ref)
    writes = vbd.mode is VBDMode.RW and vbd.type is not VBDType.CD
    mode = VBDMode.RW if writes else VBDMode.RO
    before = activation(txn, vbd_ref)
    if before is not None and (before.VDI, before.host, before.mode) == (vbd.VDI, host, mode):
        return
    if vbd.empty:
        deactivate(txn, vbd_ref)
    elif before is not None:
        txn.update(_ref(vbd_ref), VDI=vbd.VDI, host=host, mode=mode, since=datetime.now(UTC))
    else:
        made = Activation(VBD=vbd_ref, VDI=vbd.VDI, host=host, mode=mode, since=datetime.now(UTC))
        txn.create(made, _ref(vbd_ref))


def deactivate(txn: Transaction, vbd: Ref[VBD]) -> None:
    """Write down that a drive's disk is not open any more."""
    txn.delete(_ref(vbd))


def expect(txn: Transaction, vbds: Iterable[Ref[VBD]], host: Ref[Host]) -> None:
    """Write down, beside who has the disks of these drives now, the host that their VM may be moved to."""
    for vbd in vbds:
        held = activation(txn, vbd)
        if held is not None:
            txn.create(dataclasses.replace(held, host=host, since=datetime.now(UTC)), _incoming(vbd))


def expect_no_more(txn: Transaction, vm: Ref[VM]) -> None:
    """The VM is not on its way any more: it has come, or will not."""
    for vbd in txn.get(vm).VBDs:
        txn.delete(_incoming(vbd))
    if not txn.get(vm).scheduled_to_be_resident_on.is_null:
        txn.update(vm, scheduled_to_be_resident_on=NULL)


def move_hold(txn: Transaction, vm: Ref[VM], host: Ref[Host]) -> None:
    """Write down that a VM and its disks are on the host that it was on its way to."""
    txn.update(vm, resident_on=host)
    for vbd in txn.get(vm).VBDs:
        if activation(txn, vbd) is not None:
            txn.update(_ref(vbd), host=host)
    expect_no_more(txn, vm)


def deactivate_all(txn: Transaction, host: Ref[Host]) -> None:
    """Void every hold of a host that certainly runs nothing any more."""
    for ref, held in txn.all(Activation).items():
        if held.host == host:
            txn.delete(ref)
            if ref == _ref(held.VBD) and txn.find(held.VBD) is not None:
                txn.update(held.VBD, currently_attached=False)


def _incoming(vbd: Ref[VBD]) -> Ref[Activation]:
    return Ref(f"activation:incoming:{vbd}")


def _ref(vbd: Ref[VBD]) -> Ref[Activation]:
    """Each drive has at most one, found without a search."""
    return Ref(f"activation:{vbd}")
