"""A request's body to its answer's text, on either wire."""

from dataclasses import dataclass

from cardume.api import jsonrpc, xmlrpc
from cardume.api.dispatch import LIST_METHODS, Dispatcher, Peer, Result
from cardume.api.encode import Encoder
from cardume.api.events import write_batch
from cardume.api.incidents import told
from cardume.api.rpc import Request
from cardume.datamodel.errors import ApiError
from cardume.datamodel.wiretypes import MapType, RecordType, RefType
from cardume.messages.event import EventBatch
from cardume.pooldb.db import Database


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and the exact type that clients compare it with."""

    body: bytes
    content_type: str


class Responder:
    """Answers bodies of XML-RPC and JSON-RPC."""

    def __init__(self, db: Database, dispatcher: Dispatcher) -> None:
        self._db = db
        self._dispatcher = dispatcher
        self._xml = Encoder(xmlrpc.XML, db)
        self._json = Encoder(jsonrpc.JSON, db)

    async def answer_xml(self, body: bytes, peer: Peer) -> Answer:
        """The answer to an XML-RPC request; Malformed when it is none."""
        request = xmlrpc.parse_request(body)
        try:
            value = await self._value(request, peer, self._xml)
            text = xmlrpc.bare(value) if request.method == LIST_METHODS else xmlrpc.success(value)
        except ApiError as error:
            text = xmlrpc.failure(error.description)
        return Answer(text.encode("utf-8", "replace"), "text/xml")

    async def answer_json(self, body: bytes, peer: Peer) -> Answer:
        """The answer to a JSON-RPC request; Malformed when it is none."""
        asked = jsonrpc.parse_request(body)
        try:
            text = jsonrpc.success(asked, await self._value(asked.request, peer, self._json))
        except ApiError as error:
            text = jsonrpc.failure(asked, error.description)
        return Answer(text.encode("utf-8", "replace"), "application/json")

    async def _value(self, request: Request, peer: Peer, encoder: Encoder) -> str:
        try:
            return self._written(await self._dispatcher.call(request, peer), encoder)
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
