"""A disk as an image file: held as it is while it is read, on whichever host reaches it."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.vdi import VDI, VDIOperation
from cardume.hostops.disk_images import qcow2_writing, vhd_tables
from cardume.hostops.disk_images.outgoing import OutgoingImage
from cardume.hostops.disk_images.qcow2_writing import qcow2_image
from cardume.hostops.disk_images.raw import raw_image
from cardume.hostops.disk_images.vhd import vhd_image
from cardume.hostops.storage.driver import DiskBytes
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.lifecycle import operation
from cardume.messages.storage_values import open_volume, reachable_host

_YEAR_2000 = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


class ImageFormat(StrEnum):
    """The formats of image files."""

    RAW = "raw"
    VHD = "vhd"
    QCOW2 = "qcow2"


_LARGEST = {ImageFormat.VHD: vhd_tables.LARGEST_DISK, ImageFormat.QCOW2: qcow2_writing.LARGEST_DISK}


@asynccontextmanager
async def exported_image(call: Call, vdi_ref: Ref[VDI], format: ImageFormat) -> AsyncIterator[OutgoingImage]:
    """The image of a disk, to be sent inside the block; nothing changes the disk meanwhile."""
    async with operation(call, vdi_ref, VDIOperation.COPY), AsyncExitStack() as opened:
        vdi = call.db.get(vdi_ref)
        if format in _LARGEST and vdi.virtual_size > _LARGEST[format]:
            raise errors.VDI_TOO_LARGE(vdi_ref, _LARGEST[format])
        host = reachable_host(call.db, vdi.SR)
        hands = call.hosts.hands(host)
        source = await open_volume(call.db, hands, host, vdi_ref, writable=False, undo=opened)
        with storage_failures(call.db, sr=vdi.SR, vdi=vdi_ref):
            disk = await opened.enter_async_context(hands.copier.opened(source, writable=False))
            yield await _image(disk, vdi, format)


async def _image(disk: DiskBytes, vdi: VDI, format: ImageFormat) -> OutgoingImage:
    match format:
        case ImageFormat.RAW:
            return raw_image(disk, vdi.virtual_size)
        case ImageFormat.VHD:
            return await vhd_image(disk, vdi.virtual_size, UUID(vdi.uuid).bytes, int(time.time()) - _YEAR_2000)
        case ImageFormat.QCOW2:
            return await qcow2_image(disk, vdi.virtual_size)
