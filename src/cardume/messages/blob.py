"""blob: bytes that clients keep, alone or with a VM, host, pool, SR or network."""

from datetime import UTC, datetime
from typing import Any, Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.blob import Blob
from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import schema
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.pooldb.db import Transaction

OWNERS: tuple[type[Any], ...] = (VM, Host, Pool, SR, Network)
ANY_BYTES = "application/octet-stream"
MOST_OF_ONE_OBJECT = 100


class BlobStore(Protocol):
    """Where the bytes are; `hostops/blob_files.py` is the implementation."""

    async def remove(self, uuid: str) -> None: ...


@implements(Blob.create)
async def create(call: Call, mime_type: str, public: bool) -> Ref[Blob]:
    return await call.db.create(_empty("", mime_type, public))


@implements(Blob.destroy)
async def destroy(call: Call, self: Ref[Blob]) -> None:
    """Bytes that a crash keeps from being removed with the record go at the next start."""
    uuid = call.db.get(self).uuid
    async with call.db.transaction() as txn:
        for cls in OWNERS:
            for ref, owner in txn.all(cls).items():
                if self in owner.blobs.values():
                    txn.update(ref, blobs={name: blob for name, blob in owner.blobs.items() if blob != self})
        txn.delete(self)
    await cast(BlobStore, call.services["blobs"]).remove(uuid)


@implements(VM.create_new_blob)
async def create_of_vm(call: Call, vm: Ref[VM], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    return await _create_with(call, vm, name, mime_type, public)


@implements(Host.create_new_blob)
async def create_of_host(call: Call, host: Ref[Host], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    return await _create_with(call, host, name, mime_type, public)


@implements(Pool.create_new_blob)
async def create_of_pool(call: Call, pool: Ref[Pool], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    return await _create_with(call, pool, name, mime_type, public)


@implements(SR.create_new_blob)
async def create_of_sr(call: Call, sr: Ref[SR], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    return await _create_with(call, sr, name, mime_type, public)


@implements(Network.create_new_blob)
async def create_of_network(call: Call, network: Ref[Network], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    return await _create_with(call, network, name, mime_type, public)


def forget_blobs(txn: Transaction, owner: Ref[Any]) -> None:
    """Remove the records of an object's blobs, with the object; their bytes are swept soon after."""
    for blob in txn.get(owner).blobs.values():
        txn.delete(blob)


async def _create_with(call: Call, owner: Ref[Any], name: str, mime_type: str, public: bool) -> Ref[Blob]:
    async with call.db.transaction() as txn:
        record = txn.get(owner)
        if name in record.blobs:
            raise errors.MAP_DUPLICATE_KEY(schema().of(record).name, "blobs", record.uuid, name)
        if len(record.blobs) >= MOST_OF_ONE_OBJECT:
            raise errors.OPERATION_NOT_ALLOWED(f"An object has {MOST_OF_ONE_OBJECT} blobs at most.")
        blob = txn.create(_empty(name, mime_type, public))
        txn.update(owner, blobs={**record.blobs, name: blob})
        return blob


def _empty(name: str, mime_type: str, public: bool) -> Blob:
    return Blob(
        name_label=name, mime_type=_checked_type(mime_type), public=public, last_updated=datetime.now(UTC), size=0
    )


def _checked_type(mime_type: str) -> str:
    """The type is told in a header of HTTP, where a line break would begin another header."""
    if not mime_type:
        return ANY_BYTES
    if len(mime_type) > 200 or not mime_type.isascii() or not mime_type.isprintable():
        raise errors.INVALID_VALUE("mime_type", mime_type[:80])
    return mime_type
