"""The pool database is backed up and restored over HTTP; what does not fit is refused and changes nothing."""

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from cardume.datamodel.refs import Ref
from cardume.pooldb.dump import read_dump
from cardume.pooldb.store import StoreDamaged, StoreTooNew

from .fake_host import Client, FakeHost


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": aiohttp.encode_basic_auth("root", "secret")}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as http:
        yield http


def url(host: FakeHost) -> str:
    return f"https://127.0.0.1:{host.port}/pool/xmldbdump"


async def dumped(host: FakeHost, http: aiohttp.ClientSession) -> bytes:
    async with http.get(url(host)) as answer:
        assert answer.status == 200
        return await answer.read()


async def restored(
    host: FakeHost, api: Client, http: aiohttp.ClientSession, dump: bytes, **query: str
) -> dict[str, Any]:
    """The task that a restore ended as."""
    task = await api("task.create", "restore", "")
    async with http.put(url(host), data=dump, params={"task_id": task, **query}) as answer:
        await answer.read()
    record: dict[str, Any] = await api("task.get_record", task)
    return record


async def test_what_was_changed_since_the_backup_is_as_it_was(
    host: FakeHost, api: Client, vm: str, http: aiohttp.ClientSession
) -> None:
    await api("VM.set_name_label", vm, "as it was")
    dump = await dumped(host, http)
    await api("VM.set_name_label", vm, "changed")
    later = await api("VM_appliance.create", {"name_label": "made later", "name_description": ""})

    tried = await restored(host, api, http, dump, dry_run="true")
    assert tried["status"] == "success"
    assert await api("VM.get_name_label", vm) == "changed"

    assert (await restored(host, api, http, dump))["status"] == "success"
    assert await api("VM.get_name_label", vm) == "as it was"
    assert (await api.refused("VM_appliance.get_uuid", later))[0] == "HANDLE_INVALID"


async def test_a_backup_can_be_read_without_cardume(host: FakeHost, vm: str, http: aiohttp.ClientSession) -> None:
    head, *objects, end = [json.loads(line) for line in (await dumped(host, http)).splitlines()]
    assert (head["kind"], end) == ("cardume-pool-database", {"end": True})
    (found,) = [line["value"] for line in objects if line["key"].endswith(f"/{vm}")]
    assert found["name_label"] == host.db.get(Ref[Any](vm)).name_label


@pytest.mark.parametrize(
    "spoil",
    [
        lambda dump: b"",
        lambda dump: b"no backup",
        lambda dump: dump[: len(dump) // 2],
        lambda dump: b"\n".join(dump.splitlines()[:-1]),
        lambda dump: dump.replace(b"/cardume/objects/VM/", b"/cardume/writer/"),
        lambda dump: dump.replace(b'"uuid":"', b'"uuid":["').replace(b'","name_label"', b'"],"name_label"'),
        lambda dump: dump.replace(b"/cardume/objects/host/", b"/cardume/objects/hots/"),
        lambda dump: dump.replace(b"/cardume/objects/pool/", b"/cardume/objects/pond/"),
    ],
)
async def test_what_is_no_whole_backup_of_this_pool_changes_nothing(
    host: FakeHost, api: Client, vm: str, http: aiohttp.ClientSession, spoil: Any
) -> None:
    dump = await dumped(host, http)
    before = await host.db.stored()
    record = await restored(host, api, http, spoil(dump))
    assert (record["status"], record["error_info"][0]) == ("failure", "RESTORE_SCRIPT_FAILED")
    assert await host.db.stored() == before


async def test_another_versions_backup_is_refused_as_such(
    host: FakeHost, api: Client, http: aiohttp.ClientSession
) -> None:
    dump = (await dumped(host, http)).replace(b'"format":1', b'"format":99', 1)
    assert (await restored(host, api, http, dump))["error_info"] == ["RESTORE_INCOMPATIBLE_VERSION"]
    with pytest.raises(StoreTooNew):
        read_dump(dump)
    with pytest.raises(StoreDamaged):
        read_dump(dump.replace(b'"kind"', b'"sort"'))


async def test_a_vm_that_runs_must_be_in_the_backup(
    host: FakeHost, api: Client, vm: str, http: aiohttp.ClientSession
) -> None:
    await api("VM.start", vm, False, False)
    dump = (await dumped(host, http)).replace(host.db.get(Ref[Any](vm)).uuid.encode(), b"0" * 36)
    record = await restored(host, api, http, dump)
    assert record["error_info"][0] == "RESTORE_SCRIPT_FAILED"
    assert "shut it down first" in record["error_info"][1]
