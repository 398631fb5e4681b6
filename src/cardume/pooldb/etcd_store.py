"""The pool database of two hosts and more: the `Store` of store.py on etcd.

Nothing is written twice: a transaction whose outcome is not known ends in OutcomeUnknown and is never sent again from
here. `Writer` in commit.py settles it with the key that all its transactions compare and rewrite.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import Any

import structlog

from cardume.pooldb.etcd_gateway import Gateway, Message, Refused, StreamEnded, b64, number, unb64
from cardume.pooldb.store import (
    Batch,
    Compacted,
    Compare,
    Conflict,
    Delete,
    KeyValue,
    LeaseLost,
    NoQuorum,
    Operation,
    Put,
    StoreClosed,
    StoreError,
    TooLarge,
    check_transaction,
)

log = structlog.get_logger(__name__)

PAGE = 500
"""Items of a list that are asked for at once: decoding them holds everything else up."""
LIST_TRIES = 5
REWATCH_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0)


class EtcdStore:
    """The `Store` of store.py over a gateway, which is closed with it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._closed = False

    @property
    def gateway(self) -> Gateway:
        return self._gateway

    async def get(self, key: str) -> KeyValue | None:
        answer = await self._read({"key": b64(key.encode())})
        return _item(answer["kvs"][0]) if answer.get("kvs") else None

    async def list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        for _ in range(LIST_TRIES):
            try:
                return await self._list(prefix)
            except Compacted:
                log.warning("list_overtaken", prefix=prefix)  # so much was written since the first page: begin anew
        raise NoQuorum("the pool database is written faster than it can be read")

    async def txn(self, operations: Sequence[Operation], *, compares: Sequence[Compare] = ()) -> int:
        self._check_open()
        check_transaction(operations, compares)
        body = {
            "compare": [_compare(compare) for compare in compares],
            "success": [_operation(operation) for operation in operations],
            "failure": [
                {"request_range": {"key": b64(compare.key.encode()), "keys_only": True}} for compare in compares
            ],
        }
        try:
            answer = await self._gateway.tell("/v3/kv/txn", body)
        except Refused as refused:
            raise _told(refused) from refused
        if not answer.get("succeeded"):
            raise Conflict(tuple(_failed(compares, answer.get("responses", ()))))
        return number(answer["header"], "revision")

    async def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Batch, None]:
        upcoming = max(from_revision, 1)
        failures = 0
        while True:
            await asyncio.sleep(REWATCH_PAUSES_S[min(failures, len(REWATCH_PAUSES_S) - 1)])
            self._check_open()
            failures += 1
            try:
                async with aclosing(self._gateway.stream("/v3/watch", _watch(prefix, upcoming))) as messages:
                    async for message in messages:
                        _check_not_compacted(message)
                        for batch in _batches(message.get("events", ())):
                            if batch.revision >= upcoming:
                                yield batch
                                upcoming = batch.revision + 1
                        if not message.get("events") and not message.get("created"):
                            # Nothing of interest up to here: going on from here after a break cannot be too late.
                            upcoming = max(upcoming, number(message["header"], "revision") + 1)
                        failures = 0
            except StreamEnded as ended:
                if not self._closed:
                    log.info("watch_interrupted", prefix=prefix, upcoming=upcoming, error=str(ended))

    async def lease(self, ttl_s: float) -> "EtcdLease":
        self._check_open()
        sent = asyncio.get_running_loop().time()
        answer = await self._gateway.ask("/v3/lease/grant", {"TTL": str(math.ceil(ttl_s))})
        return EtcdLease(self._gateway, number(answer, "ID"), sent + number(answer, "TTL"))

    async def revision(self) -> int:
        answer = await self._read({"key": b64(b"\0"), "count_only": True})
        return number(answer["header"], "revision")

    async def compact(self, keep_revisions: int) -> None:
        revision = await self.revision() - keep_revisions
        if revision < 1:
            return
        try:
            await self._gateway.ask("/v3/kv/compaction", {"revision": str(revision)})
        except Refused as refused:
            if "has been compacted" not in refused.text:
                raise

    async def close(self) -> None:
        self._closed = True
        await self._gateway.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store was closed")

    async def _read(self, body: Message) -> Any:
        self._check_open()
        try:
            return await self._gateway.ask("/v3/kv/range", body)
        except Refused as refused:
            raise _told(refused) from refused

    async def _list(self, prefix: str) -> tuple[int, Sequence[KeyValue]]:
        start, end = _range(prefix)
        revision = 0
        items: list[KeyValue] = []
        while True:
            body = {"key": b64(start), "range_end": b64(end), "limit": str(PAGE), "revision": str(revision)}
            answer = await self._read(body)
            revision = revision or number(answer["header"], "revision")
            items.extend(_item(item) for item in answer.get("kvs", ()))
            if not answer.get("more"):
                return revision, items
            start = items[-1].key.encode() + b"\0"


