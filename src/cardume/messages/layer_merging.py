"""Layers that snapshots leave are merged, while guests run and while they do not: one pair at a time on a host.

Nobody waits for this, and nothing waits long for it: it holds no operation on a disk, and whoever needs the disk stops
it. What cannot be merged now is tried again later.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vbd import VBD, VBDMode
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import GuestError, MergeStopped, StorageError
from cardume.hostops.guests.guest import CommitLayers
from cardume.hostops.guests.interface import Guests
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import GuestCommit, LayerMerger, Merge, Progress, Repository, Usage
from cardume.messages.call import TaskHandle
from cardume.messages.facts import holds
from cardume.messages.sr_space import record_sizes, record_space
from cardume.messages.storage_values import repository
from cardume.pooldb.db import Database

log = structlog.get_logger()

RATE_BYTES = 64 << 20
"""How much a guest's merge writes in a second at most."""

LONGEST_S = 6 * 3600.0
AGAIN_AFTER_S = 600.0
"""What failed, or was cancelled, is left alone for so long."""

RunTask = Callable[[str, Callable[[TaskHandle], Awaitable[Any]]], Awaitable[Any]]
"""Do work under a task that clients see, by its label."""


@dataclass(frozen=True, slots=True)
class _ByGuest:
    """Merges layers in the guest that has them open."""

    guests: Guests
    guest: str
    device: str

    async def __call__(
        self, base: str, top: str, active: str, settle: Callable[[], Awaitable[None]], progress: Progress
    ) -> None:
        await self.guests.commit_layers(
            *(self.guest, self.device, CommitLayers(base, top, active), settle, progress),
            rate_bytes=RATE_BYTES,
            timeout_s=LONGEST_S,
        )


class LayerMerging:
    """The merging on one host's repositories."""

    def __init__(self, db: Database, hands: Hands, host: Ref[Host]) -> None:
        self._db = db
        self._hands = hands
        self._host = host
        self._failed: dict[tuple[str, str], float] = {}  # (base, top) → when it may be tried again

    async def settle(self) -> None:
        """Put right what merges of an earlier life left; before anybody looks at guests or disks."""
        for _, repo, merger in self._mergers():
            try:
                await self._settle(repo, merger)
            except (StorageError, GuestError, ApiError) as fault:
                log.warning("merge_not_settled", sr=repo.uuid, error=str(fault))

    async def round(self, run_task: RunTask) -> None:
        """Merge until nothing is left to merge now."""
        for sr, repo, merger in self._mergers():
            try:
                await self._settle(repo, merger)
                while (merge := await merger.next_merge(repo, self._usage(sr))) is not None:
                    if not await self._merge(sr, repo, merger, merge, run_task):
                        break
            except (StorageError, GuestError, ApiError) as fault:
                log.warning("merging_put_off", sr=repo.uuid, error=str(fault))

    def _mergers(self) -> list[tuple[Ref[SR], Repository, LayerMerger]]:
        found: list[tuple[Ref[SR], Repository, LayerMerger]] = []
        for pbd in self._db.all(PBD).values():
            if pbd.host == self._host and pbd.currently_attached:
                repo = repository(self._db, pbd.SR, self._host)
                of: object = self._hands.storage.get(repo.type)
                if isinstance(of, LayerMerger):
                    found.append((pbd.SR, repo, of))
        return found

    async def _settle(self, repo: Repository, merger: LayerMerger) -> None:
        left = await merger.left_merge(repo)
        if left is None:
            return
        where = await self._hands.guests.end_commit(left.guest, left.device)
        await merger.end_merge(repo, moved=where == left.base)
        vm = next((vm for vm in self._db.all(VM).values() if vm.uuid == left.guest), None)
        # Whoever paused a VM has had it recorded: one that is not recorded so stands still for the merge.
        if where is not None and vm is not None and vm.power_state is VMPowerState.RUNNING:
            await self._hands.guests.end_still(left.guest)

    async def _merge(self, sr: Ref[SR], repo: Repository, merger: LayerMerger, merge: Merge, run_task: RunTask) -> bool:
        """True when it was done, so that the next may follow at once."""
        vdi = self._vdi(sr, merge.volume)
        commit = self._commit(vdi) if merge.is_live and vdi is not None else None
        if merge.is_live and commit is None:
            return False

        async def work(task: TaskHandle) -> None:
            found = await merger.merge_layers(repo, merge, commit, task.progress)
            await record_sizes(self._db, sr, found)
            await record_space(self._db, self._hands, sr, self._host)

        name = self._db.get(vdi).name_label if vdi is not None else merge.volume
        try:
            await run_task(f"Merging layers of {name}", work)
        except MergeStopped as stopped:
            log.info("merge_stopped", sr=repo.uuid, top=merge.top, reason=str(stopped))
            return False
        except (StorageError, GuestError, ApiError) as fault:
            self._failed[merge.base, merge.top] = asyncio.get_running_loop().time() + AGAIN_AFTER_S
            log.warning("merge_failed", sr=repo.uuid, top=merge.top, error=str(fault))
            return False
        log.info("layers_merged", sr=repo.uuid, top=merge.top, live=merge.is_live)
        return True

    def _usage(self, sr: Ref[SR]) -> Usage:
        now = asyncio.get_running_loop().time()
        self._failed = {pair: when for pair, when in self._failed.items() if when > now}
        writers: set[str] = set()
        others: set[str] = set()
        for vdi in self._db.get(sr).VDIs:
            users = [vbd for vbd in self._db.get(vdi).VBDs if holds(self._db, vbd)]
            if users:
                (writers if self._commit(vdi) is not None else others).add(self._db.get(vdi).uuid)
        return Usage(frozenset(writers), frozenset(others), frozenset(self._failed))

    def _commit(self, vdi: Ref[VDI]) -> GuestCommit | None:
        """The guest that alone has a disk open, to write to it; None when there is none that could be asked."""
        users: list[Ref[VBD]] = [vbd for vbd in self._db.get(vdi).VBDs if holds(self._db, vbd)]
        if len(users) != 1:
            return None
        vbd = self._db.get(users[0])
        vm = self._db.get(vbd.VM)
        is_up = vm.power_state in (VMPowerState.RUNNING, VMPowerState.PAUSED) and vm.resident_on == self._host
        if not is_up or not vbd.currently_attached or vbd.mode is not VBDMode.RW or vm.current_operations:
            return None
        return _ByGuest(self._hands.guests, vm.uuid, vbd.userdevice)

    def _vdi(self, sr: Ref[SR], uuid: str) -> Ref[VDI] | None:
        return next((vdi for vdi in self._db.get(sr).VDIs if self._db.get(vdi).uuid == uuid), None)
