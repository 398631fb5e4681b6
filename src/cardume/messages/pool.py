"""pool: what is asked of a pool as a whole."""

from collections.abc import Mapping
from typing import cast

from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.pool_master import Mastery
from cardume.messages.registry import implements


@implements(Pool.sync_database)
async def sync_database(call: Call) -> None:
    """What was answered is durable already; this waits until the members' copies have it too."""
    if len(call.db.all(Host)) > 1:
        await cast(Mastery, call.services["mastery"]).sync()


@implements(Pool.get_license_state)
async def get_license_state(call: Call, self: Ref[Pool]) -> Mapping[str, str]:
    """Cardume is free: its one edition does not expire."""
    (edition, *_) = {host.edition for host in call.db.all(Host).values()}
    return {"edition": edition, "expiry": "never"}
