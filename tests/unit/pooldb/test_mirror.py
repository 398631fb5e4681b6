"""A mirror is what the pool database was at one moment, whatever happens to either, and says at which."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from cardume.pooldb.commit import Writer
from cardume.pooldb.mastership import take_mastership
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.mirror import Held, Mirror, last_change
from cardume.pooldb.store import Delete, NoQuorum, Put


class Told:
    """What a mirror told of, all together."""

    def __init__(self) -> None:
        self.state: dict[str, bytes] = {}
        self.wholes = 0

    async def __call__(self, changes: Iterable[tuple[str, bytes | None]], everything: bool) -> None:
        if everything:
            self.state.clear()
            self.wholes += 1
        for key, value in changes:
            if value is None:
                del self.state[key]
            else:
                self.state[key] = value


@asynccontextmanager
async def following(mirror: Mirror, source: MemoryStore, told: Told, cluster: str = "one") -> AsyncIterator[None]:
    task = asyncio.create_task(mirror.follow(source, cluster, told))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


async def caught_up(mirror: Mirror, revision: int) -> None:
    await until(lambda: mirror.held == Held("one", revision))


async def content(mirror: Mirror) -> dict[str, bytes]:
    return {item.key: item.value for item in await mirror.items()}


async def test_a_mirror_has_what_was_there_and_every_change(tmp_path: Path) -> None:
    source, told, mirror = MemoryStore(), Told(), await Mirror.open(tmp_path / "mirror")
    await source.txn([Put("/cardume/a", b"1"), Put("/elsewhere", b"x")])
    assert mirror.held is None
    async with following(mirror, source, told):
        await until(lambda: mirror.held is not None)
        await source.txn([Put("/cardume/b", b"2"), Delete("/cardume/a")])
        last = await source.txn([Put("/cardume/b", b"3")])
        await until(lambda: mirror.held == Held("one", last))
    assert await content(mirror) == told.state == {"/cardume/b": b"3"}
    assert told.wholes == 1
    await mirror.close()


async def test_a_mirror_goes_on_where_it_ended(tmp_path: Path) -> None:
    source, told, mirror = MemoryStore(), Told(), await Mirror.open(tmp_path / "mirror")
    await source.txn([Put("/cardume/a", b"1")])
    async with following(mirror, source, told):
        await until(lambda: mirror.held is not None)
    await mirror.close()
    last = await source.txn([Put("/cardume/a", b"2")])

    mirror = await Mirror.open(tmp_path / "mirror")
    assert await content(mirror) == {"/cardume/a": b"1"}
    async with following(mirror, source, told):
        await until(lambda: mirror.held == Held("one", last))
    assert await content(mirror) == {"/cardume/a": b"2"}
    assert told.wholes == 1
    await mirror.close()


async def test_a_mirror_that_was_away_too_long_or_of_another_cluster_begins_anew(tmp_path: Path) -> None:
    source, told, mirror = MemoryStore(), Told(), await Mirror.open(tmp_path / "mirror")
    await source.txn([Put("/cardume/a", b"1")])
    async with following(mirror, source, told):
        await until(lambda: mirror.held is not None)
    await source.txn([Delete("/cardume/a")])
    last = await source.txn([Put("/cardume/b", b"2")])
    await source.compact(0)
    async with following(mirror, source, told):
        await until(lambda: mirror.held == Held("one", last))
    assert await content(mirror) == {"/cardume/b": b"2"}

    other = MemoryStore()
    last = await other.txn([Put("/cardume/c", b"3")])
    async with following(mirror, other, told, "two"):
        await until(lambda: mirror.held == Held("two", last))
    assert await content(mirror) == told.state == {"/cardume/c": b"3"}
    assert told.wholes == 3
    await mirror.close()


async def test_a_mirror_waits_for_a_database_that_does_not_answer(tmp_path: Path) -> None:
    class Away(MemoryStore):
        tries = 0

        async def list(self, prefix: str):  # type: ignore[no-untyped-def]
            self.tries += 1
            if self.tries == 1:
                raise NoQuorum("away")
            return await super().list(prefix)

    source, mirror = Away(), await Mirror.open(tmp_path / "mirror")
    await source.txn([Put("/cardume/a", b"1")])
    async with following(mirror, source, Told()):
        await until(lambda: mirror.held is not None)
    assert await content(mirror) == {"/cardume/a": b"1"}
    await mirror.close()


async def test_a_mirror_knows_who_the_master_was_and_does_not_hand_that_on(tmp_path: Path) -> None:
    source, mirror = MemoryStore(), await Mirror.open(tmp_path / "mirror")
    mastership = await take_mastership(source, "me", None)
    async with following(mirror, source, Told()):
        await until(lambda: mirror.held is not None)
    known = await mirror.master()
    assert known is not None
    assert (known.host, known.generation) == (mastership.host, mastership.generation)
    assert await content(mirror) == {}
    await mirror.close()


async def test_the_last_change_is_one_that_mirrors_hear_of(tmp_path: Path) -> None:
    source, told, mirror = MemoryStore(), Told(), await Mirror.open(tmp_path / "mirror")
    assert await last_change(source) == 0
    writer = await Writer.claim(source)
    async with following(mirror, source, told):
        for change in (Put("/cardume/a", b"1"), Delete("/cardume/a")):
            await writer.commit([change])
            wanted = await last_change(source)
            assert wanted == await source.revision()
            await caught_up(mirror, wanted)
        await source.txn([Put("/settled", b"")])
        assert await last_change(source) == wanted
    await mirror.close()
