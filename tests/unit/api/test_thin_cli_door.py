"""Who may use `/cli`, what is noted of it, and what comes of clients that are none, leave, or are too many."""

import asyncio
import json
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lab.clients import thin_xe as foreign
from tests.lab.clients.thin_xe import Done
from tests.unit.api.served_api import Api, served

from cardume.api import thin_cli
from cardume.api.limits import Limits
from cardume.api.thin_cli import RunningXe
from cardume.daemons.thin_xe import thin_xe
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.task import Task
from cardume.datamodel.thin_cli import GREETING, MOST_REQUEST_BYTES, Exit, Print, encode
from cardume.hostops.audit_file import AuditFile
from cardume.hostops.errors import RunError
from cardume.messages.call import Call
from cardume.messages.registry import IMPLEMENTATIONS, Implementation


class Starter:
    """Starts the program; it knows the server's port once that listens, and what runs."""

    def __init__(self) -> None:
        self.port = 0
        self.running = self.started = 0
        self.fails = False

    @asynccontextmanager
    async def __call__(self, words: tuple[str, ...], session: str) -> AsyncIterator[RunningXe]:
        if self.fails:
            raise RunError(("xe",), 127, "no more processes")
        self.started += 1
        self.running += 1
        try:
            async with thin_xe(self.port)(words, session) as xe:
                yield xe
        finally:
            self.running -= 1


class Member:
    """The standing of a host that is not the master."""

    is_leaving = False

    def refusal(self) -> ApiError | None:
        return errors.HOST_IS_SLAVE("10.0.0.1")