class EtcdLease:
    """One lease; the `Lease` of store.py. It counts as lost here before it can be over in the store, never after."""

    def __init__(self, gateway: Gateway, lease_id: int, until: float) -> None:
        self._gateway = gateway
        self._id = lease_id
        self._until = until

    @property
    def id(self) -> int:
        return self._id

    @property
    def lost(self) -> bool:
        return asyncio.get_running_loop().time() >= self._until

    async def keep_alive(self) -> None:
        """Begin the time anew; LeaseLost when it is over."""
        self._check()
        sent = asyncio.get_running_loop().time()
        left_s = self._until - sent
        answer = await self._gateway.ask("/v3/lease/keepalive", {"ID": str(self._id)}, timeout_s=left_s)
        ttl_s = number(answer.get("result", {}), "TTL")
        if ttl_s > 0:
            self._check()  # an answer that came too late: who held it has acted on its end
            self._until = sent + ttl_s
        else:
            self._until = -math.inf
            self._check()

    async def revoke(self) -> None:
        """End the lease now; returns when its keys are gone."""
        self._until = -math.inf
        try:
            await self._gateway.ask("/v3/lease/revoke", {"ID": str(self._id)})
        except Refused as refused:
            if not isinstance(_told(refused), LeaseLost):
                raise

    def _check(self) -> None:
        if self.lost:
            raise LeaseLost(f"lease {self._id} has ended")


def _told(refused: Refused) -> StoreError:
    """What a refusal means to the users of a store."""
    match refused.text.removeprefix("etcdserver: "):
        case "requested lease not found":
            return LeaseLost("the lease has ended")
        case "request is too large" | "too many operations in txn request":
            return TooLarge(refused.text)
        case "mvcc: database space exceeded":
            return NoQuorum("the pool database is full")
        case "mvcc: required revision has been compacted":
            return Compacted(0)
    return refused


def _compare(compare: Compare) -> Message:
    key = b64(compare.key.encode())
    return {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(compare.mod_revision)}


def _operation(operation: Operation) -> Message:
    match operation:
        case Put(key, value, lease):
            return {"request_put": {"key": b64(key.encode()), "value": b64(value), "lease": str(lease)}}
        case Delete(key):
            return {"request_delete_range": {"key": b64(key.encode())}}


def _failed(compares: Sequence[Compare], responses: Sequence[Any]) -> Iterator[str]:
    for compare, response in zip(compares, responses, strict=True):
        found = response["response_range"].get("kvs", ())
        if (number(found[0], "mod_revision") if found else 0) != compare.mod_revision:
            yield compare.key


def _item(item: Message) -> KeyValue:
    return KeyValue(
        unb64(item["key"]).decode(),
        unb64(item.get("value", "")),
        number(item, "mod_revision"),
        number(item, "create_revision"),
        number(item, "lease"),
    )


def _range(prefix: str) -> tuple[bytes, bytes]:
    """The first key and the end of all keys with a prefix; no UTF-8 ends in a byte that has no successor."""
    start = prefix.encode()
    return (start, start[:-1] + bytes([start[-1] + 1])) if start else (b"\0", b"\0")


def _watch(prefix: str, upcoming: int) -> Message:
    start, end = _range(prefix)
    # One revision earlier than wanted, and that one is dropped: etcd takes a watch from the very revision that was
    # compacted, and 3.4 tells it no deletion of that revision any more.
    create = {
        "key": b64(start),
        "range_end": b64(end),
        "start_revision": str(max(upcoming - 1, 1)),
        "progress_notify": True,
    }
    return {"create_request": create}


def _check_not_compacted(message: Message) -> None:
    if compacted := number(message, "compact_revision"):
        raise Compacted(compacted + 1)
    if message.get("canceled"):
        raise StreamEnded(str(message.get("cancel_reason", "canceled")))


def _batches(events: Sequence[Any]) -> Iterator[Batch]:
    """The changes by revision. A message holds whole revisions, in order."""
    for revision, group in groupby(events, key=lambda event: number(event["kv"], "mod_revision")):
        changes = (
            (unb64(event["kv"]["key"]).decode(), None if event.get("type") == "DELETE" else _value(event["kv"]))
            for event in group
        )
        yield Batch(revision, tuple(sorted(changes, key=lambda change: change[0])))


def _value(item: Message) -> bytes:
    return unb64(item.get("value", ""))
