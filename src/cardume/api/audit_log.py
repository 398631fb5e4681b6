"""The HTTP handler `/audit_log`: who called what, as lines of JSON."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice

from aiohttp import hdrs, web

from cardume.api.http_access import Handler, Transfer, guarded, route
from cardume.hostops.audit_file import AuditFile

PIECE_LINES = 200


def audit_handlers(file: AuditFile) -> Mapping[tuple[str, str], Handler]:
    """The HTTP handler `/audit_log`, for `Parts.handlers`; `since` is a time in ISO 8601."""

    async def get(request: web.Request, transfer: Transfer) -> web.StreamResponse:
        response = await transfer.begin(web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}))
        lines = file.lines(transfer.arguments.get("since", ""))
        while piece := await asyncio.to_thread(_take, lines):
            await response.write(piece)
        await response.write_eof()
        return response

    return {route("get_audit_log"): guarded("get_audit_log", get)}


def _take(lines: Iterator[bytes]) -> bytes:
    return b"".join(islice(lines, PIECE_LINES))
