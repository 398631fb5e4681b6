"""VMs from an archive of metadata alone: their disks are in the pool already."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import Ref
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm import VM
from cardume.hostops.xva.compression import Receive, Unpacked
from cardume.hostops.xva.tar import TarReader
from cardume.messages.archive_manifest import Manifest
from cardume.messages.call import Call
from cardume.messages.vm_import import Wish, archive_failures, check, list_wanted, read_ova, record_vms
from cardume.pooldb.db import Reader


@dataclass(frozen=True, slots=True)
class MetadataWish:
    """How an archive of metadata is to be imported; with `force`, drives whose disks are not here are left out."""

    restore: bool = False
    force: bool = False
    dry_run: bool = False  # find out whether it would work, and change nothing
    disks: Mapping[str, str] = field(default_factory=dict)  # uuid in the archive → uuid or reference here


async def import_metadata(call: Call, receive: Receive, wish: MetadataWish) -> tuple[Ref[VM], ...]:
    """The VMs of an archive, snapshots left out."""
    with archive_failures():
        manifest = await read_ova(call, TarReader(Unpacked(receive)))
    plain = Wish(restore=wish.restore, force=wish.force)
    check(call.db, manifest, plain)
    disks = _find_disks(call.db, manifest, wish)
    if wish.dry_run:
        return ()
    async with call.db.transaction() as txn:
        return record_vms(call, txn, manifest, disks, plain)


def _find_disks(db: Reader, manifest: Manifest, wish: MetadataWish) -> dict[str, Ref[VDI]]:
    found: dict[str, Ref[VDI]] = {}
    for id, vdi in list_wanted(manifest).items():
        here = _find_disk(db, wish.disks.get(vdi.uuid, vdi.uuid))
        if here is not None:
            found[id] = here
        elif not wish.force:
            raise errors.IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND()
    return found


def _find_disk(db: Reader, named: str) -> Ref[VDI] | None:
    if db.class_of(Ref(named)) == "VDI":
        return Ref(named)
    try:
        return db.by_uuid(VDI, named)
    except ApiError:
        return None
