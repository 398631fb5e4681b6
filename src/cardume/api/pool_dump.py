"""The HTTP handler `/pool/xmldbdump`: backs the pool database up, and restores it. XenAPI's name, our own format."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import hdrs, web

from cardume.api.http_access import Handler, Transfer, TransferFailure, guarded, route
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.pooldb.dump import read_dump, write_dump
from cardume.pooldb.objects import Objects
from cardume.pooldb.store import StoreDamaged, StoreTooNew

log = structlog.get_logger(__name__)

MOST_BYTES = 256 << 20


def pool_dump_handlers(db: Objects, start_anew: Callable[[], None]) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`. `start_anew` starts the daemon, whose picture of everything is old then."""

    async def get(request: web.Request, transfer: Transfer) -> web.StreamResponse:
        (pool,) = db.all(Pool).values()
        stored = await db.stored()
        response = await transfer.begin(web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/octet-stream"}))
        for line in write_dump(pool.uuid, stored):
            await response.write(line)
        await response.write_eof()
        return response

    async def put(request: web.Request, transfer: Transfer) -> web.StreamResponse:
        """With `dry_run=true`: says whether it would do, and changes nothing."""
        if request.content_length is None or request.content_length > MOST_BYTES:
            raise TransferFailure(413, errors.INVALID_VALUE("content-length", str(request.content_length)))
        response = await transfer.begin(web.StreamResponse())
        try:
            data = await request.content.readexactly(request.content_length)
        except asyncio.IncompleteReadError:
            raise errors.RESTORE_SCRIPT_FAILED("The backup did not arrive whole.") from None
        items, records = _read(data)
        assert_fits(db, records)
        if transfer.arguments.get("dry_run") != "true":
            log.warning("pool_database_restored", user=transfer.caller.user, objects=len(items))
            await db.absorb(items, everything=True)
            start_anew()
        await response.write_eof()
        return response

    return {
        route("get_pool_xml_db_sync"): guarded("get_pool_xml_db_sync", get),
        route("put_pool_xml_db_sync"): guarded("put_pool_xml_db_sync", put, cuts=False),
    }


def _read(data: bytes) -> tuple[list[tuple[str, bytes]], Mapping[Ref[Any], Any]]:
    try:
        return read_dump(data)
    except StoreTooNew:
        raise errors.RESTORE_INCOMPATIBLE_VERSION() from None
    except StoreDamaged as fault:
        raise errors.RESTORE_SCRIPT_FAILED(str(fault)) from None


def assert_fits(db: Objects, records: Mapping[Ref[Any], Any]) -> None:
    """Refuse what would leave a host, or a VM that runs, without a record."""
    uuids = {record.uuid for record in records.values() if isinstance(record, (Host, VM))}
    if sum(isinstance(record, Pool) for record in records.values()) != 1:
        raise errors.RESTORE_SCRIPT_FAILED("The backup has not one pool.")
    for host in db.all(Host).values():
        if host.uuid not in uuids:
            raise errors.RESTORE_SCRIPT_FAILED(f"The host {host.name_label} is not in the backup: eject it first.")
    for vm in db.all(VM).values():
        if vm.power_state is not VMPowerState.HALTED and not vm.is_control_domain and vm.uuid not in uuids:
            raise errors.RESTORE_SCRIPT_FAILED(f"The VM {vm.name_label} is not in the backup: shut it down first.")
