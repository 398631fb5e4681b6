"""The master's side of a join: the host's objects become the pool's, in a database that several hosts can keep."""

import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog

from cardume.channel.questions import Answer
from cardume.daemons.pool_map import PoolMap
from cardume.messages.pool_admission import admit, knows, load_joiner
from cardume.pooldb.db import Database

log = structlog.get_logger()


class Admitting:
    """Answers the questions of hosts that join; all others go to `others`."""

    def __init__(
        self,
        db: Database,
        others: Answer,
        shared: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        told_map: Callable[[], PoolMap] = PoolMap,
    ) -> None:
        """`shared`: has the database where several hosts can keep it. `told_map`: the pool as it is now."""
        self._db, self._others = db, others
        self._shared, self._told_map = shared, told_map

    async def answer(self, uuid: str, do: str, given: dict[str, Any]) -> Any:
        """The `Answer` of channel/questions.py on the master."""
        match do:
            case "admit":
                items = [(str(key), base64.b64decode(value)) for key, value in given["items"]]
                records = load_joiner(items)
                async with self._shared():
                    host = await admit(self._db, records, uuid)
                    log.info("host_admitted", host=uuid, objects=len(items))
                    return {"host": host, "map": self._told_map().told()}
            case "knows":
                async with self._db.transaction() as txn:  # not before an admission that is just being written
                    is_known = knows(txn, uuid)
                return {"known": is_known, "map": self._told_map().told()}
        return await self._others(uuid, do, given)
