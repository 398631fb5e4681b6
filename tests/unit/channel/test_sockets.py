"""Links between two hosts over TLS on the loopback."""

import asyncio
from pathlib import Path

import pytest

from cardume.channel import sockets
from cardume.channel.link import Link
from cardume.channel.pki import Admission, PoolFiles, ensure_own_pool, keep, make_request, sign
from cardume.channel.sockets import SocketWire, dialled, listening
from cardume.hostops.errors import HostError

MASTER, MEMBER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def admitted(folder: Path, master: PoolFiles, uuid: str) -> PoolFiles:
    files = PoolFiles(folder)
    request = make_request(files, uuid)
    given = Admission(master.authority.read_text(), master.authority_key.read_text(), "")
    keep(files, Admission(given.authority, given.authority_key, sign(given, request, uuid, ["127.0.0.1"])))
    return files


@pytest.fixture
def master(tmp_path: Path) -> PoolFiles:
    files = PoolFiles(tmp_path / "master")
    ensure_own_pool(files, MASTER, ["127.0.0.1"])
    return files


async def _no_answer(on: str, do: str, given: object) -> str:
    return f"{on} {do}"


async def test_a_member_is_known_by_the_uuid_of_its_certificate_and_both_can_ask(
    master: PoolFiles, tmp_path: Path
) -> None:
    member = admitted(tmp_path / "member", master, MEMBER)
    came: list[str] = []
    asked: list[str] = []

    async def arrived(uuid: str, wire: SocketWire) -> None:
        came.append(uuid)
        link = Link(wire, _no_answer)
        carried = asyncio.create_task(link.run())
        asked.append(await link.ask("host", "inventory", {}, timeout_s=5))
        await carried

    async with (
        listening(master, MASTER, arrived, port=0, address="127.0.0.1") as port,
        dialled(member, MEMBER, "127.0.0.1", expect=MASTER, port=port) as wire,
    ):
        link = Link(wire, _no_answer)
        carried = asyncio.create_task(link.run())
        assert await link.ask("guests", "list", {}, timeout_s=5) == "guests list"
        await link.close()
        await carried
    assert came == [MEMBER]
    assert asked == ["host inventory"]


async def test_a_host_of_another_pool_does_not_get_in(master: PoolFiles, tmp_path: Path) -> None:
    stranger = PoolFiles(tmp_path / "stranger")
    ensure_own_pool(stranger, MEMBER, [])

    async def arrived(uuid: str, wire: SocketWire) -> None:
        raise AssertionError("nobody may arrive")

    async with listening(master, MASTER, arrived, port=0, address="127.0.0.1") as port:
        with pytest.raises(HostError, match="cannot be reached"):
            async with dialled(stranger, MEMBER, "127.0.0.1", port=port):
                pass


async def test_a_host_that_is_not_the_one_meant_is_refused(master: PoolFiles, tmp_path: Path) -> None:
    member = admitted(tmp_path / "member", master, MEMBER)

    async def arrived(uuid: str, wire: SocketWire) -> None:
        await wire.receive()

    async with listening(master, MASTER, arrived, port=0, address="127.0.0.1") as port:
        with pytest.raises(HostError, match="not 33333333"):
            async with dialled(member, MEMBER, "127.0.0.1", expect="33333333", port=port):
                pass


async def test_another_version_of_the_protocol_is_refused_by_a_sentence_that_says_what_to_do(
    master: PoolFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = admitted(tmp_path / "member", master, MEMBER)

    async def arrived(uuid: str, wire: SocketWire) -> None:
        raise AssertionError("not understood")

    async with listening(master, MASTER, arrived, port=0, address="127.0.0.1") as port:
        await _dial_as_newer(member, port, monkeypatch)


async def _dial_as_newer(member: PoolFiles, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    as_it_is = SocketWire.send

    async def newer(self: SocketWire, text: str) -> None:
        told.append(text)
        await as_it_is(self, text.replace(f'"protocol": {sockets.PROTOCOL}', '"protocol": 99'))

    monkeypatch.setattr(SocketWire, "send", newer)
    with pytest.raises(HostError, match="bring both to the same version"):
        async with dialled(member, MEMBER, "127.0.0.1", port=port):
            pass
    assert told


async def test_a_host_that_never_greets_cannot_be_reached(
    master: PoolFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = admitted(tmp_path / "member", master, MEMBER)

    async def arrived(uuid: str, wire: SocketWire) -> None:
        raise AssertionError("it greets nobody")

    async def silent(wire: SocketWire, host_uuid: str) -> None:
        await wire.receive()
        await wire.receive()

    as_it_is = sockets._greet
    async with listening(master, MASTER, arrived, port=0, address="127.0.0.1") as port:

        async def greet(wire: SocketWire, host_uuid: str) -> None:
            await (as_it_is if host_uuid == MEMBER else silent)(wire, host_uuid)

        monkeypatch.setattr(sockets, "_greet", greet)
        monkeypatch.setattr(sockets, "CONNECT_S", 0.3)
        with pytest.raises(HostError, match="cannot be reached"):
            async with dialled(member, MEMBER, "127.0.0.1", port=port):
                pass
