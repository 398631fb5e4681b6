"""A guest that is found on a host, whoever started it and whatever was recorded."""

from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.guests.guest import GuestPower, RunningGuest
from cardume.hostops.hands import Hands
from cardume.messages.guest_facts import refresh_guest_facts
from cardume.messages.suspend_image import forget_memory, remove_memory
from cardume.messages.vm_state import set_running
from cardume.pooldb.db import Database


async def adopt(db: Database, hands: Hands, vm: Ref[VM], host: Ref[Host], guest: RunningGuest) -> bool:
    """Record that the guest runs there; False when it had to be ended instead.

    A paused guest of a suspended VM is a resume that a crash cut off before its first instruction: it goes, and the VM
    stays suspended. One that runs has left its saved memory behind.
    """
    if db.get(vm).power_state is VMPowerState.SUSPENDED and guest.power is GuestPower.PAUSED:
        await hands.guests.destroy(guest.uuid)
        return False
    memory: Ref[VDI] = NULL
    async with db.transaction() as txn:
        set_running(txn, vm, host, guest)
        if guest.power is GuestPower.RUNNING:
            memory = forget_memory(txn, vm)
    await remove_memory(db, hands, host, memory)
    await refresh_guest_facts(db, hands, vm)
    return True
