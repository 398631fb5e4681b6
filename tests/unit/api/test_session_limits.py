"""How many sessions there may be, and whose end when there are more."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cardume.api.sessions import MOST_OF_A_CLIENT, MOST_SESSIONS, Sessions
from cardume.datamodel.refs import Ref, new_ref
from cardume.datamodel.roles import Role
from cardume.datamodel.session import Session
from cardume.messages.session import ROOT, Identity
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


@pytest.fixture
async def db() -> AsyncIterator[Objects]:
    opened = await Objects.open(MemoryStore())
    yield opened
    await opened.close()


async def test_a_client_that_never_logs_out_loses_its_own_oldest_session(db: Objects) -> None:
    sessions = Sessions(db, new_ref())
    ended: list[Ref[Any]] = []
    sessions.on_end(ended.append)
    another = await sessions.open(ROOT, "xo", "")
    opened = [await sessions.open(ROOT, "leaky", "") for _ in range(MOST_OF_A_CLIENT)]
    sessions.caller(opened[0])  # used just now, so the second is the one used least recently
    more = await sessions.open(ROOT, "leaky", "")
    assert ended == [opened[1]]
    assert all(sessions.is_open(ref) for ref in (another, opened[0], *opened[2:], more))
    assert len(db.all(Session)) == MOST_OF_A_CLIENT + 1


async def test_a_user_who_calls_itself_by_many_names_pushes_out_nobody_else(db: Objects) -> None:
    sessions = Sessions(db, new_ref())
    root = [await sessions.open(ROOT, f"client-{number}", "") for number in range(3)]
    greedy = Identity("ana", Role.READ_ONLY, sid="S-1-ana")
    opened = [await sessions.open(greedy, f"name-{number}", "") for number in range(MOST_SESSIONS)]
    assert all(sessions.is_open(ref) for ref in root)
    assert [sessions.is_open(ref) for ref in opened[:4]] == [False, False, False, True]
    assert len(db.all(Session)) == MOST_SESSIONS
