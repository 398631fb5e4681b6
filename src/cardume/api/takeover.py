"""What taking over from a lost master would mean, told by the member before an operator says so."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from cardume.api.http_access import ACCESS, HEADERS, Handler
from cardume.datamodel.roles import Role

PATH = "/cardume/takeover"

Report = Callable[[], Awaitable[dict[str, Any]]]


def takeover_handlers(report: Report) -> Mapping[tuple[str, str], Handler]:
    """The handler, by method and path: JSON with `master_address`, `master_connected`, `database_answers` (then
    nothing is lost) and `mirror`, the number of the last change in this host's copy, or null."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async with request.app[ACCESS].identified(request, "takeover", takes_local=True) as caller:
            if caller.role < Role.POOL_OPERATOR:
                return web.json_response({"refused": "This is for operators of the pool."}, status=403)
            return web.json_response(await report(), headers=HEADERS)

    return {("GET", PATH): handle}
