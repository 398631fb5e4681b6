"""A request's body to its answer's bytes, on either wire."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cardume.api import jsonrpc, xmlrpc
from cardume.api.dispatch import LIST_METHODS, Dispatcher, Peer, Result
from cardume.api.encode import Encoder
from cardume.api.event_rooms import Seat
from cardume.api.events import write_batch
from cardume.api.incidents import told
from cardume.api.limits import Limits
from cardume.api.rpc import Request
from cardume.datamodel.errors import ApiError
from cardume.datamodel.wiretypes import MapType, Prim, RecordType, RefType
from cardume.messages.event import EventBatch
from cardume.pooldb.db import Database

T = TypeVar("T")

XML_TYPE, JSON_TYPE = "text/xml", "application/json"
"""The exact types that clients compare answers with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, in pieces that may be shared with other answers, and its type."""

    pieces: tuple[bytes, ...]
    content_type: str

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class Later:
    """The answer of a call that waits for events: where it waits, and how its end is written."""

    seat: Seat
    write: Callable[[EventBatch], Answer]
    refuse: Callable[[ApiError], Answer]


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What stands around the value in this request's answer."""

    encoder: Encoder
    content_type: str
    before: bytes
    after: bytes
    failure: Callable[[Sequence[str]], str]

    def around(self, value: bytes) -> Answer:
        return Answer((self.before, value, self.after), self.content_type)

    def refuse(self, error: ApiError) -> Answer:
        return Answer((_bytes(self.failure(error.description)),), self.content_type)


_BEFORE_XML, _AFTER_XML = xmlrpc.BEFORE_VALUE.encode(), xmlrpc.AFTER_VALUE.encode()
_BEFORE_BARE_XML, _AFTER_BARE_XML = (part.encode() for part in xmlrpc.bare("\n").split("\n"))


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

    async def answer_xml(self, body: bytes, peer: Peer) -> Answer | Later:
        """The answer to an XML-RPC request; Malformed when it is none."""
        request = await self._parsed(xmlrpc.parse_request, body)
        is_bare = request.method == LIST_METHODS
        before, after = (_BEFORE_BARE_XML, _AFTER_BARE_XML) if is_bare else (_BEFORE_XML, _AFTER_XML)
        return await self._answer(request, peer, _Envelope(self._xml, XML_TYPE, before, after, xmlrpc.failure))

    async def answer_json(self, body: bytes, peer: Peer) -> Answer | Later:
        """The answer to a JSON-RPC request; Malformed when it is none."""
        asked = await self._parsed(jsonrpc.parse_request, body)
        before, after = map(_bytes, jsonrpc.around_value(asked))
        envelope = _Envelope(self._json, JSON_TYPE, before, after, lambda why: jsonrpc.failure(asked, why))
        return await self._answer(asked.request, peer, envelope)

    async def _parsed(self, parse: Callable[[bytes], T], body: bytes) -> T:
        if len(body) <= self._limits.large_body:
            return parse(body)
        return await asyncio.get_running_loop().run_in_executor(self._parsing, parse, body)

    async def _answer(self, request: Request, peer: Peer, envelope: _Envelope) -> Answer | Later:
        try:
            result = await self._dispatcher.call(request, peer)
            if isinstance(result.value, Seat):
                return self._later(result.value, envelope)
            if not isinstance(result.of, Prim | RefType):
                await self._room()
            return envelope.around(self._written(result, envelope.encoder))
        except Exception as error:
            return envelope.refuse(told(error, request.method[:80]))

    def _later(self, seat: Seat, envelope: _Envelope) -> Later:
        def write(batch: EventBatch) -> Answer:
            return envelope.around(write_batch(batch, envelope.encoder, self._db))

        return Later(seat, write, envelope.refuse)

    def _written(self, result: Result, encoder: Encoder) -> bytes:
        value = result.value
        if isinstance(value, EventBatch):
            return write_batch(value, encoder, self._db)
        match result.of:
            case RecordType(cls) if result.object_ref is not None:
                return _bytes(encoder.object(result.object_ref, cls))
            case MapType(RefType(), RecordType(cls)):
                return _bytes(encoder.objects(value, cls))
        return _bytes(encoder.encode(value, result.of))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
