"""Connections to servers: trust before words, objects kept up to date, a pool found again."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest
from tests.unit.console.servers import PASSWORD, Server

from cardume.console.connections import connection as module
from cardume.console.connections.connection import Connection, State
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.keys import KnownKeys
from cardume.console.connections.workspace import AlreadyConnected, Workspaces


def pool_of(server: Server, uuid: str = "p1") -> None:
    server.tell_of("pool", uuid, name_label="pool", master="h1")
    server.tell_of("host", "h1", name_label="h1", address=server.address)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def test_nothing_is_sent_to_a_server_whose_key_nobody_accepted(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        connection = Connection(server.address, "root", PASSWORD, lambda _: None)
        with pytest.raises(UntrustedKey) as untrusted:
            await connection.open()
        assert (untrusted.value.shown, untrusted.value.known) == (server.key, None)
        other = Connection(server.address, "root", PASSWORD, lambda _: "another key")
        with pytest.raises(UntrustedKey) as changed:
            await other.open()
        assert changed.value.known == "another key"
        assert server.asked == []


def keys_of(username: str, server: Server, workspaces: Workspaces) -> KnownKeys:
    """What a person has accepted, as it is on the disk."""
    return KnownKeys.of(workspaces._folder, f"{username}@{server.address}")


async def test_what_one_person_accepts_another_has_to_look_at_too(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "console")
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        first = workspaces.new()
        await first.add(server.address, "root", PASSWORD, {server.address: server.key})
        again = workspaces.new()
        await again.add(server.address, "root", PASSWORD)
        with pytest.raises(UntrustedKey):
            await workspaces.new().add(server.address, "ana", PASSWORD)
        for workspace in (first, again):
            await workspace.close()


def test_what_another_browser_of_the_same_person_accepted_is_kept(tmp_path: Path) -> None:
    one, other = KnownKeys.of(tmp_path, "root@a:443"), KnownKeys.of(tmp_path, "root@a:443")
    one.accept("a:443", "aa11")
    other.accept("b:443", "bb22")
    known = KnownKeys.of(tmp_path, "root@a:443")
    assert (known.find("a:443"), known.find("b:443")) == ("aa11", "bb22")


def test_what_two_browsers_of_the_same_person_accept_at_once_is_kept(tmp_path: Path) -> None:
    def accept(browser: int) -> None:
        keys = KnownKeys.of(tmp_path, "root@a:443")
        for number in range(30):
            keys.accept(f"s{browser}-{number}:443", "aa11")

    with ThreadPoolExecutor(4) as browsers:
        list(browsers.map(accept, range(4)))
    known = KnownKeys.of(tmp_path, "root@a:443")
    assert all(known.find(f"s{browser}-{number}:443") for browser in range(4) for number in range(30))


async def test_a_key_is_kept_only_by_somebody_who_can_log_in(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "console")
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        accepted = {server.address: server.key}
        with pytest.raises(Refused):
            await workspaces.new().add(server.address, "root", "wrong", accepted)
        assert keys_of("root", server, workspaces).find(server.address) is None
        workspace = workspaces.new()
        await workspace.add(server.address, "root", PASSWORD, accepted)
        assert keys_of("root", server, workspaces).find(server.address) == server.key
        with pytest.raises(AlreadyConnected):
            await workspace.add(server.address, "root", PASSWORD)
        await workspace.close()


async def test_who_logs_in_has_no_say_in_the_keys_of_servers_that_were_not_met(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "console")
    async with Server(tmp_path, "a").serving() as own:
        pool_of(own)
        workspace = workspaces.new()
        accepted = {own.address: own.key, "d1-g1:443": own.key}
        await workspace.add(own.address, "root", PASSWORD, accepted)
        assert keys_of("root", own, workspaces).find(own.address) == own.key
        assert keys_of("root", own, workspaces).find("d1-g1:443") is None
        await workspace.close()


@pytest.mark.parametrize(
    "typed", ["{}/?\nd1-g1:443", "{}/x", "root@{}", "{}#", "{}?", "127.0.0.1:https", "", "a b", "[::1", "{}0000"]
)
async def test_what_is_no_address_is_asked_nothing_and_no_key_is_looked_up_for_it(tmp_path: Path, typed: str) -> None:
    asked: list[str] = []
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)

        def find_key(name: str) -> str:
            asked.append(name)
            return server.key

        connection = Connection(typed.format(server.address).strip(" "), "root", PASSWORD, find_key)
        with pytest.raises(Unreachable):
            await connection.open()
    assert (asked, server.asked) == ([], [])


def test_a_member_may_not_say_who_its_master_is() -> None:
    assert Refused(["HOST_IS_SLAVE", "10.0.0.2"]).master == "10.0.0.2"
    assert Refused(["HOST_IS_SLAVE"]).master == ""
    assert Refused(["HOST_OFFLINE", "x"]).master == ""


async def test_what_happens_on_the_server_is_told_and_a_screen_is_woken(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
        await connection.open()
        woken: list[int] = []
        connection.changed = lambda: woken.append(1)
        server.fresh.put_nowait([server.tell_of("vm", "v1", name_label="web")])
        await until(lambda: connection.cache.find("vm", "v1") is not None)
        assert woken == [1]
        await connection.close()


async def test_a_connection_is_used_again_for_the_next_call(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        server.fresh_task = {"status": "success", "result": ""}
        connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
        await connection.open()
        for _ in range(10):
            await connection.result_of("task")
        assert len(server.clients) <= 2  # one waits for events
        await connection.close()


async def test_a_member_leads_to_its_master(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as member, Server(tmp_path, "b").serving() as master:
        pool_of(master)
        member.master = master.address
        keys = {member.address: member.key, master.address: master.key}
        connection = Connection(member.address, "root", PASSWORD, keys.get)
        await connection.open()
        assert connection.server == master.address
        await connection.close()


async def test_when_the_master_is_lost_what_it_told_stays_and_the_new_master_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    first, second = Server(tmp_path, "a"), Server(tmp_path, "b")
    async with second.serving():
        async with first.serving():
            pool_of(first)
            first.tell_of("host", "h2", name_label="h2", address=second.address)
            second.master = first.address
            # Nobody accepted the second one's key, or did long ago: its pool vouches for it.
            digest = sha256(PEM_cert_to_DER_cert((second.folder / "console.pem").read_text())).hexdigest()
            first.tell_of("certificate", "c2", type="host", host="h2", fingerprint_sha256=digest.upper())
            keys = {first.address: first.key, second.address: "an old key"}
            connection = Connection(first.address, "root", PASSWORD, keys.get)
            await connection.open()
        await until(lambda: connection.state is State.LOST)
        assert set(connection.cache.all("host")) == {"h1", "h2"}
        with pytest.raises(Unreachable):
            await connection.call("VM.start", "v1")
        second.master = ""
        pool_of(second)
        await until(lambda: connection.state is State.CONNECTED)
        assert connection.server == second.address
        await connection.close()


async def test_nobody_waits_for_a_master_without_power_once_another_is_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    monkeypatch.setattr(module, "EVENT_WAIT_S", 0.1)
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 3600.0)
    async with Server(tmp_path, "a").serving() as first, Server(tmp_path, "b").serving() as second:
        for server in (first, second):
            pool_of(server)
            server.tell_of("host", "h2", name_label="h2", address=second.address)
        keys = {first.address: first.key, second.address: second.key}
        connection = Connection(first.address, "root", PASSWORD, keys.get)
        await connection.open()
        first.is_silent = True
        await until(lambda: connection.server == second.address)
        await connection.close()


async def test_an_answer_that_makes_no_sense_is_a_lost_pool_and_no_true_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
        await connection.open()
        server.fresh.put_nowait([{"nothing": "known"}])
        await until(lambda: server.asked.count("session.login_with_password") > 1)
        await until(lambda: connection.state is State.CONNECTED)
        server.fresh.put_nowait([server.tell_of("vm", "v1", name_label="web")])
        await until(lambda: connection.cache.find("vm", "v1") is not None)
        await connection.close()
        with pytest.raises(Unreachable):
            await connection.call("VM.start", "v1")


async def test_what_is_shown_stays_until_a_server_that_lost_count_has_told_all_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        server.tell_of("vm", "gone", name_label="gone")
        connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
        await connection.open()
        asked: list[int] = []
        clear = connection.cache.clear

        def forget() -> None:
            asked.append(server.asked.count("event.from"))
            clear()

        monkeypatch.setattr(connection.cache, "clear", forget)
        server.objects.pop()
        server.lost_count = True
        server.fresh.put_nowait([])
        await until(lambda: connection.cache.find("vm", "gone") is None and bool(connection.cache.all("host")))
        assert asked == [3]  # the first time, the one that was refused, and all anew: forgotten after that
        await connection.close()


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"status": "failure", "error_info": ["SR_FULL", "1", "2"]}, "SR_FULL"),
        ({"status": "cancelled", "error_info": []}, "TASK_CANCELLED"),
    ],
)
async def test_a_task_that_failed_or_was_cancelled_is_a_refusal(
    tmp_path: Path, record: dict[str, object], code: str
) -> None:
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        server.fresh_task = record
        connection = Connection(server.address, "root", PASSWORD, lambda _: server.key)
        await connection.open()
        with pytest.raises(Refused) as refused:
            await connection.result_of("task")
        assert refused.value.code == code
        await connection.close()


async def test_a_task_goes_on_while_the_connection_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TASK_RETRY_S", 0.0)
    connection = Connection("a", "root", PASSWORD, lambda _: None)
    answers: list[Any] = [Unreachable("away"), Unreachable("away"), {"status": "success", "result": "<value>x</value>"}]

    async def call(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(connection, "call", call)
    assert await connection.result_of("task:1") == "x"
    monkeypatch.setattr(module, "TASK_PATIENCE_S", -1.0)
    answers[:] = [Unreachable("away")]
    with pytest.raises(Unreachable):
        await connection.result_of("task:1")


async def test_saved_servers_come_back_with_the_password_that_opened_the_console(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "console")
    async with Server(tmp_path, "a").serving() as first, Server(tmp_path, "b").serving() as second:
        pool_of(first)
        pool_of(second, "p2")
        accepted = {first.address: first.key, second.address: second.key}
        before = workspaces.new()
        await before.add(first.address, "root", PASSWORD, accepted)
        await before.add(second.address, "root", PASSWORD, accepted)
        await before.close()
        after = workspaces.new()
        await after.add(first.address, "root", PASSWORD)
        await until(lambda: after.find("p2") is not None)
        await after.close()


async def test_what_is_added_while_saved_servers_come_back_is_saved_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = Workspaces(tmp_path / "console")
    names = ("a", "b", "c")
    async with AsyncExitStack() as power:
        first, second, third = [await power.enter_async_context(Server(tmp_path, name).serving()) for name in names]
        for number, server in enumerate((first, second, third)):
            pool_of(server, f"p{number}")
        accepted = {server.address: server.key for server in (first, second, third)}
        before = workspaces.new()
        await before.add(first.address, "root", PASSWORD, accepted)
        await before.add(second.address, "root", PASSWORD, accepted)
        await before.close()
        power_returns, opens = asyncio.Event(), Connection.open

        async def slow(connection: Connection) -> None:
            if connection.server == second.address:
                await power_returns.wait()
            await opens(connection)

        monkeypatch.setattr(Connection, "open", slow)
        meanwhile = workspaces.new()
        await meanwhile.add(first.address, "root", PASSWORD)
        await meanwhile.add(third.address, "root", PASSWORD, accepted)
        await meanwhile.close()
        monkeypatch.setattr(Connection, "open", opens)
        after = workspaces.new()
        await after.add(first.address, "root", PASSWORD)
        await until(lambda: after.find("p1") is not None and after.find("p2") is not None)
        await after.close()


async def test_saved_servers_come_back_by_the_address_that_was_typed_whoever_is_master(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "console")
    async with AsyncExitStack() as power:
        one, other, saved = [
            await power.enter_async_context(Server(tmp_path, name).serving()) for name in ("a", "b", "c")
        ]
        pool_of(one)
        pool_of(other)
        pool_of(saved, "p2")
        accepted = {server.address: server.key for server in (one, other, saved)}
        one.master = other.address
        before = workspaces.new()
        await before.add(one.address, "root", PASSWORD, accepted)
        await before.add(saved.address, "root", PASSWORD, accepted)
        await before.close()
        one.master = ""
        after = workspaces.new()
        await after.add(one.address, "root", PASSWORD)
        await until(lambda: after.find("p2") is not None)
        await after.close()


async def test_a_server_that_is_gone_already_can_be_removed_again(tmp_path: Path) -> None:
    async with Server(tmp_path, "a").serving() as server:
        pool_of(server)
        workspace = Workspaces(tmp_path / "console").new()
        connection = await workspace.add(server.address, "root", PASSWORD, {server.address: server.key})
        await workspace.remove(connection)
        await workspace.remove(connection)
        assert workspace.connections == []
        await workspace.close()
