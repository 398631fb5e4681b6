"""The HTTP handlers `/export`, `/import` and those of metadata alone: VMs out of the pool as XVA, and into it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from aiohttp import web

from cardume.api.http_access import Handler, Transfer, TransferFailure, guarded, route
from cardume.api.ova_xml import OvaFile
from cardume.api.uploads import Body, although_the_client_leaves
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.datamodel.wiretypes import RefType, SetType
from cardume.hostops.xva.compression import Compression, Packer
from cardume.hostops.xva.tar import END, member
from cardume.messages.call import Call, Hosts
from cardume.messages.vm_export import OVA, ArchivePlan, export_held, plan_export, write_archive
from cardume.messages.vm_import import Wish, import_archive
from cardume.messages.vm_import_metadata import MetadataWish, import_metadata
from cardume.pooldb.db import Database

T = TypeVar("T")

log = structlog.get_logger(__name__)

_COMPRESSIONS = {
    "": Compression.NONE,
    "false": Compression.NONE,
    "true": Compression.GZIP,
    "gzip": Compression.GZIP,
    "zstd": Compression.ZSTD,
}
_VMS = SetType(RefType("VM"))


def xva_handlers(db: Database, hosts: Hosts, localhost: Ref[Any]) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`."""
    archives = _Archives(db, hosts, localhost, OvaFile(db))
    return {
        route("get_export"): guarded("get_export", archives.export),
        route("get_export_metadata"): guarded("get_export_metadata", archives.export_metadata),
        route("put_import"): guarded("put_import", archives.put, cuts=False),
        route("put_import_metadata"): guarded("put_import_metadata", archives.put_metadata, cuts=False),
    }


Import = Callable[[Call, Body], Awaitable[tuple[Ref[VM], ...]]]


@dataclass(frozen=True, slots=True)
class _Archives:
    db: Database
    hosts: Hosts
    localhost: Ref[Any]
    ova: OvaFile

    async def export(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        packer = Packer(_compression(transfer.arguments))
        vm = self._vm(transfer.arguments)
        if _flag(transfer.arguments, "preserve_power_state"):
            self._assert_no_memory(vm)
        call = self._call(transfer)
        async with export_held(call, vm):
            plan = plan_export(self.db, (vm,))
            ova = await self._first_file(plan)
            response = await transfer.begin(web.StreamResponse())

            async def send(data: bytes) -> None:
                if packed := await packer.pack(data):
                    await response.write(packed)

            await write_archive(call, plan, ova, send)
            if rest := await packer.finish():
                await response.write(rest)
        await response.write_eof()
        return response

    def _assert_no_memory(self, vm: Ref[VM]) -> None:
        """Refuse to promise that a suspended VM will go on where it is imported: its memory stays here."""
        if self.db.get(vm).power_state is VMPowerState.SUSPENDED:
            raise errors.NOT_IMPLEMENTED("export of a suspended VM with its memory")

    async def export_metadata(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        with_snapshots = _flag(transfer.arguments, "export_snapshots", default=True)
        if _flag(transfer.arguments, "all"):
            vms = tuple(ref for ref, vm in self.db.all(VM).items() if not (vm.is_a_snapshot or _comes_along(vm)))
        else:
            vms = (self._vm(transfer.arguments),)
        ova = await self._first_file(plan_export(self.db, vms, with_snapshots=with_snapshots))
        response = await transfer.begin(web.StreamResponse())
        await response.write(member(OVA, ova) + END)
        await response.write_eof()
        return response

    async def _first_file(self, plan: ArchivePlan) -> bytes:
        host = self.db.get(self.localhost)
        return await asyncio.to_thread(self.ova.write, plan, dict(host.software_version), host.hostname)

    async def put(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        wish = self._wish(transfer.arguments)
        return await self._take(request, transfer, lambda call, body: import_archive(call, body.receive, wish))

    async def put_metadata(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        arguments = transfer.arguments
        disks = {key.removeprefix("vdi:"): value for key, value in arguments.items() if key.startswith("vdi:")}
        restore, force, dry_run = (_flag(arguments, name) for name in ("restore", "force", "dry_run"))
        wish = MetadataWish(restore, force, dry_run, disks)
        return await self._take(request, transfer, lambda call, body: import_metadata(call, body.receive, wish))

    async def _take(self, request: web.Request, transfer: Transfer, work: Import) -> web.StreamResponse:
        response = await transfer.begin(web.StreamResponse())
        body = Body(request)
        # A client may ask first, with nothing in its hands, whether this is the right host.
        if "task_id" in transfer.arguments or not await body.is_empty():
            await although_the_client_leaves(self._import(body, transfer, work), transfer)
        else:
            transfer.succeed((), _VMS)
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        return response

    async def _import(self, body: Body, transfer: Transfer, work: Import) -> None:
        transfer.succeed(await work(self._call(transfer), body), _VMS)
        await body.skip_rest()

    def _wish(self, arguments: Mapping[str, str]) -> Wish:
        return Wish(self._sr(arguments), _flag(arguments, "restore"), _flag(arguments, "force"))

    def _sr(self, arguments: Mapping[str, str]) -> Ref[SR]:
        if sr := arguments.get("sr_id"):
            ref = Ref[SR](sr)
            if not ref.is_null and self.db.class_of(ref) != "SR":
                raise TransferFailure(404, errors.HANDLE_INVALID("SR", sr))
            return ref
        if uuid := arguments.get("sr_uuid"):
            return _by_uuid(self.db, SR, uuid)
        return Ref(NULL)

    def _vm(self, arguments: Mapping[str, str]) -> Ref[VM]:
        if uuid := arguments.get("uuid"):
            return _by_uuid(self.db, VM, uuid)
        ref = Ref[VM](arguments.get("ref", NULL))
        if self.db.class_of(ref) != "VM":
            raise TransferFailure(404, errors.HANDLE_INVALID("VM", ref))
        return ref

    def _call(self, transfer: Transfer) -> Call:
        services = {"ova_xml": self.ova}
        return Call(self.db, transfer.caller, transfer.task, self.hosts, self.localhost, log, services)


def _comes_along(vm: VM) -> bool:
    """True for VMs that every pool has of its own."""
    return vm.is_default_template or vm.is_control_domain


def _flag(arguments: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = arguments.get(name, "").lower()
    if value not in ("", "true", "false", "1", "0"):
        raise TransferFailure(400, errors.INVALID_VALUE(name, value[:80]))
    return value in ("true", "1") if value else default


def _compression(arguments: Mapping[str, str]) -> Compression:
    wanted = arguments.get("use_compression", "")
    if wanted not in _COMPRESSIONS:
        raise TransferFailure(400, errors.INVALID_VALUE("use_compression", wanted[:80]))
    return _COMPRESSIONS[wanted]


def _by_uuid(db: Database, cls: type[T], uuid: str) -> Ref[T]:
    try:
        return db.by_uuid(cls, uuid)
    except ApiError as fault:
        raise TransferFailure(404, fault) from None
