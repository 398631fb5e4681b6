"""What the daemon does without being asked: repairs after a stop, follows guests, asks their agents, tries again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from cardume.core.host_alerts import body
from cardume.datamodel import api_messages
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import HostError, NetworkError, StorageError
from cardume.hostops.hands import Hands
from cardume.messages.guest_facts import refresh_guest_facts, set_guest_clock
from cardume.messages.guest_watch import GuestWatch
from cardume.messages.host_network import picture
from cardume.messages.host_power import enable_after_boot
from cardume.messages.layer_merging import LayerMerging, RunTask
from cardume.messages.message import raise_alert
from cardume.messages.new_vdi import remove_incomplete
from cardume.messages.pbd import PLUG_AGAIN, note_attached
from cardume.messages.pif_watch import refresh_interfaces
from cardume.messages.sr_space import record_sizes
from cardume.messages.storage_values import driver, repository
from cardume.pooldb.db import Database

log = structlog.get_logger()

REPLUG_S = 30.0
CATCH_UP_S = 15.0
CARDS_S = 5.0
MERGE_S = 3.0
FACTS_S = 10.0
YOUNG_FACTS_S = 1.0
CLOCKS_AT_ONCE = 4  # an agent that is stuck is waited for; the clocks of others are set meanwhile
"""How often an agent is asked that has not answered yet: people wait for a new guest's address."""

StartVM = Callable[[Ref[VM]], Awaitable[Any]]


