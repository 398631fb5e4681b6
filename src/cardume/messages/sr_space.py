"""An SR's sizes, asked of its driver and recorded."""

from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.storage_values import driver, repository


async def refresh_space(call: Call, sr: Ref[SR], host: Ref[Host]) -> None:
    """Record how large and how full an SR is now."""
    if call.db.find(sr) is None:
        return
    repo = repository(call.db, sr, host)
    with storage_failures(call.db, sr=sr):
        space = await driver(call.hosts.hands(host), repo.type).space(repo)
    await call.db.update(
        sr,
        physical_size=space.physical_size,
        physical_utilisation=space.physical_utilisation,
        virtual_allocation=space.virtual_allocation,
    )
