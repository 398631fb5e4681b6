"""A disk filled from an image file, or made of one.

An image is refused before the disk is touched where that can be known: when it does not fit, when its tables are not
sound, and of qcow2 whenever it is not whole. What fails later leaves a disk that was there with undefined content; one
that was made for the image is removed again.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR, StorageOperation
from cardume.datamodel.vdi import VDI, VDIOperation, VDIType
from cardume.hostops.disk_images.incoming import (
    ByteStream,
    ImageDamaged,
    ImageEnded,
    ImageTooLarge,
    IncomingImage,
    written_parts,
)
from cardume.hostops.disk_images.qcow2_reading import read_qcow2
from cardume.hostops.disk_images.raw import ChunkedImage, RawImage
from cardume.hostops.disk_images.scratch import scratch_file
from cardume.hostops.disk_images.vhd import read_vhd
from cardume.hostops.errors import StorageError
from cardume.hostops.storage.driver import DiskBytes
from cardume.messages.call import Call
from cardume.messages.disk_export import ImageFormat
from cardume.messages.failures import storage_failures
from cardume.messages.lifecycle import assert_operation_allowed, operation
from cardume.messages.new_vdi import complete, make_vdi
from cardume.messages.sr_space import refresh_space
from cardume.messages.storage_values import driver, reachable_host, repository, volume
from cardume.messages.vdi_records import vdi_draft
from cardume.pooldb.db import Reader

LARGEST_DISK = 1 << 46  # 64 TiB
NEW_NAME = "Imported disk"
_ZEROED_AT_ONCE = 256 << 20
_DISK_TYPES = frozenset({VDIType.SYSTEM, VDIType.USER, VDIType.EPHEMERAL})


@dataclass(frozen=True, slots=True)
class ImageWish:
    """In which form an image comes, and where it may be kept while it is read."""

    format: ImageFormat
    chunked: bool
    scratch: Path


def assert_can_import(db: Reader, vdi_ref: Ref[VDI], wish: ImageWish, length: int | None) -> None:
    """Raise the reason why a disk cannot be filled now; `length`: the image file's, when it is known."""
    vdi = db.get(vdi_ref)
    if vdi.read_only or vdi.is_a_snapshot:
        raise errors.VDI_READONLY(vdi_ref)
    if vdi.type not in _DISK_TYPES:
        raise errors.VDI_INCOMPATIBLE_TYPE(vdi_ref, vdi.type)
    assert_operation_allowed(db, vdi_ref, VDIOperation.DATA_DESTROY)
    if wish.format is ImageFormat.RAW and not wish.chunked and length is not None and length > vdi.virtual_size:
        raise errors.VDI_TOO_SMALL(vdi_ref, length)


async def import_over(call: Call, vdi_ref: Ref[VDI], stream: ByteStream, wish: ImageWish) -> None:
    """Replace the content of a disk by that of an image; what the image leaves out, or does not reach, is zeros."""
    assert_can_import(call.db, vdi_ref, wish, stream.length)
    async with operation(call, vdi_ref, VDIOperation.DATA_DESTROY):
        vdi = call.db.get(vdi_ref)
        with _image_failures(vdi_ref):
            async with _incoming(call, stream, wish, vdi.virtual_size) as image:
                if image.virtual_size > vdi.virtual_size:
                    raise ImageTooLarge(image.virtual_size)
                await _fill(call, vdi_ref, image, is_new=False)
    await refresh_space(call, vdi.SR, reachable_host(call.db, vdi.SR))


