"""HTTP handlers beside RPC: who may use them, under which task, and what is answered when they fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.api.served_api import Api, served
from tests.unit.datamodel.facts import facts

from cardume.api.app import NOT_YET
from cardume.api.http_access import Transfer, TransferFailure, guarded, route
from cardume.datamodel import errors
from cardume.datamodel.http_handlers import HTTP_HANDLERS
from cardume.datamodel.wiretypes import Prim


class Puts:
    """A handler that notes who came, and fails where it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.gate = asyncio.Event()

    async def work(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        self.seen.append((transfer.caller.user, transfer.arguments.get("sr_id", "")))
        match request.query.get("fail"):
            case "early":
                raise errors.VALUE_NOT_SUPPORTED("format", "x", "unknown")
            case "404":
                raise TransferFailure(404, errors.HANDLE_INVALID("VDI", "x"))
            case "bug":
                raise KeyError("inner")
        response = await transfer.begin(web.StreamResponse())
        if request.query.get("fail") == "late":
            await response.write(b"half")
            raise errors.VALUE_NOT_SUPPORTED("format", "x", "unknown")
        if request.query.get("fail") == "wait":
            await self.gate.wait()
        transfer.succeed(str(len(await request.read())), Prim.STRING)
        await response.write_eof()
        return response


@pytest.fixture
def puts() -> Puts:
    return Puts()


@pytest.fixture
async def api(tmp_path: Path, puts: Puts) -> AsyncIterator[Api]:
    handlers = {route("put_import"): guarded("put_import", puts.work)}
    handlers[route("get_vncsnapshot")] = guarded("get_vncsnapshot", puts.work, makes_task=False)
    async with served(tmp_path, handlers=handlers) as made:
        yield made


async def put(api: Api, path: str = "/import", **request: Any) -> tuple[int, aiohttp.ClientResponse]:
    async with api.http.put(api.url + path, data=b"12345", **request) as got:
        await got.read()
        return got.status, got


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


async def task(api: Api, session: str) -> str:
    return str(await api.rpc("task.create", session, "import", ""))


async def ended(api: Api, ref: str) -> tuple[str, str, list[str]]:
    record = await api.rpc("task.get_record", await api.login(), ref)
    return record["status"], record["result"], record["error_info"]


def test_the_handlers_and_their_roles_are_those_of_the_facts() -> None:
    ours = {
        handler.name: {
            "n": handler.name,
            "m": handler.method,
            "uri": handler.path,
            "role": handler.role.wire_name + ("+cert" if handler.client_cert else ""),
            **(
                {"sub": {part: role.wire_name for part, role in handler.sub_roles.items()}} if handler.sub_roles else {}
            ),
            **({} if handler.needs_role else {"rbac": False}),
        }
        for handler in HTTP_HANDLERS.values()
    }
    known = {fact["n"]: {key: value for key, value in fact.items() if key != "args"} for fact in facts()["http"]}
    assert ours == known


async def test_strangers_learn_nothing_not_even_what_is_there(api: Api, puts: Puts) -> None:
    for method, path in NOT_YET:
        if method == "CONNECT":
            continue  # aiohttp's client does not make such requests
        for query in ("", "?session_id=OpaqueRef:none"):
            async with api.http.request(method, api.url + path + query) as got:
                assert got.status == 401, path
                assert got.headers["WWW-Authenticate"].startswith('Basic realm="')
    status, got = await put(api)
    assert (status, got.headers["WWW-Authenticate"]) == (401, 'Basic realm="put_import"')
    assert puts.seen == []


async def test_who_may_use_a_handler_that_is_not_there_is_told_so_and_its_task_fails(api: Api) -> None:
    root = await api.login()
    ref = await task(api, root)
    async with api.http.get(f"{api.url}/export?session_id={root}&task_id={ref}") as got:
        assert got.status == 501
    assert await ended(api, ref) == ("failure", "", ["NOT_IMPLEMENTED", "GET /export"])


async def test_a_session_is_taken_from_the_cookie_before_the_query(api: Api, puts: Puts) -> None:
    root, vmadmin = await api.login(), await api.login("vmadmin")
    assert (await put(api, f"/import?session_id={root}&sr_id=x"))[0] == 200
    cookie = {"Cookie": f"session_id={vmadmin}; sr_id=y"}
    assert (await put(api, f"/import?session_id={root}&sr_id=x", headers=cookie))[0] == 200
    escaped = {"Cookie": f"session_id={vmadmin.replace(':', '%3A')}"}
    assert (await put(api, headers=escaped))[0] == 200
    assert puts.seen == [("root", "x"), ("vmadmin", "x"), ("vmadmin", "")]
    bad = {"Cookie": "session_id=OpaqueRef:none"}
    assert (await put(api, f"/import?session_id={root}", headers=bad))[0] == 401


async def test_a_password_makes_a_session_that_ends_with_the_request(api: Api, puts: Puts) -> None:
    assert (await put(api, headers=basic("vmadmin", "vmadmin-pw")))[0] == 200
    assert puts.seen == [("vmadmin", "")]
    assert list(api.server.sessions.list_identities()) == []
    assert (await put(api, headers=basic("vmadmin", "wrong")))[0] == 401
    assert (await put(api, headers={"Authorization": "Basic !!!"}))[0] == 401
    assert (await put(api, headers={"Authorization": "Bearer x"}))[0] == 401
    assert len(puts.seen) == 1


async def test_a_session_that_is_good_on_one_host_alone_is_no_use_here(api: Api) -> None:
    local = await api.rpc("session.slave_local_login_with_password", "root", "root-pw")
    assert (await put(api, f"/import?session_id={local}"))[0] == 401


async def test_a_role_that_is_too_low_is_refused_and_its_task_fails(api: Api, puts: Puts) -> None:
    reader, root = await api.login("reader"), await api.login()
    own, others = await task(api, reader), await task(api, root)
    assert (await put(api, f"/import?session_id={reader}&task_id={own}"))[0] == 403
    assert await ended(api, own) == (
        "failure",
        "",
        ["RBAC_PERMISSION_DENIED", "http/put_import", "reader has the role read-only."],
    )
    assert (await put(api, f"/import?session_id={reader}&task_id={others}"))[0] == 403
    assert (await ended(api, others))[0] == "pending"
    assert puts.seen == []


async def test_a_given_task_is_adopted_and_ends_with_the_result(api: Api) -> None:
    vmadmin = await api.login("vmadmin")
    ref = await task(api, vmadmin)
    status, got = await put(api, f"/import?session_id={vmadmin}", headers={"Cookie": f"task_id={ref}"})
    assert (status, got.headers["task-id"]) == (200, ref)
    assert (got.headers["Connection"], got.headers["Cache-Control"]) == ("close", "no-cache, no-store")
    assert await ended(api, ref) == ("success", "<value>5</value>", [])


async def test_without_a_task_one_is_made_unless_the_handler_wants_none(api: Api) -> None:
    root = await api.login()
    parent = await task(api, root)
    _, got = await put(api, f"/import?session_id={root}&subtask_of={parent}")
    made = got.headers["task-id"]
    assert (await ended(api, made))[:2] == ("success", "<value>5</value>")
    assert await api.rpc("task.get_subtask_of", root, made) == parent
    assert await api.rpc("task.get_subtasks", root, parent) == [made]
    await api.rpc("task.destroy", root, made)
    assert await api.rpc("task.get_subtasks", root, parent) == []
    async with api.http.get(f"{api.url}/vncsnapshot?session_id={root}") as read:
        assert (read.status, "task-id" in read.headers) == (200, False)
    assert set(await api.rpc("task.get_all", root)) == {parent}


async def test_a_task_must_be_there_the_callers_own_and_pending(api: Api, puts: Puts) -> None:
    root, vmadmin = await api.login(), await api.login("vmadmin")
    others, over = await task(api, root), await task(api, vmadmin)
    await api.rpc("task.set_status", vmadmin, over, "success")
    for ref, status in ((others, 403), (over, 400), ("OpaqueRef:none", 400), (api.vm, 400)):
        assert (await put(api, f"/import?session_id={vmadmin}&task_id={ref}"))[0] == status
    assert puts.seen == []
    assert (await ended(api, others))[0] == "pending"


async def test_a_task_is_adopted_by_one_transfer_at_a_time(api: Api, puts: Puts) -> None:
    root = await api.login()
    ref = await task(api, root)
    first = asyncio.ensure_future(put(api, f"/import?session_id={root}&task_id={ref}&fail=wait"))
    while not puts.seen:
        await asyncio.sleep(0.01)
    assert (await put(api, f"/import?session_id={root}&task_id={ref}"))[0] == 400
    puts.gate.set()
    assert (await first)[0] == 200


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [("early", 500, "VALUE_NOT_SUPPORTED"), ("404", 404, "HANDLE_INVALID"), ("bug", 500, "INTERNAL_ERROR")],
)
async def test_a_failure_before_the_answer_has_a_status_and_fails_the_task(
    api: Api, how: str, status: int, code: str
) -> None:
    root = await api.login()
    ref = await task(api, root)
    assert (await put(api, f"/import?session_id={root}&task_id={ref}&fail={how}"))[0] == status
    ending, _, error_info = await ended(api, ref)
    assert (ending, error_info[0]) == ("failure", code)


