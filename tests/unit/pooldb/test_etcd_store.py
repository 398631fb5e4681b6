"""What the store makes of etcd's answers, where a real etcd would take too long to give them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

from cardume.pooldb.etcd_gateway import Gateway, StreamEnded, b64
from cardume.pooldb.etcd_store import EtcdStore
from cardume.pooldb.store import Batch


class Script:
    """A gateway whose watches tell what is written down, one list a connection, and then break."""

    def __init__(self, *connections: list[Mapping[str, Any]]) -> None:
        self.connections = list(connections)
        self.started_at: list[int] = []

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        self.started_at.append(int(body["create_request"]["start_revision"]))
        for message in self.connections.pop(0):
            yield message
        raise StreamEnded("cut")


def told(revision: int, *events: tuple[str, int]) -> Mapping[str, Any]:
    """A message of a watch when the store is at a revision: keys and the revisions of their changes."""
    listed = [{"kv": {"key": b64(key.encode()), "mod_revision": str(at), "value": b64(b"v")}} for key, at in events]
    return {"header": {"revision": str(revision)}, "events": listed}


CREATED: Mapping[str, Any] = {"header": {"revision": "99"}, "created": True}


async def take(script: Script, from_revision: int, count: int) -> list[Batch]:
    found: list[Batch] = []
    async with aclosing(EtcdStore(cast(Gateway, script)).watch("/", from_revision)) as watch:
        while len(found) < count:
            found.append(await anext(watch))
    return found


async def test_a_watch_goes_on_after_the_last_change_not_after_the_stores_revision_then() -> None:
    script = Script(
        [CREATED, told(40, ("/b", 10), ("/a", 10), ("/a", 11))], [CREATED, told(50, ("/a", 11), ("/c", 12))]
    )

    assert await take(script, 10, 3) == [
        Batch(10, (("/a", b"v"), ("/b", b"v"))),
        Batch(11, (("/a", b"v"),)),
        Batch(12, (("/c", b"v"),)),
    ]
    assert script.started_at == [9, 11]


async def test_a_watch_that_hears_of_no_change_follows_the_progress() -> None:
    script = Script([CREATED, told(10, ("/a", 10)), told(30)], [CREATED, told(31, ("/b", 31))])

    assert [batch.revision for batch in await take(script, 10, 2)] == [10, 31]
    assert script.started_at == [9, 30]


async def test_a_revision_before_the_one_asked_for_is_not_told() -> None:
    script = Script([CREATED, told(10, ("/a", 9), ("/a", 10))])

    assert [batch.revision for batch in await take(script, 10, 1)] == [10]
