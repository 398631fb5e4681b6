"""What guests do by themselves, written into the database at once; and the two made equal again after a silence.

A call that starts or stops a guest records the outcome itself. This records what nobody called for: a guest that powers
off, crashes, reboots, or whose QEMU was killed, and all that happened while cardumed was not there to see it.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from cardume.core.migration import Outcome, Seen, seen_by_destination
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import OnCrash, OnNormalExit, VMOperation, VMPowerState
from cardume.hostops.errors import GuestUncertain
from cardume.hostops.guests.guest import FileSource, GuestEvent, GuestEventKind, GuestPower, RunningGuest, StopReason
from cardume.hostops.hands import Hands
from cardume.messages.activations import activation, expect_no_more
from cardume.messages.guest_adoption import adopt
from cardume.messages.guest_facts import refresh_guest_facts
from cardume.messages.storage_values import open_volume
from cardume.messages.suspend_image import forget_memory, remove_memory
from cardume.messages.vm_disks import close_disks, release
from cardume.messages.vm_state import arrive, ensure_metrics, set_processors, set_stopped
from cardume.pooldb.db import Database, Reader

log = structlog.get_logger()

# While one of these is at work it records the guest's end itself.
_ENDS_ITSELF = frozenset(
    {
        VMOperation.START,
        VMOperation.START_ON,
        VMOperation.RESUME,
        VMOperation.RESUME_ON,
        VMOperation.SUSPEND,
        VMOperation.HARD_SHUTDOWN,
        VMOperation.CLEAN_SHUTDOWN,
        VMOperation.SHUTDOWN,
        VMOperation.REVERTING,
        VMOperation.POOL_MIGRATE,
    }
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An event, and which life of the guest the database knew when it came."""

    event: GuestEvent
    domid: int


