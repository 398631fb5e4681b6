"""VM.import: the pool fetches an archive by itself."""

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.hostops.download import DownloadFailed, downloading
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.messages.vm_import import Wish, import_archive


@implements(VM.import_, as_task=True)
async def import_(call: Call, url: str, sr: Ref[SR], full_restore: bool, force: bool) -> tuple[Ref[VM], ...]:
    try:
        async with downloading(url) as receive:
            return await import_archive(call, receive, Wish(sr, full_restore, force))
    except DownloadFailed as fault:
        raise errors.IMPORT_ERROR(str(fault)) from None