async def test_a_failure_after_the_answer_began_cuts_the_connection(api: Api) -> None:
    root = await api.login()
    ref = await task(api, root)
    with pytest.raises(aiohttp.ClientError):
        await put(api, f"/import?session_id={root}&task_id={ref}&fail=late")
    assert (await ended(api, ref))[2][0] == "VALUE_NOT_SUPPORTED"


async def test_on_the_hosts_own_socket_nobody_is_asked(api: Api, puts: Puts) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(api.socket))) as http:
        async with http.put("http://host/import", data=b"12345") as got:
            assert got.status == 200
        async with http.put("http://host/import?session_id=OpaqueRef:none", data=b"12345") as got:
            assert got.status == 401
    assert puts.seen == [("root", "")]
    assert list(api.server.sessions.list_identities()) == []


async def test_cancelling_the_task_ends_the_transfer(api: Api, puts: Puts) -> None:
    root = await api.login()
    ref = await task(api, root)
    waiting = asyncio.ensure_future(put(api, f"/import?session_id={root}&task_id={ref}&fail=wait"))
    while not puts.seen:
        await asyncio.sleep(0.01)
    await api.rpc("task.cancel", root, ref)
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert await ended(api, ref) == ("cancelled", "", ["TASK_CANCELLED", ref])
