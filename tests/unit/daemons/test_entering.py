"""The way into a pool, from the moment the host writes down that it joins: done, refused, given up, or undecided."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.channel.test_sockets import MASTER, MEMBER, admitted
from tests.unit.daemons.test_joining import no_other_question
from tests.unit.messages.test_two_hosts import alone

from cardume.channel.link import Link
from cardume.channel.pki import Admission, PoolFiles, ensure_own_pool
from cardume.channel.questions import answering
from cardume.channel.sockets import SocketWire, listening
from cardume.core.pool_join import PoolToJoin
from cardume.daemons import joining
from cardume.daemons.admitting import Admitting
from cardume.daemons.config import Config
from cardume.daemons.joining import Joining
from cardume.daemons.place import OwnStanding
from cardume.daemons.pool_map import PoolMap, read_map
from cardume.daemons.role import Standing, read_role
from cardume.datamodel.errors import ApiError
from cardume.hostops.errors import HostError

POOL = PoolToJoin(hosts=(), master=MASTER)
Answer = Callable[[str, str, dict[str, Any]], Awaitable[Any]]


@dataclass
class Door(Joining):
    """A joining host that has its certificate already: who certifies it is not the question here."""

    config: Config
    pool: PoolFiles
    standing: OwnStanding = field(default_factory=OwnStanding)
    restarts: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.config, _nothing_stored, list, self.standing, lambda: self.restarts.append(True))

    async def _certified(self, draft: PoolFiles, address: str, user: str, password: str) -> Admission:
        given = admitted(draft.folder, self.pool, MEMBER)
        return Admission(given.authority.read_text(), given.authority_key.read_text(), given.certificate.read_text())

    async def go(self) -> None:
        await self.enter("127.0.0.1", "root", "secret", POOL)


async def _nothing_stored() -> tuple[tuple[str, bytes], ...]:
    return ()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "RESTART_AFTER_S", 0.0)


@pytest.fixture
def pool(tmp_path: Path) -> PoolFiles:
    files = PoolFiles(tmp_path / "master")
    ensure_own_pool(files, MASTER, ["127.0.0.1"])
    return files


@asynccontextmanager
async def door(tmp_path: Path, pool: PoolFiles, answer: Answer) -> AsyncIterator[Door]:
    """A host before a pool whose master answers so."""

    async def asked(uuid: str, wire: SocketWire) -> None:
        await Link(wire, answer).run()

    async with listening(pool, MASTER, None, asked=asked, port=0, address="127.0.0.1") as port:
        config = Config(MEMBER, "d2-g1", state=tmp_path / "member", channel_port=port)
        ensure_own_pool(config.pool_files, MEMBER, [])
        yield Door(config, pool)


async def test_a_host_that_was_taken_in_is_a_member_and_starts_anew(tmp_path: Path, pool: PoolFiles) -> None:
    async def takes(on: str, do: str, given: dict[str, Any]) -> Any:
        return {"host": "OpaqueRef:x", "map": PoolMap(generation=7).told()}

    async with door(tmp_path, pool, takes) as host:
        await host.go()
        await asyncio.sleep(0.05)
    assert read_role(host.config.role).standing is Standing.MEMBER
    assert read_map(host.config.map).generation == 7
    assert (host.restarts, host.standing.is_leaving) == ([True], True)


async def test_a_host_that_the_pool_refuses_is_what_it_was_and_answers_again(tmp_path: Path, pool: PoolFiles) -> None:
    async def refuses(on: str, do: str, given: dict[str, Any]) -> Any:
        if do == "admit":
            raise HostError("no room")
        return {"known": False, "map": PoolMap().told()}

    async with door(tmp_path, pool, refuses) as host:
        with pytest.raises(ApiError, match="JOINING_HOST_SERVICE_FAILED"):
            await host.go()
    assert read_role(host.config.role).standing is Standing.MASTER
    assert (host.restarts, host.standing.refusal()) == ([], None)
    assert not (host.config.state / "tls" / "pool.joining").exists()


async def test_a_join_that_is_cancelled_while_the_pool_takes_the_host_in_goes_on_to_its_end(
    tmp_path: Path, pool: PoolFiles
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def takes_its_time(on: str, do: str, given: dict[str, Any]) -> Any:
        asked.set()
        await go_on.wait()
        return {"host": "OpaqueRef:x", "map": PoolMap(generation=7).told()}

    async with door(tmp_path, pool, takes_its_time) as host:
        entering = asyncio.create_task(host.go())
        await asyncio.wait_for(asked.wait(), 60)
        entering.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(entering, 60)
        await asyncio.sleep(0.05)
    assert read_role(host.config.role).standing is Standing.MEMBER
    assert host.restarts == [True]


async def test_a_host_that_cannot_learn_whether_it_was_taken_in_starts_anew_to_ask(
    tmp_path: Path, pool: PoolFiles
) -> None:
    async def goes_away(on: str, do: str, given: dict[str, Any]) -> Any:
        raise HostError("the master's own trouble")

    async with door(tmp_path, pool, goes_away) as host:
        with pytest.raises(ApiError, match="JOINING_HOST_CONNECTION_FAILED"):
            await host.go()
        await asyncio.sleep(0.05)
    assert read_role(host.config.role).standing is Standing.JOINING
    assert (host.restarts, host.standing.is_leaving) == ([True], True)
    assert (host.config.state / "tls" / "pool.joining").exists()


async def test_the_real_master_takes_an_empty_host_only_if_it_is_one(tmp_path: Path, pool: PoolFiles) -> None:
    master = await alone("d1-g1", 1)
    asked = answering(Admitting(master.db, no_other_question).answer)
    async with listening(pool, MASTER, None, asked=asked, port=0, address="127.0.0.1") as port:
        config = Config(MEMBER, "d2-g1", state=tmp_path / "member", channel_port=port)
        ensure_own_pool(config.pool_files, MEMBER, [])
        host = Door(config, pool)
        with pytest.raises(ApiError, match="JOINING_HOST_SERVICE_FAILED"):
            await host.go()  # its store holds no host
    assert read_role(config.role).standing is Standing.MASTER
