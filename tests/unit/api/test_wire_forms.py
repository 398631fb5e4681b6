"""The forms in which clients ask and are answered: envelopes, ids, types of content, paths, and what is refused."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, served

from cardume.api.dispatch import LIST_METHODS
from cardume.datamodel.schema import schema


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


async def posted(api: Api, path: str, body: str) -> tuple[int, str, str]:
    async with api.http.post(api.url + path, data=body.encode()) as got:
        return got.status, got.headers["Content-Type"], await got.text()


def xml(method: str, *values: str) -> str:
    params = "".join(f"<param><value>{value}</value></param>" for value in values)
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"


@pytest.mark.parametrize("given", ["1", '"a"', "0", "-7", '""', "9007199254740993"])
async def test_an_id_comes_back_as_it_was_in_either_version(api: Api, given: str) -> None:
    status, of, text = await posted(api, "/jsonrpc", f'{{"jsonrpc":"2.0","id":{given},"method":"VM.x","params":[""]}}')
    assert (status, of) == (200, "application/json")
    assert (
        text
        == f'{{"jsonrpc":"2.0","id":{given},"error":{{"code":1,"message":"MESSAGE_METHOD_UNKNOWN","data":["VM.x"]}}}}'
    )
    _, _, text = await posted(api, "/jsonrpc", f'{{"id":{given},"method":"VM.x","params":[""]}}')
    assert text == f'{{"result":null,"error":["MESSAGE_METHOD_UNKNOWN","VM.x"],"id":{given}}}'


@pytest.mark.parametrize(
    "body",
    [
        '[{"jsonrpc":"2.0","id":1,"method":"system.listMethods","params":[]}]',
        '{"jsonrpc":"2.0","method":"system.listMethods","params":[]}',
        '{"jsonrpc":"2.0","id":null,"method":"system.listMethods","params":[]}',
        '{"jsonrpc":"2.0","id":1.5,"method":"system.listMethods","params":[]}',
        '{"jsonrpc":"2.0","id":[],"method":"system.listMethods","params":[]}',
        '{"jsonrpc":"1.1","id":1,"method":"system.listMethods","params":[]}',
        "null",
        "",
    ],
)
async def test_batches_notifications_and_other_ids_are_no_requests(api: Api, body: str) -> None:
    status, of, text = await posted(api, "/jsonrpc", body)
    assert (status, of) == (500, "text/html")
    assert "<h1>500</h1>" in text


async def test_params_may_be_left_out_where_there_are_none(api: Api) -> None:
    _, _, text = await posted(api, "/jsonrpc", '{"jsonrpc":"2.0","id":1,"method":"system.listMethods"}')
    assert "VM.get_all_records" in json.loads(text)["result"]


async def test_an_underscore_may_stand_for_the_dot_in_synchronous_calls_alone(api: Api) -> None:
    root = await api.login()
    _, _, text = await posted(api, "/", xml("VM_get_name_label", root, api.vm))
    assert "<name>Value</name><value>vm-1</value>" in text
    for method in ("Async_VM_start", "Async.VM_start", "VM.get.all", "VM", ".", "_"):
        with pytest.raises(Refused) as refused:
            await api.rpc(method, root)
        assert refused.value.description == ["MESSAGE_METHOD_UNKNOWN", method]


async def test_bytes_and_nothing_are_values_of_no_type(api: Api) -> None:
    root = await api.login()
    for value in ("<base64>/w==</base64>", "<nil/>", "<struct/>", "<array/>", "<int>5</int>"):
        _, _, text = await posted(api, "/", xml("VM.set_name_label", root, api.vm, value))
        assert "<value>FIELD_TYPE_ERROR</value><value>value</value>" in text, value
    _, _, text = await posted(api, "/", xml("VM.set_name_label", root, api.vm, "<base64>b2kh</base64>"))
    assert "<value>Success</value>" in text
    assert await api.rpc("VM.get_name_label", root, api.vm) == "oi!"


async def test_the_list_of_methods_is_exact_and_needs_no_session(api: Api) -> None:
    listed = await api.rpc(LIST_METHODS)
    declared = {message.full_name for message in schema().messages()}
    asynchronous = {f"Async.{message.full_name}" for message in schema().messages() if message.has_async}
    assert sorted(listed) == sorted(declared | asynchronous)
    _, _, text = await posted(api, "/", xml(LIST_METHODS))
    assert text.startswith("<?xml version='1.0'?><methodResponse><params><param><value><array><data><value>")
    assert "Status" not in text


async def test_every_class_that_is_listed_can_be_fetched_and_searched(api: Api) -> None:
    root = await api.login()
    listed = await api.rpc(LIST_METHODS)
    fetched = [name for name in listed if name.endswith(".get_all_records") and not name.startswith("Async.")]
    assert len(fetched) > 15
    for name in fetched:
        records = await api.rpc(name, root)
        assert isinstance(records, dict), name
        if f"{name}_where" in listed:
            assert await api.rpc(f"{name}_where", root, "true") == records, name


async def test_pages_are_for_get_and_rpc_is_for_post(api: Api) -> None:
    for method, path, status in (
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/RPC2", 405),
        ("HEAD", "/jsonrpc", 405),
        ("GET", "/nowhere", 404),
        ("HEAD", "/nowhere", 404),
        ("PUT", "/nowhere", 405),
        ("DELETE", "/", 405),
        ("OPTIONS", "/", 200),
        ("OPTIONS", "/json", 200),
        ("OPTIONS", "/jsonrpc", 200),
    ):
        async with api.http.request(method, api.url + path) as got:
            assert got.status == status, (method, path)
            if status == 405:
                assert "POST" in got.headers["Allow"]


async def test_browsers_read_the_answers_of_other_origins(api: Api) -> None:
    for path, body in (("/", xml("VM.x", "")), ("/jsonrpc", '{"id":1,"method":"VM.x","params":[""]}')):
        async with api.http.post(api.url + path, data=body, headers={"Origin": "https://elsewhere"}) as got:
            assert got.headers["Access-Control-Allow-Origin"] == "*"
            assert got.headers["Access-Control-Allow-Headers"] == "X-Requested-With"
    async with api.http.options(api.url + "/jsonrpc") as got:
        assert got.headers["Access-Control-Allow-Origin"] == "*"
        assert got.headers["Access-Control-Allow-Headers"] == "X-Requested-With"


async def test_a_client_may_send_any_type_of_content(api: Api) -> None:
    for of in ("application/json", "application/json; charset=utf-8", "text/plain", "application/octet-stream"):
        asked: dict[str, Any] = {"data": '{"id":1,"method":"VM.x","params":[""]}', "headers": {"Content-Type": of}}
        async with api.http.post(api.url + "/jsonrpc", **asked) as got:
            assert (got.status, got.headers["Content-Type"]) == (200, "application/json")
