"""The HTTP handler `/blob`: reads and writes the bytes of blobs."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import hdrs, web

from cardume.api.http_access import HEADERS, Handler, Transfer, TransferFailure, arguments_of, guarded, route
from cardume.api.uploads import although_the_client_leaves
from cardume.datamodel import errors
from cardume.datamodel.blob import Blob
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.hostops.blob_files import MOST_BYTES, PIECE_BYTES, BlobFiles, BlobTooBig
from cardume.pooldb.db import Database

FINISH_S = 30.0
"""How long bytes that a client sent before it left may take to reach the disk."""


def blob_handlers(db: Database, files: BlobFiles) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`."""
    transfers = _Blobs(db, files)
    guarded_get = guarded("get_blob", transfers.get)

    async def get(request: web.Request) -> web.StreamResponse:
        """A public blob asks nobody who they are, unless a task is to be ended, which is somebody's."""
        arguments = arguments_of(request)
        blob = transfers.find(arguments)
        if blob is not None and db.get(blob).public and "task_id" not in arguments:
            return await transfers.send(request, blob)
        return await guarded_get(request)

    return {route("get_blob"): get, route("put_blob"): guarded("put_blob", transfers.put)}


class _Blobs:
    def __init__(self, db: Database, files: BlobFiles) -> None:
        self._db = db
        self._files = files

    def find(self, arguments: Mapping[str, str]) -> Ref[Blob] | None:
        """The blob that `ref` or `uuid` names."""
        if "ref" in arguments:
            ref = Ref[Blob](arguments["ref"])
            return ref if self._db.class_of(ref) == "blob" else None
        try:
            return self._db.by_uuid(Blob, arguments.get("uuid", ""))
        except ApiError:
            return None

    async def get(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        return await self.send(request, self._named(transfer), transfer)

    async def send(self, request: web.Request, blob: Ref[Blob], transfer: Transfer | None = None) -> web.StreamResponse:
        record = self._db.get(blob)
        # The type is the writer's choice: no browser shall run it as a page of this host.
        headers = {
            **HEADERS,
            hdrs.CONTENT_TYPE: record.mime_type,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
        }
        response = web.StreamResponse(headers=headers)
        async with self._files.reading(record.uuid) as (size, pieces):
            response.content_length = size
            await (response.prepare(request) if transfer is None else transfer.begin(response))
            left = size
            try:
                async for piece in pieces:
                    left -= len(piece)
                    await response.write(piece)
                await response.write_eof()
            except asyncio.CancelledError:
                handler = asyncio.current_task()
                if left > 0 or handler is None or (transfer is not None and transfer.is_cancelled):
                    raise
                handler.uncancel()  # the client has every byte, and so did not wait for the end
        return response

    async def put(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        """Old bytes are there until all the new ones are."""
        blob = self._named(transfer)
        if hdrs.TRANSFER_ENCODING in request.headers:
            raise TransferFailure(411, errors.INVALID_VALUE("transfer-encoding", "say the length of the body"))
        if request.content_length is not None and request.content_length > MOST_BYTES:
            raise TransferFailure(413, _too_big())
        response = await transfer.begin(web.StreamResponse())
        await although_the_client_leaves(self._store(request, blob), transfer, FINISH_S)
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        return response

    async def _store(self, request: web.Request, blob: Ref[Blob]) -> None:
        try:
            async with self._files.writing(self._db.get(blob).uuid) as draft:
                async for piece in request.content.iter_chunked(PIECE_BYTES):
                    await draft.write(piece)
                if draft.size < (request.content_length or 0):
                    raise errors.INVALID_VALUE("content-length", "the body ended before it was whole")
        except BlobTooBig:
            raise _too_big() from None
        except ConnectionError:
            raise errors.INVALID_VALUE("content-length", "the client left before the body was whole") from None
        await self._db.update(blob, size=draft.size, last_updated=datetime.now(UTC))

    def _named(self, transfer: Transfer) -> Ref[Blob]:
        blob = self.find(transfer.arguments)
        if blob is None:
            raise TransferFailure(404, errors.HANDLE_INVALID("blob", transfer.arguments.get("ref", NULL)))
        return blob


def _too_big() -> ApiError:
    return errors.INVALID_VALUE("content-length", f"a blob holds {MOST_BYTES} bytes at most")
