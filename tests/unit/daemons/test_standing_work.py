"""Work that goes on as long as the daemon does: one failure does not end it, and what was to be told is told later."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.messages.test_two_hosts import Alone, alone, join

from cardume.core.host_alerts import LOST_S
from cardume.daemons import mirroring
from cardume.daemons.alerting import Alerting
from cardume.daemons.members import Members
from cardume.daemons.mirroring import Mirroring
from cardume.datamodel.message import Message
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.store import NoQuorum


async def test_an_alert_that_could_not_be_written_is_written_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    first: Alone = await alone("d1-g1", 1)
    await join(first, await alone("d2-g1", 2))
    alerting = Alerting(first.db, Members(first.db, first.hands, first.host))
    before = set(first.db.all(Message))
    await alerting.look(0.0)

    async def away(*given: Any, **more: Any) -> int:
        raise NoQuorum("away")

    with monkeypatch.context() as patch:
        patch.setattr(first.store, "txn", away)
        with pytest.raises(NoQuorum):
            await alerting.look(LOST_S)
    for _ in range(2):
        await alerting.look(LOST_S + 1)
    assert [alert.name for ref, alert in first.db.all(Message).items() if ref not in before] == ["HOST_OFFLINE"]


async def test_a_mirror_goes_on_after_a_failure_that_nobody_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirroring, "AGAIN_S", 0.0)
    tries: list[str] = []
    third = asyncio.Event()

    async def follow(store: Any, cluster: str, tell: Any) -> None:
        tries.append(cluster)
        if len(tries) == 3:
            third.set()
            await asyncio.Event().wait()
        raise ValueError("nobody thought of it")

    async def close() -> None:
        return None

    made = Mirroring(cast(Any, None), cast(Any, None), cast(Any, SimpleNamespace(follow=follow)))
    task = asyncio.create_task(made._follow(cast(EtcdStore, SimpleNamespace(close=close)), "one"))
    await asyncio.wait_for(third.wait(), 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert tries == ["one"] * 3
