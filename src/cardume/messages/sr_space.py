"""An SR's sizes, asked of its driver and recorded."""

from collections.abc import Sequence

from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.hostops.hands import Hands
from cardume.hostops.storage.driver import Volume
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.storage_values import driver, repository
from cardume.pooldb.db import Database


async def record_sizes(db: Database, sr: Ref[SR], found: Sequence[Volume]) -> None:
    """Record how large the volumes are that a driver saw; which there are stays as it is."""
    seen = {volume.uuid: volume for volume in found}
    async with db.transaction() as txn:
        for ref in txn.get(sr).VDIs:
            now = seen.get(txn.get(ref).uuid)
            if now is not None:
                txn.update(ref, virtual_size=now.virtual_size, physical_utilisation=now.physical_utilisation)


async def refresh_space(call: Call, sr: Ref[SR], host: Ref[Host]) -> None:
    """Record how large and how full an SR is now."""
    await record_space(call.db, call.hosts.hands(host), sr, host)


async def record_space(db: Database, hands: Hands, sr: Ref[SR], host: Ref[Host]) -> None:
    """Record how large and how full an SR is now, as a host sees it."""
    if db.find(sr) is None:
        return
    repo = repository(db, sr, host)
    with storage_failures(db, sr=sr):
        space = await driver(hands, repo.type).space(repo)
    await db.update(
        sr,
        physical_size=space.physical_size,
        physical_utilisation=space.physical_utilisation,
        virtual_allocation=space.virtual_allocation,
    )
