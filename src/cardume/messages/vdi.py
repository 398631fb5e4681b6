"""VDI: make, copy, clone, resize, rename, forget and destroy virtual disks."""

from contextlib import AsyncExitStack
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR, StorageOperation
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vdi import VDI, VDIOperation, VDIType
from cardume.hostops.storage.driver import Volume
from cardume.messages.call import Call
from cardume.messages.disk_copy import Place, copy_disk, place_of
from cardume.messages.failures import guest_failures, storage_failures
from cardume.messages.kept_names import keep_names
from cardume.messages.lifecycle import operation
from cardume.messages.new_vdi import complete, make_vdi, mark_incomplete, remove_vdi
from cardume.messages.registry import implements
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import driver, open_volume, reachable_host, repository, volume
from cardume.messages.vdi_records import vdi_draft


@implements("VDI.create", as_task=True)
async def create(call: Call, args: VDI) -> Ref[VDI]:
    if args.virtual_size <= 0:
        raise errors.INVALID_VALUE("virtual_size", args.virtual_size)
    async with operation(call, args.SR, StorageOperation.VDI_CREATE), AsyncExitStack() as undo:
        host = reachable_host(call.db, args.SR)
        draft = vdi_draft(
            args.SR,
            args.name_label,
            args.virtual_size,
            name_description=args.name_description,
            type=args.type,
            sharable=args.sharable,
            read_only=args.read_only,
            other_config=dict(args.other_config),
            sm_config=dict(args.sm_config),
            tags=args.tags,
            xenstore_data=dict(args.xenstore_data),
        )
        vdi, made = await make_vdi(
            call,
            host,
            draft,
            lambda of, repo, uuid: of.create_volume(
                repo, uuid, args.virtual_size, name_label=args.name_label, format=_wanted_format(args)
            ),
            undo,
        )
        async with call.db.transaction() as txn:
            complete(txn, vdi, made)
        undo.pop_all()
        await refresh_space(call, args.SR, host)
    return vdi


def _wanted_format(args: VDI) -> str | None:
    wanted = args.sm_config.get("image-format") or args.sm_config.get("type")
    if wanted not in (None, "qcow2", "raw"):
        raise errors.INVALID_VALUE("sm_config:image-format", wanted)
    return wanted


@implements("VDI.destroy", as_task=True)
async def destroy(call: Call, self: Ref[VDI]) -> None:
    sr = call.db.get(self).SR
    async with operation(call, self, VDIOperation.DESTROY):
        host = reachable_host(call.db, sr)
        _assert_writable_sr(call, sr)
        before = await mark_incomplete(call, self)
        # From here on a crash ends with the disk gone at the next start, never with a record without a disk.
        async with AsyncExitStack() as undo:
            undo.push_async_callback(call.db.update, self, **before)
            await remove_vdi(call.db, call.hosts.hands(host), host, self)
            undo.pop_all()
    await refresh_space(call, sr, host)


@implements(VDI.forget)
async def forget(call: Call, vdi: Ref[VDI]) -> None:
    async with operation(call, vdi, VDIOperation.FORGET):
        await call.db.delete(vdi)


@implements(VDI.resize, as_task=True)
async def resize(call: Call, vdi: Ref[VDI], size: int) -> None:
    async with operation(call, vdi, VDIOperation.RESIZE):
        record = call.db.get(vdi)
        if size < record.virtual_size:
            raise errors.VDI_TOO_SMALL(vdi, record.virtual_size)
        host = reachable_host(call.db, record.SR)
        repo = repository(call.db, record.SR, host)
        with storage_failures(call.db, sr=record.SR, vdi=vdi):
            grown = await driver(call.hosts.hands(host), repo.type).resize_volume(repo, volume(record), size)
        await _record_sizes(call, vdi, grown)
        await refresh_space(call, record.SR, host)


@implements(VDI.resize_online, as_task=True)
async def resize_online(call: Call, vdi: Ref[VDI], size: int) -> None:
    """Grow a disk also while a guest writes to it: the guest sees the new size at once."""
    async with operation(call, vdi, VDIOperation.RESIZE_ONLINE):
        record = call.db.get(vdi)
        if size < record.virtual_size:
            raise errors.VDI_TOO_SMALL(vdi, record.virtual_size)
        host = reachable_host(call.db, record.SR)
        repo = repository(call.db, record.SR, host)
        of = driver(call.hosts.hands(host), repo.type)
        user = _open_by(call, vdi)
        with storage_failures(call.db, sr=record.SR, vdi=vdi):
            grown = await of.resize_volume(repo, volume(record), size, online=user is not None)
        if user is not None:
            await _grow_in_guest(call, vdi, user, max(size, grown.virtual_size))
            with storage_failures(call.db, sr=record.SR, vdi=vdi):
                grown = await of.stat_volume(repo, volume(record))
        await _record_sizes(call, vdi, grown)
        await refresh_space(call, record.SR, host)


def _open_by(call: Call, vdi: Ref[VDI]) -> Ref[VBD] | None:
    """The drive whose guest has a disk open; None when nobody has. VDI_IN_USE when several have."""
    users = [vbd for vbd in call.db.get(vdi).VBDs if call.db.get(vbd).currently_attached]
    if len(users) > 1:
        raise errors.VDI_IN_USE(vdi, VDIOperation.RESIZE_ONLINE)
    return users[0] if users else None


