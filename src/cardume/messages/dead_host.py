"""What becomes of the VMs of a host that certainly runs nothing any more."""

from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.activations import deactivate_all, expect_no_more, move_hold
from cardume.messages.vm_placement import guests_of
from cardume.messages.vm_state import set_stopped
from cardume.pooldb.db import Transaction


def bury(txn: Transaction, host: Ref[Host]) -> list[Ref[VM]]:
    """Halt the host's VMs and void its hold of their disks; the VMs that were halted.

    One that was on its way from there may have come: it is left to the host that it was going to, which tells.
    """
    halted = []
    for vm in guests_of(txn, txn.get(host)):
        if (destination := txn.get(vm).scheduled_to_be_resident_on).is_null:
            set_stopped(txn, vm)
            halted.append(vm)
        else:
            move_hold(txn, vm, destination)
    for vm, record in txn.all(VM).items():
        if record.scheduled_to_be_resident_on == host:
            expect_no_more(txn, vm)
    deactivate_all(txn, host)
    return halted