@dataclass
class Room:
    api: Api
    starter: Starter
    log: AuditFile

    async def xe(self, *words: str, user: str = "root", **more: Any) -> Done:
        """What a command does at the client."""
        password = f"{user}-pw" if user else ""
        port = self.api.server.port
        return await asyncio.wait_for(
            asyncio.to_thread(foreign.run, "127.0.0.1", words, user, password, port=port, **more), 120
        )

    async def raw(self, body: bytes, said: bytes, head: bytes = b"POST /cli HTTP/1.0") -> bytes:
        """All that the server says to a client of these bytes, until it hangs up."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.server.port, ssl=context)
        writer.write(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        answer = b""
        try:
            async with asyncio.timeout(60):
                while not answer.endswith(GREETING) and (piece := await reader.read(65536)):
                    answer += piece
                writer.write(said)
                answer += await reader.read(-1)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        return answer

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(tmp_path: Path, limits: Limits | None = None, **more: Any) -> AsyncIterator[Room]:
    starter, log = Starter(), AuditFile(tmp_path / "audit.log")
    async with served(tmp_path, limits, start_xe=starter, note=log.note, **more) as api:
        starter.port = api.server.port
        yield Room(api, starter, log)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with opened(tmp_path) as room:
        yield room


# Who


async def test_a_command_has_the_rights_of_who_asks_and_is_noted_as_theirs(room: Room) -> None:
    uuid = room.api.db.get(room.api.vm).uuid
    done = await room.xe("vm-param-set", f"uuid={uuid}", "name-description=mine", user="reader")
    assert (done.status, done.out) == (1, "")
    assert "permission: vm.set_name_description" in done.err
    assert (await room.xe("vm-list", "--minimal", user="reader")).out == f"{uuid}\n"
    assert await room.xe("vm-param-set", f"uuid={uuid}", "name-description=mine", user="vmadmin") == Done(0)
    assert room.api.db.get(room.api.vm).name_description == "mine"

    # A client has its answer before its session is closed.
    await room.until(lambda: len(list(room.log.lines())) == 8)
    noted = [json.loads(line) for line in room.log.lines()]
    assert sorted((entry["user"], entry["message"], entry["outcome"]) for entry in noted) == [
        ("", "session.login_with_password", "ok"),
        ("", "session.login_with_password", "ok"),
        ("", "session.login_with_password", "ok"),
        ("reader", "VM.set_name_description", "RBAC_PERMISSION_DENIED"),
        ("reader", "session.logout", "ok"),
        ("reader", "session.logout", "ok"),
        ("vmadmin", "VM.set_name_description", "ok"),
        ("vmadmin", "session.logout", "ok"),
    ]
    assert {entry["client"] for entry in noted if entry["user"]} == {"cli"}


async def test_a_session_that_is_open_is_used_and_stays_open(room: Room) -> None:
    session = await room.api.login()
    uuid = room.api.db.get(room.api.vm).uuid
    assert (await room.xe("vm-list", "--minimal", user="", session=session)).out == f"{uuid}\n"
    await room.api.rpc("VM.get_record", session, room.api.vm)


async def test_nobody_makes_the_server_start_a_program(room: Room) -> None:
    assert await room.xe("vm-list", user="") == Done(1, err="Username/password must be specified\n")
    assert await room.xe("vm-list", user="stranger") == Done(1, err="Authentication failed\n")
    done = await room.xe("vm-list", user="", session="OpaqueRef:none")
    assert (done.status, "OpaqueRef:none" in done.err) == (1, True)
    assert room.starter.started == 0


async def test_a_member_tells_where_the_master_is(tmp_path: Path) -> None:
    async with opened(tmp_path, standing=Member()) as room:
        done = await room.xe("vm-list")
        assert (done.status, done.out) == (1, "")
        assert "10.0.0.1" in done.err
        assert room.starter.started == 0


async def test_there_is_no_way_in_without_tls(room: Room) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.api.server.redirect_port)
    writer.write(b"POST /cli HTTP/1.0\r\nHost: d1-g1\r\nContent-Length: 7\r\n\r\nvm-list")
    answer = await asyncio.wait_for(reader.read(-1), 30)
    writer.close()
    assert answer.startswith(b"HTTP/1.0 308")


async def test_root_at_the_host_s_own_socket_needs_no_password(room: Room) -> None:
    reader, writer = await asyncio.open_unix_connection(str(room.api.socket))
    writer.write(b"POST /cli HTTP/1.0\r\nContent-Length: 17\r\n\r\nvm-list\n--minimal")
    writer.write(b"")
    await reader.readexactly(len(GREETING))
    writer.write(GREETING)
    answer = await asyncio.wait_for(reader.read(-1), 60)
    writer.close()
    assert answer == encode(Print(room.api.db.get(room.api.vm).uuid)) + encode(Exit(0))


# What is no client


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n" + b"x" * 35,
        GREETING[:-8] + b"\x01\0\0\0\x02\0\0\0",
    ],
)
async def test_who_does_not_greet_gets_nothing(room: Room, said: bytes) -> None:
    assert await room.raw(b"vm-list\nusername=root\npassword=root-pw", said) == GREETING
    assert room.starter.started == 0


async def test_who_greets_too_late_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(head_s=0.5)) as room:
        assert await room.raw(b"vm-list\nusername=root\npassword=root-pw", b"Xen") == GREETING
        assert room.starter.started == 0


async def test_a_request_that_is_too_large_or_no_text_is_answered_as_http(room: Room) -> None:
    assert (await room.raw(b"x" * (MOST_REQUEST_BYTES + 1), b"")).startswith(b"HTTP/1.0 413")
    assert (await room.raw(b"vm-list\nname-label=\xff", b"")).startswith(b"HTTP/1.0 400")


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("<i", 2**31 - 1) + b"x" * 100_000,
        struct.pack("<i", -1),
        struct.pack("<iii", 8, 9, 3),
        struct.pack("<iii", 8, 10, 5) + struct.pack("<iiii", 12, 11, 7, 2**31 - 1) + b"x" * 100_000,
    ],
)
async def test_frames_that_lie_end_the_command_and_harm_nobody(room: Room, frame: bytes) -> None:
    body = b"secret-create\nvalue-file=/a\nusername=root\npassword=root-pw"
    answer = await room.raw(body, GREETING + frame)
    assert b"\x09\0\0\0\x01\0\0\0" in answer, "the file was asked for"
    await room.until(lambda: room.starter.running == 0)
    assert (await room.xe("vm-list", "--minimal")).status == 0


async def test_http_1_1_makes_no_difference(room: Room) -> None:
    body = b"vm-list\n--minimal\nusername=root\npassword=root-pw"
    answer = await room.raw(body, GREETING, b"POST /cli HTTP/1.1\r\nHost: d1-g1")
    uuid = room.api.db.get(room.api.vm).uuid
    assert answer == GREETING + encode(Print(uuid)) + encode(Exit(0))


# Leaving, and being too many


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """VM.start goes on until it is cancelled; set once it was."""
    cancelled = asyncio.Event()

    async def start(call: Call, vm: Any, start_paused: bool, force: bool) -> None:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    monkeypatch.setitem(IMPLEMENTATIONS, "VM.start", Implementation(start, as_task=True))
    return cancelled


async def test_who_hangs_up_has_the_work_cancelled(room: Room, endless: asyncio.Event) -> None:
    uuid = room.api.db.get(room.api.vm).uuid
    words = f"vm-start\nuuid={uuid}\nusername=root\npassword=root-pw".encode()
    asking = asyncio.create_task(room.raw(words, GREETING))
    await room.until(lambda: any(task.name_label == "Async.VM.start" for task in tasks(room)))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.wait_for(endless.wait(), 60)
    await room.until(lambda: room.starter.running == 0)


def tasks(room: Room) -> list[Task]:
    return list(room.api.db.all(Task).values())


async def test_only_so_many_run_at_once_and_the_others_wait_their_turn(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def watch() -> None:
        while True:
            seen.append(room.starter.running)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    done = await asyncio.gather(*(room.xe("vm-list", "--minimal") for _ in range(thin_cli.SHARES.caller + 4)))
    watching.cancel()
    assert {one.status for one in done} == {0}
    assert 1 <= max(seen) <= thin_cli.SHARES.caller


async def test_hanging_commands_shut_out_no_other_session_and_no_other_account(
    room: Room, endless: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = room.api.db.get(room.api.vm).uuid
    words = f"vm-start\nuuid={uuid}\nusername=root\npassword=root-pw".encode()
    hanging = [asyncio.create_task(room.raw(words, GREETING)) for _ in range(thin_cli.SHARES.caller)]
    await room.until(lambda: room.starter.running == thin_cli.SHARES.caller)

    session = await room.api.login()
    assert (await room.xe("vm-list", "--minimal", user="", session=session)).out == f"{uuid}\n"
    assert (await room.xe("vm-list", "--minimal", user="reader")).out == f"{uuid}\n"
    monkeypatch.setattr(thin_cli, "TURN_TIMEOUT_S", 0.2)
    done = await room.xe("vm-list", "--minimal")
    assert (done.status, done.err) == (
        1,
        "Error: 6 commands of yours run on the server now: end one, or wait for it.\n",
    )
    for one in hanging:
        one.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await room.until(lambda: room.starter.running == 0)


async def test_a_server_without_room_says_so(room: Room) -> None:
    room.starter.fails = True
    assert await room.xe("vm-list") == Done(1, err="Error: the command cannot be started on the server now.\n")


async def test_a_server_that_stops_does_not_wait_for_a_client(tmp_path: Path, endless: asyncio.Event) -> None:
    async with opened(tmp_path) as room:
        uuid = room.api.db.get(room.api.vm).uuid
        words = f"vm-start\nuuid={uuid}\nusername=root\npassword=root-pw".encode()
        asking = asyncio.create_task(room.raw(words, GREETING))
        await room.until(lambda: any(task.name_label == "Async.VM.start" for task in tasks(room)))
        room.api.server.access.closing.set()
        await asyncio.wait_for(asking, 30)
        await room.until(lambda: room.starter.running == 0)
