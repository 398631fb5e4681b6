"""What clients that wait are told when the server stops."""

import asyncio

import pytest

from cardume.api.event_rooms import Seat
from cardume.api.events import Events
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import new_ref
from cardume.messages.event import EventBatch
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


async def test_a_waiting_client_is_told_at_once_that_its_session_is_over() -> None:
    db = await Objects.open(MemoryStore())
    events, session = Events(db), new_ref()
    first = events.ask_from(session, ("vm",), "", 0.0)
    assert isinstance(first, EventBatch)
    seat = events.ask_from(session, ("vm",), first.token or "", 60.0)
    assert isinstance(seat, Seat)

    events.end_waits()

    async with asyncio.timeout(20):
        with pytest.raises(ApiError) as refusal:
            await seat.wait()
    assert refusal.value.description == ["SESSION_INVALID", session]
    await db.close()