class Upkeep:
    """The standing work of one host's daemon."""

    def __init__(self, db: Database, hands: Hands, host: Ref[Host], *, shared: bool = True) -> None:
        """`shared`: look after repositories that other hosts reach too; for one host of the pool alone, the master.

        What looks half-made there may be what a call is making on another host right now.
        """
        self._shared = shared
        self._db = db
        self._hands = hands
        self._host = host
        self._watch = GuestWatch(db, hands, host)
        self._merging = LayerMerging(db, hands, host)

    async def _refresh_interfaces(self) -> None:
        await refresh_interfaces(self._db, self._hands, self._host)

    async def recover(self, *, after_boot: bool = False) -> None:
        """Make database and host agree after a stop of any kind (`after_boot`: of the host), before all service."""
        if after_boot:
            await enable_after_boot(self._db, self._host)
        await self._join_networks()
        await self._refresh_interfaces()
        await self._plug_again()
        await self._merging.settle()
        await self._watch.resync(after_boot=after_boot)
        for sr in self._own_repositories():
            await remove_incomplete(self._db, self._hands, self._host, sr)
        await self._sweep()

    @asynccontextmanager
    async def running(self, start_vm: StartVM, run_task: RunTask) -> AsyncIterator[None]:
        """Do the standing work as long as the block lasts.

        `start_vm` starts a VM whose settings ask for it; `run_task` shows longer work as a task.
        """

        async def merge_layers() -> None:
            await self._merging.round(run_task)

        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(self._watch.run()),
                group.create_task(self._restart_guests(start_vm)),
                *(group.create_task(self._set_clocks()) for _ in range(CLOCKS_AT_ONCE)),
                group.create_task(self._every(YOUNG_FACTS_S, self._ask_agents)),
                group.create_task(self._every(CARDS_S, self._refresh_interfaces)),
                group.create_task(self._every(REPLUG_S, self._replug)),
                group.create_task(self._every(MERGE_S, merge_layers)),
                group.create_task(self._every(CATCH_UP_S, self._watch.catch_up)),
            ]
            try:
                yield
            finally:
                for task in work:
                    task.cancel()

    async def _every(self, period_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            try:
                await work()
            except Exception:
                log.exception("upkeep_failed", work=getattr(work, "__name__", ""))

    async def _restart_guests(self, start_vm: StartVM) -> None:
        while True:
            vm = await self._watch.wants_restart.get()
            try:
                await start_vm(vm)
            except ApiError as fault:
                log.warning("restart_failed", vm=str(vm), error=fault.code)

    async def _set_clocks(self) -> None:
        while True:
            vm = await self._watch.wants_clock.get()
            try:
                await set_guest_clock(self._db, self._hands, vm)
            except Exception:
                log.exception("guest_clock_not_set", vm=str(vm))

    async def _join_networks(self) -> None:
        """Make the host's bonds and VLANs what is recorded, should a stop in the middle have parted the two."""
        wanted = picture(self._db, self._host)
        try:
            async with self._hands.network.lock, self._hands.network.change(wanted.plans(), idle=wanted.idle()):
                pass
        except NetworkError as fault:
            log.error("network_not_as_recorded", error=str(fault))

    async def _plug_again(self) -> None:
        """Attach what was attached when the daemon stopped, or was still to be."""
        pbds = self._db.all(PBD).items()
        own = [(ref, pbd) for ref, pbd in pbds if pbd.host == self._host]
        attached = [ref for ref, pbd in own if pbd.currently_attached or PLUG_AGAIN in pbd.other_config]
        succeeded = await asyncio.gather(*(self._attach(ref) for ref in attached))
        failed = [ref for ref, is_attached in zip(attached, succeeded, strict=True) if not is_attached]
        if failed:
            names = ", ".join(self._db.get(self._db.get(ref).SR).name_label for ref in failed)
            told = body(message="These repositories could not be attached.", repositories=names)
            uuid = self._db.get(self._host).uuid
            alert = api_messages.PBD_PLUG_FAILED_ON_SERVER_START
            await raise_alert(self._db, alert.name, alert.priority, AlertClass.HOST, uuid, told)

    async def _replug(self) -> None:
        own = [ref for ref, pbd in self._db.all(PBD).items() if pbd.host == self._host]
        for ref in own:
            pbd = self._db.find(ref)  # an earlier one may have taken long
            if pbd is not None and PLUG_AGAIN in pbd.other_config and await self._attach(ref):
                # Nobody could have begun anything there meanwhile: what is half-made is an earlier life's.
                sr = self._db.get(ref).SR
                if sr in self._own_repositories():
                    await remove_incomplete(self._db, self._hands, self._host, sr)

    def _own_repositories(self) -> list[Ref[SR]]:
        """The attached repositories that this object tidies up."""
        pbds = [self._db.get(pbd) for pbd in self._db.get(self._host).PBDs]
        attached = [pbd.SR for pbd in pbds if pbd.currently_attached]
        return [sr for sr in attached if self._shared or not self._db.get(sr).shared]

    async def _attach(self, ref: Ref[PBD]) -> bool:
        pbd = self._db.get(ref)
        repo = repository(self._db, pbd.SR, self._host, attached=False)
        try:
            await driver(self._hands, repo.type).attach(repo)
        except (StorageError, ApiError) as fault:
            log.warning("sr_not_attached", sr=repo.uuid, error=str(fault))
            await self._note(ref, False)
            return False
        await self._note(ref, True)
        return True

    async def _note(self, ref: Ref[PBD], is_attached: bool) -> None:
        """Also that it is to be attached: whoever looks after this host next knows nothing else of it."""
        async with self._db.transaction() as txn:
            note_attached(txn, ref, is_attached, plug_again=not is_attached)

    async def _sweep(self) -> None:
        """Let drivers remove what a crash left half-made, and learn the sizes that it kept us from recording."""
        for sr in self._own_repositories():
            repo = repository(self._db, sr, self._host)
            known = frozenset(self._db.get(vdi).uuid for vdi in self._db.get(sr).VDIs)
            try:
                found = await driver(self._hands, repo.type).scan(repo, known=known)
                await record_sizes(self._db, sr, found)
            except (HostError, ApiError) as fault:
                log.warning("sr_not_swept", sr=repo.uuid, error=str(fault))

    async def _ask_agents(self) -> None:
        now = asyncio.get_running_loop().time()
        for ref, vm in self._db.all(VM).items():
            if vm.power_state is not VMPowerState.RUNNING or vm.is_control_domain or vm.resident_on != self._host:
                continue
            known = self._db.find(vm.guest_metrics)
            has_address = known is not None and bool(known.networks)
            # A guest that told its address is asked now and then, each at a moment of its own.
            if has_address and (int(now) + vm.domid) % int(FACTS_S):
                continue
            await refresh_guest_facts(self._db, self._hands, ref)
