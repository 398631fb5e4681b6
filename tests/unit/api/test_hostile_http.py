"""Requests that are no proper HTTP, and those that two readers could take for different ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.api.attacks import request, wires
from tests.unit.api.served_api import Api, served
from tests.unit.api.test_hostile_clients import QUICK
from tests.unit.api.test_http import xml_call


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path, QUICK) as made:
        yield made


HEAD = b"POST / HTTP/1.1\r\nHost: d1-g1\r\n"
INNER = b"GET /inner HTTP/1.1\r\nHost: d1-g1\r\n\r\n"
NO_HTTP = {
    "both lengths": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "both lengths the other way": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 38\r\n\r\n" + INNER,
    "a list of lengths": HEAD + b"Content-Length: 0, 38\r\n\r\n" + INNER,
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n" + INNER,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n" + INNER,
    "a length of other digits": HEAD + "Content-Length: \u0661\r\n\r\n".encode() + INNER,
    "a length above 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n" + INNER,
    "an unknown transfer encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunked and then something": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INNER,
    "a blank before the colon": HEAD + b"Content-Length : 38\r\n\r\n" + INNER,
    "a folded header": HEAD + b"X-A: b\r\n Content-Length: 38\r\n\r\n" + INNER,
    "a header without a name": HEAD + b": b\r\n\r\n",
    "a NUL in a header": HEAD + b"X-A: b\x00c\r\n\r\n",
    "a bare carriage return in a header": HEAD + b"X-A: b\rContent-Length: 38\r\n\r\n" + INNER,
    "a chunk size that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "too many headers": HEAD + b"".join(b"X-%d: y\r\n" % i for i in range(65)) + b"\r\n",
    "ten thousand headers": HEAD + b"X: y\r\n" * 10_000 + b"\r\n",
    "a header too long": HEAD + b"X-A: " + b"b" * 9000 + b"\r\n\r\n",
    "a header without end": HEAD + b"X-A: " + b"b" * 200_000,
    "a header's name without end": HEAD + b"X" * 200_000,
    "a target too long": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    "a request line without end": b"GET /" + b"a" * 200_000,
    "no version that exists": b"GET / HTTP/9.9\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "an unknown verb": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a verb without end": b"A" * 200_000,
}


@pytest.mark.parametrize("name", NO_HTTP)
async def test_what_is_no_proper_http_is_refused_once_and_the_connection_ends(api: Api, name: str) -> None:
    async with wires(api) as (wire,):
        await wire.send(NO_HTTP[name])
        answer = await wire.hung_up()
    # Nothing behind it was taken for a request of its own.
    assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") == 1, answer
    assert answer.split()[1] == b"400", answer


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "HEAD", "PROPFIND"])
async def test_verbs_that_are_not_served_are_refused(api: Api, method: str) -> None:
    async with wires(api) as (wire,):
        await wire.send(request(b"", method=method, path="/nowhere"))
        assert await wire.status() in (404, 405)


async def test_uploads_without_a_length_are_refused(api: Api) -> None:
    async with wires(api) as (wire,):
        await wire.send(b"PUT /import HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        assert await wire.status() == 411
        assert b"Connection: close" in await wire.hung_up()


async def test_what_a_refused_upload_sends_after_all_is_no_request(api: Api) -> None:
    async with wires(api) as (wire,):
        await wire.send(b"PUT /import HTTP/1.1\r\nHost: a\r\nContent-Length: 1125899906842624\r\n\r\n" + INNER)
        answer = await wire.hung_up()
    assert (answer.split()[1], answer.count(b"HTTP/1.1 ")) == (b"401", 1)


async def test_requests_behind_one_another_are_answered_in_order(api: Api) -> None:
    async with wires(api) as (wire,):
        first, second = request(xml_call("system.first")), request(xml_call("system.second"), "Connection: close")
        await wire.send(first + second)
        answer = await wire.hung_up()
    assert 0 < answer.index(b"system.first") < answer.index(b"system.second")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"GET /x HTTP/1.1\r\n\r\n", b"400"),  # whose name would be asked for, slowly
        (b"GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", b"400"),
        (b'GET /x HTTP/1.1\r\nHost: "><script>\r\n\r\n', b"400"),
        (b"GET http://elsewhere/x HTTP/1.1\r\nHost: d1-g1\r\nConnection: close\r\n\r\n", b"308"),
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 1125899906842624\r\n\r\n", b"308"),
        (HEAD + b"X: y\r\n" * 10_000 + b"\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
    ],
)
async def test_the_redirecting_port_is_as_strict(api: Api, asked: bytes, status: bytes) -> None:
    async with wires(api, plain=True, port=api.server.redirect_port) as (wire,):
        await wire.send(asked)
        answer = await wire.hung_up()
    assert answer.split()[1] == status
    assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") == 1
    assert b"elsewhere" not in answer


async def test_the_redirecting_port_has_the_same_deadlines(api: Api) -> None:
    async with wires(api, 20, plain=True, port=api.server.redirect_port) as silent:
        for wire in silent[:10]:
            await wire.send(b"GET / HTTP/1.1\r\nX-A")
        for wire in silent:
            assert await wire.hung_up(5) == b""


async def test_a_name_that_is_absurd_is_an_unknown_method_and_no_more(api: Api) -> None:
    for name in ("x" * 100_000, "../../etc/passwd", "__class__", "VM.__init__", "VM.get_record.x", "\u202e\U0001f600"):
        async with wires(api) as (wire,):
            await wire.send(request(xml_call(name), "Connection: close"))
            answer = await wire.hung_up()
        assert b"MESSAGE_METHOD_UNKNOWN" in answer
        assert len(answer) < 2000


async def test_text_with_control_characters_reaches_json_whole_and_breaks_no_xml(api: Api) -> None:
    root = await api.login()
    text = "a\x00b\x1bc\r\n\t\x7f\x85\u2028\ufffe"
    await api.rpc("VM.set_name_label", root, api.vm, text)
    assert await api.rpc("VM.get_name_label", root, api.vm) == text
    read = await api.blocking(lambda: api.logged_in().xenapi.VM.get_all_records())
    assert read[str(api.vm)]["name_label"] == "a\ufffdb\ufffdc\r\n\t\x7f\x85\u2028\ufffd"


async def test_a_lone_surrogate_is_refused_before_it_reaches_the_database(api: Api) -> None:
    root = await api.login()
    body = f'{{"method":"VM.set_name_label","id":1,"params":["{root}","{api.vm}","a\\ud800"]}}'
    async with api.http.post(f"{api.url}/jsonrpc", data=body.encode()) as got:
        assert got.status == 500
    assert await api.rpc("VM.get_name_label", root, api.vm) == "vm-1"


@pytest.mark.parametrize("progress", ["1e999", "nan", "1_0", "\u0661", "0x1", "1" * 500, ""])
async def test_numbers_that_are_none_are_refused_as_values(api: Api, progress: str) -> None:
    root = await api.login()
    task = await api.rpc("task.create", root, "a", "b")
    body = f'{{"method":"task.set_progress","id":1,"params":["{root}","{task}","{progress}"]}}'
    async with api.http.post(f"{api.url}/jsonrpc", data=body.encode()) as got:
        assert (await got.json())["error"][0] in ("FIELD_TYPE_ERROR", "INVALID_VALUE")


async def test_integers_out_of_range_are_refused_as_values_in_both_formats(api: Api) -> None:
    root = await api.login()
    for number in (2**63, -(2**63) - 1, 10**40):
        body = f'{{"method":"VM.set_user_version","id":1,"params":["{root}","{api.vm}",{number}]}}'
        async with api.http.post(f"{api.url}/jsonrpc", data=body.encode()) as got:
            assert (await got.json())["error"] == ["FIELD_TYPE_ERROR", "value"]
        async with api.http.post(api.url, data=xml_call("VM.set_user_version", root, api.vm, str(number))) as got:
            assert "FIELD_TYPE_ERROR" in await got.text()
