"""A host that starts in the middle of a join: the pool decides what it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.channel.test_sockets import MASTER, MEMBER, admitted
from tests.unit.messages.test_two_hosts import Alone, alone, join

from cardume.channel.pki import PoolFiles, ensure_own_pool
from cardume.channel.questions import answering as answering_questions
from cardume.channel.sockets import listening
from cardume.daemons.admitting import Admitting
from cardume.daemons.config import Config
from cardume.daemons.joining import become_member, finish_join
from cardume.daemons.leaving import leave_pool
from cardume.daemons.members import Members
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.role import HostRole, Standing, read_role, write_role

JOINING = HostRole(Standing.JOINING, "127.0.0.1", MASTER)
AS_MEMBER = HostRole(Standing.MEMBER, "127.0.0.1", MASTER)


@pytest.fixture
async def master() -> Alone:
    return await alone("d1-g1", 1)


@pytest.fixture
def files(tmp_path: Path) -> PoolFiles:
    made = PoolFiles(tmp_path / "master")
    ensure_own_pool(made, MASTER, ["127.0.0.1"])
    return made


def host_in_the_middle(tmp_path: Path, files: PoolFiles, port: int) -> Config:
    """A host that died after it had written down that it joins, with the certificate that it was given."""
    config = Config(MEMBER, "d2-g1", state=tmp_path / "member", channel_port=port)
    admitted(config.state / "tls" / "pool.joining", files, MEMBER)
    ensure_own_pool(config.pool_files, MEMBER, [])  # what it was before: a pool of its own
    write_role(config.role, JOINING)
    return config


async def no_other_question(uuid: str, do: str, given: dict[str, Any]) -> Any:
    raise AssertionError(do)


@asynccontextmanager
async def answering(master: Alone, files: PoolFiles) -> AsyncIterator[int]:
    members = Members(master.db, master.hands, master.host)
    asked = answering_questions(Admitting(master.db, no_other_question).answer)
    async with listening(files, MASTER, members.arrived, asked=asked, port=0, address="127.0.0.1") as port:
        yield port


async def test_a_host_that_the_pool_knows_is_its_member_from_then_on(
    tmp_path: Path, master: Alone, files: PoolFiles
) -> None:
    await join(master, await alone("d2-g1", 2))
    async with answering(master, files) as port:
        config = host_in_the_middle(tmp_path, files, port)
        assert await finish_join(config, read_role(config.role)) == AS_MEMBER
    assert read_role(config.role) == AS_MEMBER
    assert config.pool_files.authority.read_text() == files.authority.read_text()


async def test_a_host_that_the_pool_does_not_know_is_what_it_was(
    tmp_path: Path, master: Alone, files: PoolFiles
) -> None:
    async with answering(master, files) as port:
        config = host_in_the_middle(tmp_path, files, port)
        own = config.pool_files.authority.read_text()
        assert (await finish_join(config, read_role(config.role))).standing is Standing.MASTER
    assert read_role(config.role) == HostRole()
    assert config.pool_files.authority.read_text() == own
    assert not (config.state / "tls" / "pool.joining").exists()


async def test_a_host_whose_pool_does_not_answer_stays_undecided(tmp_path: Path, files: PoolFiles) -> None:
    config = host_in_the_middle(tmp_path, files, 1)  # nobody listens there
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(finish_join(config, read_role(config.role)), timeout=0.5)
    assert read_role(config.role) == JOINING


def test_a_member_that_leaves_forgets_the_pool_and_its_old_database(tmp_path: Path, files: PoolFiles) -> None:
    config = host_in_the_middle(tmp_path, files, 1)
    config.database.write_text("what it had before it joined")
    config.mirror.write_text("what the pool had")
    become_member(config, JOINING, PoolMap())
    config.vote.write_text("{}")
    leave_pool(config)
    assert read_role(config.role) == HostRole()
    assert not any(path.exists() for path in (config.database, config.mirror, config.map, config.vote))
    assert not config.pool_files.folder.exists()
