"""A member learns from the master whose session it is; over TLS on the loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, served
from tests.unit.channel.test_sockets import MASTER, MEMBER, admitted

from cardume.channel.pki import PoolFiles, ensure_own_pool
from cardume.channel.questions import answering
from cardume.channel.sockets import listening
from cardume.daemons.session_questions import GOOD_FOR_S, PoolSessions, SessionAnswers
from cardume.datamodel.refs import new_ref
from cardume.datamodel.roles import Role
from cardume.messages.session import ROOT


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


class Member:
    """A member's sessions, with a clock of its own, and the master's answers."""

    def __init__(self, files: PoolFiles, port: int) -> None:
        self.now_s = 1000.0
        self.sessions = PoolSessions(files, MEMBER, lambda: ("127.0.0.1", MASTER), port, lambda: self.now_s)


@asynccontextmanager
async def pool(api: Api, folder: Path, uuid: str = MEMBER) -> AsyncIterator[Member]:
    master = PoolFiles(folder / "master")
    ensure_own_pool(master, MASTER, ["127.0.0.1"])
    await api.db.update(api.host, uuid=uuid)

    async def others(uuid: str, do: str, given: dict[str, Any]) -> Any:
        raise AssertionError(do)

    answers = SessionAnswers(api.db, api.server.sessions, others)
    files = admitted(folder / "member", master, MEMBER)
    async with listening(master, MASTER, None, asked=answering(answers.answer), port=0, address="127.0.0.1") as port:
        yield Member(files, port)


async def test_a_session_of_the_pool_is_somebodys_with_that_ones_role(api: Api, tmp_path: Path) -> None:
    async with pool(api, tmp_path) as member:
        root = await member.sessions.find(await api.login("root"))
        assert root is not None
        assert (root.user, root.role, root.is_local_superuser) == ("root", Role.LOCAL_ROOT, True)
        reader = await member.sessions.find(await api.login("reader"))
        assert reader is not None
        assert (reader.user, reader.role) == ("reader", Role.READ_ONLY)


async def test_no_session_is_nobodys(api: Api, tmp_path: Path) -> None:
    local = await api.server.sessions.open(ROOT, "xe", "", is_local=True)
    async with pool(api, tmp_path) as member:
        for session in (new_ref(), "OpaqueRef:none", "", "x" * 10_000, local):
            assert await member.sessions.find(session) is None


async def test_a_session_that_ended_is_good_for_some_seconds_at_most(api: Api, tmp_path: Path) -> None:
    async with pool(api, tmp_path) as member:
        session = await api.login()
        assert await member.sessions.find(session) is not None
        await api.rpc("session.logout", session)
        member.now_s += GOOD_FOR_S - 1
        assert await member.sessions.find(session) is not None
        member.now_s += 1
        assert await member.sessions.find(session) is None


async def test_a_host_that_is_not_of_the_pool_is_told_nothing(api: Api, tmp_path: Path) -> None:
    async with pool(api, tmp_path, uuid="99999999-9999-4999-8999-999999999999") as member:
        assert await member.sessions.find(await api.login()) is None


async def test_without_a_master_nobody_is_known(api: Api, tmp_path: Path) -> None:
    async with pool(api, tmp_path) as member:
        session = await api.login()
    assert await member.sessions.find(session) is None
