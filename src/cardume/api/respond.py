"""A request's body to its answer's text, on either wire."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cardume.api import jsonrpc, xmlrpc
from cardume.api.dispatch import LIST_METHODS, Dispatcher, Peer, Result
from cardume.api.encode import Encoder
from cardume.api.events import write_batch
from cardume.api.incidents import told
from cardume.api.limits import Limits
from cardume.api.rpc import Request
from cardume.datamodel.errors import ApiError
from cardume.datamodel.wiretypes import MapType, Prim, RecordType, RefType
from cardume.messages.event import EventBatch
from cardume.pooldb.db import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and the exact type that clients compare it with."""

    body: bytes
    content_type: str


class Responder:
    """Answers bodies of XML-RPC and JSON-RPC.

    room: waits until there is memory for an answer that may be large.
    """

    def __init__(
        self, db: Database, dispatcher: Dispatcher, limits: Limits, room: Callable[[], Awaitable[None]]
    ) -> None:
        self._limits = limits
        self._room = room
        # One thread: a second one would not parse sooner, and its values would need memory at the same time.
        self._parsing = ThreadPoolExecutor(1, "parse")
        self._db = db
        self._dispatcher = dispatcher
        self._xml = Encoder(xmlrpc.XML, db)
        self._json = Encoder(jsonrpc.JSON, db)

    def close(self) -> None:
        """No more is to be answered."""
        self._parsing.shutdown(wait=False, cancel_futures=True)

    async def answer_xml(self, body: bytes, peer: Peer) -> Answer:
        """The answer to an XML-RPC request; Malformed when it is none."""
        request = await self._parsed(xmlrpc.parse_request, body)
        try:
            value = await self._value(request, peer, self._xml)
            text = xmlrpc.bare(value) if request.method == LIST_METHODS else xmlrpc.success(value)
        except ApiError as error:
            text = xmlrpc.failure(error.description)
        return Answer(text.encode("utf-8", "replace"), "text/xml")

    async def answer_json(self, body: bytes, peer: Peer) -> Answer:
        """The answer to a JSON-RPC request; Malformed when it is none."""
        asked = await self._parsed(jsonrpc.parse_request, body)
        try:
            text = jsonrpc.success(asked, await self._value(asked.request, peer, self._json))
        except ApiError as error:
            text = jsonrpc.failure(asked, error.description)
        return Answer(text.encode("utf-8", "replace"), "application/json")

    async def _parsed(self, parse: Callable[[bytes], T], body: bytes) -> T:
        if len(body) <= self._limits.large_body:
            return parse(body)
        return await asyncio.get_running_loop().run_in_executor(self._parsing, parse, body)

    async def _value(self, request: Request, peer: Peer, encoder: Encoder) -> str:
        try:
            result = await self._dispatcher.call(request, peer)
            if not isinstance(result.of, Prim | RefType):
                await self._room()
            return self._written(result, encoder)
        except Exception as error:
            raise told(error, request.method[:80]) from None

    def _written(self, result: Result, encoder: Encoder) -> str:
        value = result.value
        if isinstance(value, EventBatch):
            return write_batch(value, encoder, self._db)
        match result.of:
            case RecordType(cls) if result.object_ref is not None:
                return encoder.object(result.object_ref, cls)
            case MapType(RefType(), RecordType(cls)):
                return encoder.objects(value, cls)
        return encoder.encode(value, result.of)
