"""Whose session it is: asked of the master by members, to which clients come with a session of the pool."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

from cardume.api.sessions import Sessions
from cardume.channel.pki import PoolFiles
from cardume.channel.questions import Answer, ask_host
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.hostops.errors import HostError
from cardume.messages.call import Caller
from cardume.pooldb.db import Database

GOOD_FOR_S = 15.0
"""How long a member takes a session for good without asking again."""

ASK_S = 5.0
MOST_KNOWN = 200
AT_ONCE = 4
"""Strangers can have a member ask: so the master is not asked more than that at once."""

_SESSION = re.compile(r"OpaqueRef:[0-9a-f-]{36}")


class SessionAnswers:
    """Answers whose session it is, to hosts of the pool; all other questions go to `others`."""

    def __init__(self, db: Database, sessions: Sessions, others: Answer) -> None:
        self._db, self._sessions, self._others = db, sessions, others

    async def answer(self, uuid: str, do: str, given: dict[str, Any]) -> Any:
        """The `Answer` of channel/questions.py on the master."""
        if do != "session":
            return await self._others(uuid, do, given)
        if all(host.uuid != uuid for host in self._db.all(Host).values()):
            raise HostError("this pool does not know the host that asks")
        session = str(given["session"])
        try:
            caller = self._sessions.caller(session)
        except ApiError:
            return None
        if self._sessions.is_local(caller.session):
            return None
        return {"user": caller.user, "role": int(caller.role), "is_local_superuser": caller.is_local_superuser}


class PoolSessions:
    """A member's knowledge of the pool's sessions."""

    def __init__(
        self,
        files: PoolFiles,
        own_uuid: str,
        master: Callable[[], tuple[str, str]],
        port: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`master`: its address, and its uuid, empty when that is not known."""
        self._files, self._own_uuid, self._master, self._port, self._clock = files, own_uuid, master, port, clock
        self._known: dict[str, tuple[float, Caller]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def find(self, session: str) -> Caller | None:
        """Who calls with this session; None when it is no session of the pool, or the master cannot be asked."""
        known = self._known.get(session)
        if known is not None and self._clock() - known[0] < GOOD_FOR_S:
            return known[1]
        self._known.pop(session, None)
        if not _SESSION.fullmatch(session):
            return None
        try:
            async with self._slots:
                told = await self._ask(session)
        except HostError:
            return None
        if told is None:
            return None
        caller = Caller(Ref(session), str(told["user"]), Role(told["role"]), bool(told["is_local_superuser"]))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[session] = (self._clock(), caller)
        return caller

    async def _ask(self, session: str) -> Any:
        address, uuid = self._master()
        return await ask_host(
            self._files,
            self._own_uuid,
            address,
            "session",
            {"session": session},
            timeout_s=ASK_S,
            expect=uuid,
            port=self._port,
        )
