"""Sessions that nobody uses come to an end."""

import pytest

from cardume.api.sessions import Sessions
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import new_ref
from cardume.datamodel.session import Session
from cardume.messages.session import ROOT
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


async def test_a_session_expires_a_day_after_its_last_use() -> None:
    now = 0.0
    db = await Objects.open(MemoryStore())
    sessions = Sessions(db, new_ref(), clock=lambda: now, idle_s=24 * 3600.0)
    ref = await sessions.open(ROOT, "test", "10.0.0.1")

    now = 23 * 3600.0
    await sessions.housekeep()
    assert sessions.caller(ref).user == "root"  # and with that it is used

    now = 46 * 3600.0
    await sessions.housekeep()
    assert sessions.is_open(ref)

    now = 71 * 3600.0
    await sessions.housekeep()
    with pytest.raises(ApiError) as refusal:
        sessions.caller(ref)
    assert refusal.value.description == ["SESSION_INVALID", ref]
    assert db.all(Session) == {}
    await db.close()
