"""The rules of calls, as a client of JSON-RPC and XML-RPC sees them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.unit.api.served_api import Api, Refused, blank, served

from cardume.api.dispatch import Peer
from cardume.api.rpc import Request
from cardume.daemons.place import OwnStanding
from cardume.datamodel import errors
from cardume.datamodel.refs import NULL
from cardume.datamodel.secret import Secret
from cardume.messages.call import Call
from cardume.messages.registry import IMPLEMENTATIONS, Implementation


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


async def refusal(api: Api, method: str, *params: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        await api.rpc(method, *params)
    return refused.value.description


async def test_the_classic_refusals(api: Api) -> None:
    root = await api.login()
    assert await refusal(api, "VM.fly", root) == ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]
    assert await refusal(api, "vm.get_all", root) == ["MESSAGE_METHOD_UNKNOWN", "vm.get_all"]
    assert await refusal(api, "Async.VM.get_all", root) == ["MESSAGE_METHOD_UNKNOWN", "Async.VM.get_all"]
    assert await refusal(api, "VM.get_record", root) == ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "0"]
    assert await refusal(api, "VM.get_all", root, 1) == ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "0", "1"]
    assert await refusal(api, "session.login_with_password", "root") == [
        "MESSAGE_PARAMETER_COUNT_MISMATCH",
        "session.login_with_password",
        "2",
        "1",
    ]
    assert await refusal(api, "VM.get_record", root, "OpaqueRef:none") == ["HANDLE_INVALID", "VM", "OpaqueRef:none"]
    assert await refusal(api, "VM.get_record", root, api.pool) == ["HANDLE_INVALID", "VM", api.pool]
    assert await refusal(api, "VM.get_record", root, "") == ["HANDLE_INVALID", "VM", NULL]
    assert await refusal(api, "VM.get_by_uuid", root, "no") == ["UUID_INVALID", "VM", "no"]
    assert await refusal(api, "VM.get_all", "OpaqueRef:no") == ["SESSION_INVALID", "OpaqueRef:no"]
    assert await refusal(api, "VM.get_all", ["x"]) == ["SESSION_INVALID", "['x']"]
    assert await refusal(api, "VM.get_all") == ["SESSION_INVALID", ""]
    assert await refusal(api, "VM.set_affinity", root, api.vm, api.vm) == ["HANDLE_INVALID", "host", api.vm]
    assert await refusal(api, "VM.set_user_version", root, api.vm, "one") == ["FIELD_TYPE_ERROR", "value"]
    assert await refusal(api, "VM.set_name_label", root, api.vm, None) == ["FIELD_TYPE_ERROR", "value"]
    assert await refusal(api, "task.set_status", root, api.vm, "great") == ["INVALID_VALUE", "value", "great"]


async def test_a_null_reference_is_a_value_of_a_field(api: Api) -> None:
    root = await api.login()
    await api.rpc("VM.set_affinity", root, api.vm, api.host)
    assert await api.rpc("VM.get_affinity", root, api.vm) == api.host
    await api.rpc("VM.set_affinity", root, api.vm, "OpaqueRef:NULL")
    assert await api.rpc("VM.get_affinity", root, api.vm) == "OpaqueRef:NULL"


async def test_a_key_is_added_once(api: Api) -> None:
    root = await api.login()
    uuid = api.db.get(api.pool).uuid
    await api.rpc("pool.add_to_other_config", root, api.pool, "k", "1")
    assert await refusal(api, "pool.add_to_other_config", root, api.pool, "k", "2") == [
        "MAP_DUPLICATE_KEY",
        "pool",
        "other_config",
        uuid,
        "k",
    ]
    await api.rpc("pool.remove_from_other_config", root, api.pool, "k")
    await api.rpc("pool.remove_from_other_config", root, api.pool, "k")


async def test_an_underscore_may_stand_for_the_dot(api: Api) -> None:
    root = await api.login()
    assert await api.rpc("VM_get_all", root) == [api.vm]
    assert await api.rpc("VM_guest_metrics_get_all", root) == []


async def test_numbers_as_clients_send_them(api: Api) -> None:
    root = await api.login()
    for sent in ("12", 12, 12.0):
        await api.rpc("VM.set_user_version", root, api.vm, sent)
        assert await api.rpc("VM.get_user_version", root, api.vm) == 12


async def test_who_may_do_what(api: Api) -> None:
    reader, vmadmin = await api.login("reader"), await api.login("vmadmin")
    assert await api.rpc("VM.get_name_label", reader, api.vm) == "vm-1"
    assert await refusal(api, "VM.set_name_label", reader, api.vm, "x") == [
        "RBAC_PERMISSION_DENIED",
        "vm.set_name_label",
        "reader has the role read-only.",
    ]
    await api.rpc("VM.set_name_label", vmadmin, api.vm, "x")
    assert (await refusal(api, "pool.add_to_other_config", vmadmin, api.pool, "other", "x"))[:2] == [
        "RBAC_PERMISSION_DENIED",
        "pool.add_to_other_config",
    ]
    assert (await refusal(api, "session.change_password", vmadmin, "a", "b"))[0] == "RBAC_PERMISSION_DENIED"


async def test_a_key_of_a_map_may_need_less_than_the_map(api: Api) -> None:
    operator, reader = await api.login("vmadmin"), await api.login("reader")
    await api.rpc("pool.add_to_other_config", operator, api.pool, "folder", "/x")
    assert (await refusal(api, "pool.add_to_other_config", reader, api.pool, "folder", "/x"))[:2] == [
        "RBAC_PERMISSION_DENIED",
        "pool.add_to_other_config/key:folder",
    ]


async def test_secrets_are_not_for_readers(api: Api) -> None:
    secret = await api.db.create(blank(Secret, value="hush"))
    reader, operator = await api.login("reader"), await api.login("operator")
    for method in ("secret.get_value", "secret.get_record"):
        assert (await refusal(api, method, reader, secret))[0] == "RBAC_PERMISSION_DENIED"
    assert (await refusal(api, "secret.get_all_records", reader))[0] == "RBAC_PERMISSION_DENIED"
    assert await api.rpc("secret.get_value", operator, secret) == "hush"


async def test_a_constructor_ignores_what_it_does_not_take_and_wants_what_it_needs(api: Api) -> None:
    root = await api.login()
    made = await api.rpc("secret.create", root, {"uuid": "mine", "value": "x", "nonsense": 1, "other_config": {}})
    assert (await api.rpc("secret.get_uuid", root, made)) != "mine"
    assert await refusal(api, "secret.create", root, {"other_config": {}}) == ["FIELD_TYPE_ERROR", "value"]


async def test_a_message_that_nobody_wrote_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(IMPLEMENTATIONS, "VM.start", raising=False)
    root = await api.login()
    assert await refusal(api, "VM.start", root, api.vm, False, False) == ["NOT_IMPLEMENTED", "VM.start"]


async def test_a_fault_of_ours_is_told_without_its_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(call: Call, args: Any) -> None:
        raise KeyError(f"lost {args.device_config['chappassword']}")

    monkeypatch.setitem(IMPLEMENTATIONS, "PBD.create", Implementation(fail, as_task=False))
    root = await api.login()
    config = {"host": api.host, "SR": NULL, "device_config": {"chappassword": "s3cr3t-word"}}
    code, text = await refusal(api, "PBD.create", root, config)
    assert code == "INTERNAL_ERROR"
    assert text.startswith("KeyError in PBD.create; see incident ")
    logged = capsys.readouterr().out
    assert "lost ***" in logged
    assert "s3cr3t-word" not in logged + text


async def test_records_are_chosen_by_an_expression(api: Api) -> None:
    root = await api.login()
    assert list(await api.rpc("VM.get_all_records_where", root, 'field "name__label" = "vm-1"')) == [api.vm]
    assert await api.rpc("VM.get_all_records_where", root, "false") == {}
    assert (await refusal(api, "VM.get_all_records_where", root, "nonsense"))[0] == "INVALID_VALUE"


async def test_the_methods_are_listed_without_a_session_and_without_an_envelope(api: Api) -> None:
    listed = await api.rpc("system.listMethods")
    assert {"VM.get_all_records", "message.get_all_records", "Async.VM.start", "event.from"} <= set(listed)
    assert "session.get_all_records" not in listed
    assert listed == await api.blocking(lambda: _list_by_xml(api))


def _list_by_xml(api: Api) -> Any:
    return api.client().system.listMethods()


async def test_every_listed_class_answers_get_all_records(api: Api) -> None:
    root = await api.login()
    for method in await api.rpc("system.listMethods"):
        if method.endswith(".get_all_records"):
            assert isinstance(await api.rpc(method, root), dict), method


async def test_all_records_are_the_records(api: Api) -> None:
    root = await api.login()
    records = await api.rpc("VM.get_all_records", root)
    assert records == {api.vm: await api.rpc("VM.get_record", root, api.vm)}
    await api.rpc("VM.set_name_label", root, api.vm, "renamed")
    assert (await api.rpc("VM.get_all_records", root))[api.vm]["name_label"] == "renamed"


async def test_over_its_own_socket_a_host_asks_for_no_password(api: Api) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(api.socket))) as http:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "session.login_with_password", "params": ["", ""]}
        async with http.post("http://host/jsonrpc", json=asked) as response:
            session = (await response.json())["result"]
    assert await api.rpc("session.get_is_local_superuser", session, session) is True
    assert oct(api.socket.stat().st_mode & 0o777) == "0o600"


async def test_sessions_tell_who_has_them(api: Api) -> None:
    reader, root = await api.login("reader"), await api.login()
    record = await api.rpc("session.get_record", reader, reader)
    assert (record["auth_user_name"], record["auth_user_sid"], record["is_local_superuser"]) == (
        "reader",
        "S-1-reader",
        False,
    )
    assert "vm.get_record" in record["rbac_permissions"]
    assert "vm.start" not in record["rbac_permissions"]
    assert await api.rpc("session.get_this_host", root, root) == api.host
    assert await api.rpc("session.get_rbac_permissions", root, root) == []
    assert await api.rpc("session.get_all_subject_identifiers", root) == ["S-1-reader"]
    await api.rpc("session.logout_subject_identifier", root, "S-1-reader")
    assert (await refusal(api, "VM.get_all", reader))[0] == "SESSION_INVALID"


async def test_root_changes_its_password(api: Api) -> None:
    root = await api.login()
    assert (await refusal(api, "session.change_password", root, "wrong", "new"))[0] == "CHANGE_PASSWORD_REJECTED"
    assert (await refusal(api, "session.change_password", root, "root-pw", ""))[0] == "CHANGE_PASSWORD_REJECTED"
    await api.rpc("session.change_password", root, "root-pw", "new-pw")
    assert api.users.passwords["root"] == "new-pw"


async def test_a_member_names_its_master_and_answers_emergency_calls_only(tmp_path: Path) -> None:
    async with served(tmp_path, standing=OwnStanding(errors.HOST_IS_SLAVE("10.147.0.11"))) as api:
        assert await refusal(api, "session.login_with_password", "root", "root-pw") == ["HOST_IS_SLAVE", "10.147.0.11"]
        # A session of the time before: clients log in again, and so learn where the master is.
        assert (await refusal(api, "VM.get_all", "OpaqueRef:x"))[0] == "SESSION_INVALID"
        local = await api.rpc("session.slave_local_login_with_password", "root", "root-pw")
        assert await api.rpc("VM.get_all", local) == [api.vm]
        assert (await refusal(api, "VM.set_name_label", local, api.vm, "x"))[0] == "HOST_IS_SLAVE"
        await api.rpc("session.local_logout", local)
        assert (await refusal(api, "VM.get_all", local))[0] == "SESSION_INVALID"


async def test_who_made_the_host_a_member_still_learns_how_that_ended(tmp_path: Path) -> None:
    standing = OwnStanding()
    async with served(tmp_path, standing=standing) as api:
        root = await api.login()
        task = await api.rpc("task.create", root, "join", "")
        standing.refuse(errors.HOST_IS_SLAVE("10.147.0.11"))
        assert await api.rpc("task.get_status", root, task) == "pending"
        assert (await refusal(api, "VM.get_all", root))[0] == "HOST_IS_SLAVE"
        assert (await refusal(api, "task.create", root, "another", ""))[0] == "HOST_IS_SLAVE"
        await api.rpc("session.logout", root)


async def test_roles_are_records_with_their_permissions(api: Api) -> None:
    root = await api.login()
    (admin,) = await api.rpc("role.get_by_name_label", root, "pool-admin")
    assert admin == "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"
    names = await api.rpc("role.get_permissions_name_label", root, admin)
    assert "vm.start" in names
    (start,) = await api.rpc("role.get_by_name_label", root, "vm.start")
    holders = await api.rpc("role.get_by_permission", root, start)
    assert {await api.rpc("role.get_name_label", root, holder) for holder in holders} == {
        "pool-admin",
        "pool-operator",
        "vm-power-admin",
        "vm-admin",
        "vm-operator",
    }


async def test_a_subject_is_given_and_loses_a_role(api: Api) -> None:
    root = await api.login()
    subject = await api.rpc(
        "subject.create", root, {"subject_identifier": "S-9", "other_config": {"subject-name": "ana"}}
    )
    (role,) = await api.rpc("role.get_by_name_label", root, "vm-operator")
    await api.rpc("subject.add_to_roles", root, subject, role)
    assert (await refusal(api, "subject.add_to_roles", root, subject, role)) == ["ROLE_ALREADY_EXISTS"]
    assert "vm.start" in await api.rpc("subject.get_permissions_name_label", root, subject)
    await api.rpc("subject.remove_from_roles", root, subject, role)
    assert await api.rpc("subject.get_roles", root, subject) == []
    assert (await refusal(api, "subject.create", root, {"subject_identifier": "S-9"})) == ["SUBJECT_ALREADY_EXISTS"]


async def test_alerts_are_made_found_and_dismissed(api: Api) -> None:
    root = await api.login()
    uuid = api.db.get(api.vm).uuid
    alert = await api.rpc("message.create", root, "VM_STARTED", 3, "VM", uuid, "ok")
    record = await api.rpc("message.get_record", root, alert)
    assert {key: record[key] for key in ("name", "priority", "cls", "obj_uuid", "body")} == {
        "name": "VM_STARTED",
        "priority": 3,
        "cls": "VM",
        "obj_uuid": uuid,
        "body": "ok",
    }
    assert list(await api.rpc("message.get", root, "VM", uuid, "19700101T00:00:00Z")) == [alert]
    assert list(await api.rpc("message.get_since", root, "2100-01-01T00:00:00Z")) == []
    assert list(await api.rpc("message.get_all_records", root)) == [alert]
    assert await api.rpc("message.get_by_uuid", root, record["uuid"]) == alert
    assert await refusal(api, "message.create", root, "X", 3, "VM", "nothing", "") == ["UUID_INVALID", "VM", "nothing"]
    other = await api.rpc("message.create", root, "HA_X", 1, "VM", uuid, "")
    await api.rpc("message.destroy_all", root, {"name": "HA_X"})
    assert await api.rpc("message.get_all", root) == [alert]
    await api.rpc("message.destroy_many", root, [alert, other])
    assert await api.rpc("message.get_all", root) == []


async def test_two_hundred_calls_at_once_are_answered(api: Api) -> None:
    root = await api.login()
    call = Request("VM.get_name_label", (root, api.vm))
    answers = await asyncio.gather(*(api.server.dispatcher.call(call, Peer("")) for _ in range(200)))
    assert {answer.value for answer in answers} == {"vm-1"}
