"""The first step of a join: the master certifies the key of a host whose administrator knows the pool's password.

With the certificate the host can speak on the pool's internal channel; a member it is only after it was admitted there.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from cardume.api.http_access import ACCESS, HEADERS, Handler
from cardume.datamodel.roles import Role

PATH = "/cardume/admission"
MOST_BYTES = 64 * 1024

Certify = Callable[[str, str, Sequence[str]], Awaitable[Mapping[str, str]]]
"""Given a host's uuid, its request (PEM) and its addresses: what it is given; ValueError when the request is bad."""


def admission_handlers(certify: Certify) -> Mapping[tuple[str, str], Handler]:
    """The handler, by method and path."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async with request.app[ACCESS].identified(request, "admission") as caller:
            if caller.role < Role.POOL_ADMIN:
                return _refused(403, "Only an administrator of the pool may let a host in.")
            if (request.content_length or 0) > MOST_BYTES:
                return _refused(413, "The request is too large.")
            try:
                asked: dict[str, Any] = json.loads(await request.text())
                given = await certify(
                    str(asked["host"]), str(asked["request"]), [str(one) for one in asked["addresses"]]
                )
            except (ValueError, KeyError, TypeError) as fault:
                return _refused(400, f"This is no request for admission: {fault}")
            return web.json_response(given, headers=HEADERS)

    return {("POST", PATH): handle}


def _refused(status: int, sentence: str) -> web.Response:
    return web.json_response({"refused": sentence}, status=status, headers=HEADERS)