async def import_new(call: Call, sr: Ref[SR], stream: ByteStream) -> Ref[VDI]:
    """A new disk with the content of a raw image, whose length is the disk's size."""
    size = stream.length
    if not size or size > LARGEST_DISK:
        raise errors.IMPORT_ERROR("the length of a raw image that becomes a disk must be announced")
    async with operation(call, sr, StorageOperation.VDI_CREATE), AsyncExitStack() as undo:
        host = reachable_host(call.db, sr)
        vdi_ref, made = await make_vdi(
            call,
            host,
            vdi_draft(sr, NEW_NAME, size),
            lambda of, repo, uuid: of.create_volume(repo, uuid, size, name_label=NEW_NAME),
            undo,
        )
        # The size may have been rounded up; the location is known from now on.
        await call.db.update(vdi_ref, location=made.location, virtual_size=made.virtual_size)
        with _image_failures(vdi_ref):
            await _fill(call, vdi_ref, RawImage(stream, size), is_new=True)
        repo = repository(call.db, sr, host)
        with storage_failures(call.db, sr=sr, vdi=vdi_ref):
            made = await driver(call.hosts.hands(host), repo.type).stat_volume(repo, made)
        async with call.db.transaction() as txn:
            complete(txn, vdi_ref, made)
        undo.pop_all()
        await refresh_space(call, sr, host)
    return vdi_ref


@contextmanager
def _image_failures(vdi: Ref[VDI]) -> Iterator[None]:
    """Turn what is wrong with an image into XenAPI's errors."""
    try:
        yield
    except ImageTooLarge as fault:
        raise errors.VDI_TOO_SMALL(vdi, fault.virtual_size) from None
    except ImageEnded:
        raise errors.IMPORT_ERROR_PREMATURE_EOF() from None
    except ImageDamaged as fault:
        raise errors.IMPORT_ERROR(str(fault)) from None


@asynccontextmanager
async def _incoming(call: Call, stream: ByteStream, wish: ImageWish, disk_size: int) -> AsyncIterator[IncomingImage]:
    """The image that comes, read as far as can be before the disk is touched."""
    match wish.format:
        case ImageFormat.RAW if wish.chunked:
            yield ChunkedImage(stream, disk_size)
        case ImageFormat.RAW:
            yield RawImage(stream, disk_size)
        case ImageFormat.VHD:
            yield await read_vhd(stream)
        case ImageFormat.QCOW2:
            try:
                async with scratch_file(wish.scratch) as scratch:
                    yield await read_qcow2(stream, scratch, disk_size, call.task.progress)
            except StorageError as fault:  # of the scratch file: what fails on the disk itself is told by then
                raise errors.IMPORT_ERROR(str(fault)) from None


async def _fill(call: Call, vdi_ref: Ref[VDI], image: IncomingImage, *, is_new: bool) -> None:
    vdi = call.db.get(vdi_ref)
    host = reachable_host(call.db, vdi.SR)
    hands, repo = call.hosts.hands(host), repository(call.db, vdi.SR, host)
    of, found = driver(hands, repo.type), volume(vdi)
    pieces = image.pieces()
    # An image without a first byte leaves the disk alone.
    first = await anext(pieces, None)
    with storage_failures(call.db, sr=vdi.SR, vdi=vdi_ref):
        async with AsyncExitStack() as opened:
            source = await of.open(repo, found, writable=True)
            opened.push_async_callback(of.close, repo, found)
            content = await opened.enter_async_context(hands.copier.opened(source, writable=True))
            if not is_new:
                await _empty(content)
            piece = first
            while piece is not None:
                for offset, data in written_parts(piece):
                    await content.write(offset, data)
                call.task.progress(piece.done)
                piece = await anext(pieces, None)
            await content.flush()
        now = await of.stat_volume(repo, found)
    if not is_new:
        await call.db.update(vdi_ref, physical_utilisation=now.physical_utilisation)


async def _empty(content: DiskBytes) -> None:
    """Make zeros of all that a disk holds: whatever comes of the import, nothing old is between the new."""
    at = await content.find_data(0)
    while at < content.size:
        end = await content.find_hole(at)
        for begin in range(at, end, _ZEROED_AT_ONCE):
            await content.zero(begin, min(_ZEROED_AT_ONCE, end - begin))
        at = await content.find_data(max(end, at + 1)) if end < content.size else content.size