class GuestWatch:
    """Follows the guests of one host.

    `wants_restart` yields the VMs whose settings start them again, `wants_clock` those that have stood still.
    """

    def __init__(self, db: Database, hands: Hands, host: Ref[Host]) -> None:
        self._db = db
        self._hands = hands
        self._host = host
        self._queue: asyncio.Queue[_Seen] = asyncio.Queue()
        self.wants_restart: asyncio.Queue[Ref[VM]] = asyncio.Queue()
        self.wants_clock: asyncio.Queue[Ref[VM]] = asyncio.Queue()
        # Before the first look at what runs: a guest that ends between the look and the events would run for ever here.
        self._unsubscribe = hands.guests.subscribe(self._note)
        hands.guests.on_reconnect(self.resync)

    async def run(self) -> None:
        """Handle events, in order, for ever. Call `resync` first."""
        try:
            while True:
                seen = await self._queue.get()
                try:
                    await self._handle(seen)
                except Exception:
                    log.exception("guest_event_failed", guest=seen.event.uuid, kind=str(seen.event.kind))
        finally:
            self._unsubscribe()

    async def resync(self, *, after_boot: bool = False) -> None:
        """Make the database say what really runs here; `after_boot`: nothing that a guest did before can go on."""
        running = {guest.uuid for guest in await self._hands.guests.list()}
        for ref in list(self._db.all(VM)):
            vm = self._db.find(ref)
            if vm is None or vm.is_control_domain:
                continue
            if vm.uuid in running or self._is_here(vm) or self._is_coming(vm):
                await self._compare(ref, after_boot)
            elif not vm.current_operations and not _looks_running(vm):
                await self._release_claims(ref)

    async def catch_up(self) -> None:
        """Repair what an event that was lost, or could not be written, left untrue."""
        running = {guest.uuid for guest in await self._hands.guests.list()}
        for ref, vm in list(self._db.all(VM).items()):
            if not vm.is_control_domain and ((vm.uuid in running) != self._is_here(vm) or self._is_coming(vm)):
                await self._compare(ref, after_boot=False)

    async def _compare(self, ref: Ref[VM], after_boot: bool) -> None:
        """Look at one guest now: whoever works on a VM records himself what comes of it."""
        vm = self._db.find(ref)
        if vm is None or vm.current_operations:
            return
        try:
            guest = await self._hands.guests.find(vm.uuid)
        except GuestUncertain:
            return  # it may still come up: as recorded until that is known
        now = self._db.find(ref)
        if now is None or now.current_operations or now.domid != vm.domid:
            return
        if self._is_coming(now):
            await self._end_migration(ref, guest)
        elif self._is_leaving(now):
            pass  # the host that it was going to tells whether it has come
        elif guest is not None and self._is_elsewhere(now):
            await self._end_stray(now)
        elif guest is not None:
            await self._adopt(ref, guest)
        elif self._is_here(now):
            await self._settle(ref, after_boot=after_boot)

    def _is_here(self, vm: VM) -> bool:
        """True when the database says that the VM runs on this host."""
        return vm.resident_on == self._host or (vm.resident_on.is_null and _looks_running(vm))

    def _is_elsewhere(self, vm: VM) -> bool:
        """True when the database says that the VM runs on another host."""
        return _looks_running(vm) and not vm.resident_on.is_null and vm.resident_on != self._host

    def _is_coming(self, vm: VM) -> bool:
        """True for a VM that was on its way to this host."""
        return vm.scheduled_to_be_resident_on == self._host and vm.resident_on != self._host

    def _is_leaving(self, vm: VM) -> bool:
        """True for a VM that was on its way from here to another host."""
        return not vm.scheduled_to_be_resident_on.is_null and not self._is_coming(vm)

    async def _end_migration(self, ref: Ref[VM], guest: RunningGuest | None) -> None:
        """Record what became of a migration to this host that nobody saw to its end."""
        outcome = seen_by_destination(_seen(guest))
        if outcome is Outcome.UNDER_WAY:
            return  # libvirtd on the other host still works at it; the next look tells more
        async with self._db.transaction() as txn:
            if outcome is Outcome.MOVED and guest is not None:
                arrive(txn, ref, self._host, guest)
            else:
                expect_no_more(txn, ref)
        log.warning("migration_found_ended", vm=self._db.get(ref).uuid, outcome=str(outcome))

    async def _end_stray(self, vm: VM) -> None:
        """End a second guest of a VM that runs on another host by now: this one was given up for dead too early."""
        log.error("guest_ran_twice", vm=vm.uuid, host=str(self._host), resident_on=str(vm.resident_on))
        await self._hands.guests.destroy(vm.uuid)

    async def _release_claims(self, ref: Ref[VM]) -> None:
        """Let go of disks that were claimed for a start here which never came to QEMU."""
        vm = self._db.get(ref)
        claimed = tuple(vbd for vbd in vm.VBDs if self._db.get(vbd).currently_attached and self._is_ours(vbd))
        if claimed and not await self._is_in_doubt(vm.uuid):
            await release(self._db, claimed)

    async def _is_in_doubt(self, uuid: str) -> bool:
        try:
            await self._hands.guests.find(uuid)
        except GuestUncertain:
            return True
        return False

    def _is_ours(self, vbd: Ref[VBD]) -> bool:
        """False for a disk that another host may have open: whether it does, only that one can tell."""
        held = activation(self._db, vbd)
        return held is None or held.host == self._host

    def _note(self, event: GuestEvent) -> None:
        vm = find_vm(self._db, event.uuid)
        if vm is not None:
            self._queue.put_nowait(_Seen(event, self._db.get(vm).domid))
            if self._stood_still(vm, event):
                self.wants_clock.put_nowait(vm)

    def _stood_still(self, vm: Ref[VM], event: GuestEvent) -> bool:
        """Whether a guest goes on after a time that its clock does not know of.

        Not one that is just being started, whose clock is its own. Nor one that has moved: it stood still for less than
        a second, and a guest that was moved again while it wrote its hardware clock hung.
        """
        is_started = self._db.get(vm).power_state is VMPowerState.HALTED
        return event.kind is GuestEventKind.RESUMED and not event.is_migrated and not is_started

    async def _handle(self, seen: _Seen) -> None:
        ref = find_vm(self._db, seen.event.uuid)
        if ref is None:
            return
        match seen.event.kind:
            case GuestEventKind.STOPPED if not self._is_ended_by_call(ref):
                await self._stopped(ref, seen)
            case GuestEventKind.PAUSED | GuestEventKind.RESUMED | GuestEventKind.STARTED:
                await self._refresh_power(ref)
            case GuestEventKind.AGENT:
                await refresh_guest_facts(self._db, self._hands, ref)
            case GuestEventKind.DISK_ERROR:
                log.warning("guest_disk_error", vm=seen.event.uuid, device=seen.event.device)

    def _is_ended_by_call(self, ref: Ref[VM]) -> bool:
        return bool(_ENDS_ITSELF & frozenset(self._db.get(ref).current_operations.values()))

    async def _stopped(self, ref: Ref[VM], seen: _Seen) -> None:
        if await self._hands.guests.find(seen.event.uuid) is not None:
            return
        vm = self._db.get(ref)
        # Another life began meanwhile, here or elsewhere: its calls have said all there is to say of the old one.
        if vm.domid != seen.domid or not _looks_running(vm) or not self._is_here(vm) or self._is_leaving(vm):
            return
        log.info("vm_stopped_by_itself", vm=vm.uuid, reason=str(seen.event.reason))
        if seen.event.reason is StopReason.SHUTDOWN and not _is_kept_up(self._db):
            await self._db.update(ref, ha_always_run=False)
        await self._settle(ref)
        if _starts_again(vm, seen.event.reason):
            self.wants_restart.put_nowait(ref)

    async def _refresh_power(self, ref: Ref[VM]) -> None:
        guest = await self._hands.guests.find(self._db.get(ref).uuid)
        vm = self._db.get(ref)
        if guest is None or vm.current_operations:
            return
        if self._is_coming(vm):
            await self._end_migration(ref, guest)
            return
        if self._is_elsewhere(vm):
            await self._end_stray(vm)
            return
        wanted = VMPowerState.PAUSED if guest.power is GuestPower.PAUSED else VMPowerState.RUNNING
        has_stale_memory = guest.power is GuestPower.RUNNING and not vm.suspend_VDI.is_null
        if not _looks_running(vm) or has_stale_memory:
            await self._adopt(ref, guest)
        elif vm.power_state is not wanted:
            await set_processors(self._db, ref, paused=wanted is VMPowerState.PAUSED)

    async def _adopt(self, ref: Ref[VM], guest: RunningGuest) -> None:
        """Record a guest that runs, whoever started it; a resume that was cut off is ended, its VM stays suspended."""
        if not await adopt(self._db, self._hands, ref, self._host, guest):
            await self._release_claims(ref)

    async def _settle(self, ref: Ref[VM], *, after_boot: bool = False) -> None:
        """Record a guest that is gone: suspended if its memory was saved whole, else halted."""
        vm = self._db.get(ref)
        await close_disks(self._db, self._hands, ref, self._host)
        # A power cut may have lost any part of an image that nobody had called durable yet.
        is_saved = not after_boot and await self._is_saved(vm)
        memory: Ref[VDI] = NULL
        async with self._db.transaction() as txn:
            set_stopped(txn, ref, VMPowerState.SUSPENDED if is_saved else VMPowerState.HALTED)
            ensure_metrics(txn, ref)
            if not is_saved:
                memory = forget_memory(txn, ref)
        await remove_memory(self._db, self._hands, self._host, memory)

    async def _is_saved(self, vm: VM) -> bool:
        """True when the VM's memory is whole on its disk, or nobody can look now: resuming will tell then."""
        if self._db.find(vm.suspend_VDI) is None:
            return False
        try:
            async with AsyncExitStack() as opened:
                source = await open_volume(
                    self._db, self._hands, self._host, vm.suspend_VDI, writable=False, undo=opened
                )
                return isinstance(source, FileSource) and await self._hands.guests.is_saved(source.path)
        except ApiError as fault:
            log.warning("saved_memory_not_seen", vm=vm.uuid, error=str(fault))
            return fault.code != "VDI_MISSING"


def _seen(guest: RunningGuest | None) -> Seen:
    if guest is None:
        return Seen.ABSENT
    return Seen.WAITING if guest.power is GuestPower.PAUSED else Seen.RUNNING


def find_vm(db: Reader, uuid: str) -> Ref[VM] | None:
    """The VM with this uuid, if the pool has one."""
    try:
        return db.by_uuid(VM, uuid)
    except ApiError:
        return None


def _looks_running(vm: VM) -> bool:
    return vm.power_state in (VMPowerState.RUNNING, VMPowerState.PAUSED)


def _is_kept_up(db: Reader) -> bool:
    """True when high availability starts a protected VM again whose own guest shut it down."""
    return any(pool.ha_enabled and pool.ha_reboot_vm_on_internal_shutdown for pool in db.all(Pool).values())


def _starts_again(vm: VM, reason: StopReason | None) -> bool:
    """True when the VM's own settings say that it is started again after ending so."""
    if reason is StopReason.SHUTDOWN:
        return vm.actions_after_shutdown is OnNormalExit.RESTART
    if reason is StopReason.CRASHED:
        return vm.actions_after_crash in (OnCrash.RESTART, OnCrash.COREDUMP_AND_RESTART, OnCrash.RENAME_RESTART)
    return False