async def _grow_in_guest(call: Call, vdi: Ref[VDI], vbd_ref: Ref[VBD], size: int) -> None:
    vbd = call.db.get(vbd_ref)
    vm = call.db.get(vbd.VM)
    hands = call.hosts.hands(vm.resident_on)
    async with AsyncExitStack() as looked_up:
        # Opened once more: where the disk is now, and how much of the storage is its own.
        source = await open_volume(call.db, hands, vm.resident_on, vdi, writable=True, undo=looked_up)
        with guest_failures(vbd.VM, device=vbd_ref, device_class="VBD"):
            await hands.guests.resize_disk(vm.uuid, vbd.userdevice, source, size)


@implements(VDI.clone, as_task=True)
async def clone(call: Call, vdi: Ref[VDI], driver_params: dict[str, str]) -> Ref[VDI]:
    async with operation(call, vdi, VDIOperation.CLONE), AsyncExitStack() as undo:
        new, made = await clone_into(call, vdi, undo)
        async with call.db.transaction() as txn:
            complete(txn, new, made)
        undo.pop_all()
    await refresh_space(call, call.db.get(vdi).SR, reachable_host(call.db, call.db.get(vdi).SR))
    return new


async def clone_into(call: Call, vdi: Ref[VDI], undo: AsyncExitStack, **more: Any) -> tuple[Ref[VDI], Volume]:
    """An incomplete clone of a disk in its own SR."""
    record = call.db.get(vdi)
    host = reachable_host(call.db, record.SR)
    return await make_vdi(
        call,
        host,
        _copy_draft(record, record.SR, **more),
        lambda of, repo, uuid: of.clone_volume(repo, volume(record), uuid, call.task.progress),
        undo,
    )


@implements(VDI.copy, as_task=True)
async def copy(call: Call, vdi: Ref[VDI], sr: Ref[SR], base_vdi: Ref[VDI], into_vdi: Ref[VDI]) -> Ref[VDI]:
    if not base_vdi.is_null:
        raise errors.NOT_IMPLEMENTED("VDI.copy of a difference")
    async with operation(call, vdi, VDIOperation.COPY), AsyncExitStack() as undo:
        if not into_vdi.is_null:
            return await _copy_over(call, vdi, into_vdi)
        new, made = await copy_into(call, vdi, sr, undo)
        async with call.db.transaction() as txn:
            complete(txn, new, made)
        undo.pop_all()
        await refresh_space(call, sr, reachable_host(call.db, sr))
    return new


async def copy_into(
    call: Call, vdi: Ref[VDI], sr: Ref[SR], undo: AsyncExitStack, **more: Any
) -> tuple[Ref[VDI], Volume]:
    """An incomplete copy of a disk in any SR."""
    record = call.db.get(vdi)
    if sr == record.SR:
        return await clone_into(call, vdi, undo, **more)
    host = reachable_host(call.db, sr)
    draft = _copy_draft(record, sr, **more)
    new, made = await make_vdi(
        call,
        host,
        draft,
        lambda of, repo, uuid: of.create_volume(repo, uuid, record.virtual_size, name_label=record.name_label),
        undo,
    )
    await copy_disk(call, place_of(call.db, vdi), Place(sr, made), target_is_zero=True)
    repo = repository(call.db, sr, host)
    with storage_failures(call.db, sr=sr):
        made = await driver(call.hosts.hands(host), repo.type).stat_volume(repo, made)
    return new, made


async def _copy_over(call: Call, vdi: Ref[VDI], into: Ref[VDI]) -> Ref[VDI]:
    source, target = call.db.get(vdi), call.db.get(into)
    if target.virtual_size < source.virtual_size:
        raise errors.VDI_TOO_SMALL(into, source.virtual_size)
    async with operation(call, into, VDIOperation.DATA_DESTROY):
        await copy_disk(call, place_of(call.db, vdi), place_of(call.db, into), target_is_zero=False)
    return into


@implements(VDI.update)
async def update(call: Call, vdi: Ref[VDI]) -> None:
    record = call.db.get(vdi)
    host = reachable_host(call.db, record.SR)
    repo = repository(call.db, record.SR, host)
    with storage_failures(call.db, sr=record.SR, vdi=vdi):
        await _record_sizes(
            call, vdi, await driver(call.hosts.hands(host), repo.type).stat_volume(repo, volume(record))
        )


@implements(VDI.set_name_label)
async def set_name_label(call: Call, self: Ref[VDI], value: str) -> None:
    await call.db.update(self, name_label=value)
    await keep_names(call, call.db.get(self).SR, self)


@implements(VDI.set_name_description)
async def set_name_description(call: Call, self: Ref[VDI], value: str) -> None:
    await call.db.update(self, name_description=value)
    await keep_names(call, call.db.get(self).SR, self)


@implements(VDI.set_read_only)
async def set_read_only(call: Call, self: Ref[VDI], value: bool) -> None:
    await call.db.update(self, read_only=value)


@implements(VDI.set_sharable)
async def set_sharable(call: Call, self: Ref[VDI], value: bool) -> None:
    await call.db.update(self, sharable=value)


def _copy_draft(record: VDI, sr: Ref[SR], **more: Any) -> VDI:
    fields: dict[str, Any] = {
        "name_description": record.name_description,
        "type": VDIType.USER if record.type is VDIType.SUSPEND else record.type,
        "other_config": dict(record.other_config),
        "tags": record.tags,
        "xenstore_data": dict(record.xenstore_data),
    }
    return vdi_draft(sr, record.name_label, record.virtual_size, **{**fields, **more})


async def _record_sizes(call: Call, vdi: Ref[VDI], now: Volume) -> None:
    await call.db.update(vdi, virtual_size=now.virtual_size, physical_utilisation=now.physical_utilisation)


def _assert_writable_sr(call: Call, sr: Ref[SR]) -> None:
    if call.db.get(sr).content_type == "iso":
        raise errors.SR_OPERATION_NOT_SUPPORTED(sr)
