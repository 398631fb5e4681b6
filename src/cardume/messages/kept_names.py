"""Names of disks and repositories, kept on the storage as well: who finds it in another pool knows what it is."""

from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.storage_values import driver, reachable_host, repository, volume


async def keep_names(call: Call, sr: Ref[SR], vdi: Ref[VDI] | None = None) -> None:
    """Write the name of a disk, or of the SR itself, to the storage; what fails now is done by the next scan."""
    record = call.db.get(sr) if vdi is None else call.db.get(vdi)
    if call.db.get(sr).content_type == "iso":
        return
    try:
        host = reachable_host(call.db, sr)
        repo = repository(call.db, sr, host)
        named = volume(call.db.get(vdi)) if vdi is not None else None
        with storage_failures(call.db, sr=sr):
            of = driver(call.hosts.hands(host), repo.type)
            await of.set_names(repo, named, record.name_label, record.name_description)
    except ApiError as fault:
        call.log.warning("name_not_on_storage", sr=str(sr), error=str(fault))
