"""The HTTP handlers `/export_raw_vdi` and `/import_raw_vdi`: single disks out of the pool as image files, and back."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from aiohttp import hdrs, web

from cardume.api.http_access import Handler, Transfer, TransferFailure, guarded, route
from cardume.api.uploads import Body, although_the_client_leaves
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.datamodel.wiretypes import RefType
from cardume.hostops.disk_images.incoming import ByteStream
from cardume.messages.call import Call, Hosts
from cardume.messages.disk_export import ImageFormat, exported_image
from cardume.messages.disk_import import ImageWish, assert_can_import, import_new, import_over
from cardume.pooldb.db import Database

T = TypeVar("T")

log = structlog.get_logger(__name__)

UNKNOWN_LENGTH = 1 << 50
"""What clients announce that do not know how much they will send; they end the connection after it."""

FINISH_S = 24 * 3600.0
"""How long an image that has come whole may take to be written after its sender left; each write has its own limit."""

_CONTENT_TYPES = {
    ImageFormat.RAW: "application/octet-stream",
    ImageFormat.VHD: "application/vhd",
    ImageFormat.QCOW2: "application/x-qemu-disk",
}


def disk_image_handlers(
    db: Database, hosts: Hosts, localhost: Ref[Any], scratch: Path
) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`; `scratch`: a folder for images that have to be kept while they are read."""
    images = _Images(db, hosts, localhost, scratch)
    return {
        route("get_export_raw_vdi"): guarded("get_export_raw_vdi", images.get),
        route("put_import_raw_vdi"): guarded("put_import_raw_vdi", images.put, cuts=False),
    }


@dataclass(frozen=True, slots=True)
class _Images:
    db: Database
    hosts: Hosts
    localhost: Ref[Any]
    scratch: Path

    async def get(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        vdi, format = self._vdi(transfer.arguments), _format(transfer.arguments)
        if transfer.arguments.get("base"):
            raise errors.NOT_IMPLEMENTED("export of the difference between two disks")
        name = f"{self.db.get(vdi).uuid}.{format}"
        headers = {
            hdrs.CONTENT_TYPE: _CONTENT_TYPES[format],
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        }
        response = web.StreamResponse(headers=headers)
        # The last bytes wait until the disk is let go: a client leaves when it has them.
        last = b""
        async with exported_image(self._call(transfer), vdi, format) as image:
            response.content_length = image.length
            await transfer.begin(response)
            async for done, data in image.pieces:
                await response.write(last)
                transfer.task.progress(done)
                last = data
        try:
            await response.write(last)
            await response.write_eof()
        except asyncio.CancelledError:
            handler = asyncio.current_task()
            if handler is None or transfer.is_cancelled:
                raise
            handler.uncancel()  # the client has every byte, and so did not wait for the end
        return response

    async def put(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        arguments = transfer.arguments
        length = request.content_length
        length = None if length is None or length >= UNKNOWN_LENGTH else length
        wish = ImageWish(_format(arguments), _is_chunked(arguments), self.scratch)
        vdi = self._vdi(arguments) if arguments.get("vdi") else None
        sr = None if vdi is not None else self._sr(arguments, wish, length)
        if vdi is not None:
            assert_can_import(self.db, vdi, wish, length)
        response = await transfer.begin(web.StreamResponse())
        body = Body(request)
        # A client may ask first, with nothing in its hands, whether this is the right host.
        if "task_id" in arguments or not await body.is_empty():
            stream = ByteStream(body.receive, length)
            await although_the_client_leaves(self._take(transfer, body, stream, wish, vdi, sr), transfer, FINISH_S)
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        return response

    async def _take(
        self,
        transfer: Transfer,
        body: Body,
        stream: ByteStream,
        wish: ImageWish,
        vdi: Ref[VDI] | None,
        sr: Ref[SR] | None,
    ) -> None:
        call = self._call(transfer)
        if vdi is not None:
            await import_over(call, vdi, stream, wish)
        elif sr is not None:
            transfer.succeed(await import_new(call, sr, stream), RefType("VDI"))
        await body.skip_rest()

    def _vdi(self, arguments: Mapping[str, str]) -> Ref[VDI]:
        return _named(self.db, VDI, arguments.get("vdi", ""))

    def _sr(self, arguments: Mapping[str, str], wish: ImageWish, length: int | None) -> Ref[SR]:
        """Where a new disk is to be made."""
        said = arguments.get("sr_id") or arguments.get("sr_uuid")
        if not said:
            raise TransferFailure(400, errors.INVALID_VALUE("vdi", ""))
        if wish.format is not ImageFormat.RAW or wish.chunked:
            raise TransferFailure(400, errors.INVALID_VALUE("format", "only a raw image becomes a new disk"))
        if length is None:
            raise TransferFailure(400, errors.INVALID_VALUE("content-length", "a new disk must have a size"))
        return _named(self.db, SR, said)

    def _call(self, transfer: Transfer) -> Call:
        return Call(self.db, transfer.caller, transfer.task, self.hosts, self.localhost, log)


def _named(db: Database, cls: type[T], said: str) -> Ref[T]:
    """The object that a reference or a uuid names; 404 when there is none."""
    if db.class_of(Ref(said)) == cls.__name__:
        return Ref(said)
    try:
        return db.by_uuid(cls, said)
    except ApiError:
        raise TransferFailure(404, errors.HANDLE_INVALID(cls.__name__, said[:80])) from None


def _format(arguments: Mapping[str, str]) -> ImageFormat:
    wanted = arguments.get("format") or ImageFormat.RAW
    try:
        return ImageFormat(wanted)
    except ValueError:
        raise TransferFailure(404, errors.INVALID_VALUE("format", wanted[:80])) from None


def _is_chunked(arguments: Mapping[str, str]) -> bool:
    said = arguments.get("chunked", "false").lower()
    if said not in ("true", "false", "1", "0", ""):
        raise TransferFailure(400, errors.INVALID_VALUE("chunked", said[:80]))
    if said in ("true", "1") and arguments.get("format", ImageFormat.RAW) != ImageFormat.RAW:
        raise TransferFailure(400, errors.INVALID_VALUE("chunked", "only a raw image comes in chunks"))
    return said in ("true", "1")
