"""Which host has which disk open, as the database knows it before anything is opened and until all is closed."""

from datetime import UTC, datetime

from cardume.datamodel.activation import Activation
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
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
    deactivate(txn, vbd_ref)
    if not vbd.empty:
        made = Activation(VBD=vbd_ref, VDI=vbd.VDI, host=host, mode=mode, since=datetime.now(UTC))
        txn.create(made, _ref(vbd_ref))


def deactivate(txn: Transaction, vbd: Ref[VBD]) -> None:
    """Write down that a drive's disk is not open any more."""
    txn.delete(_ref(vbd))


def deactivate_all(txn: Transaction, host: Ref[Host]) -> None:
    """Void every hold of a host that certainly runs nothing any more."""
    for ref, held in txn.all(Activation).items():
        if held.host == host:
            txn.delete(ref)
            if txn.find(held.VBD) is not None:
                txn.update(held.VBD, currently_attached=False)


def _ref(vbd: Ref[VBD]) -> Ref[Activation]:
    """Each drive has at most one, found without a search."""
    return Ref(f"activation:{vbd}")
