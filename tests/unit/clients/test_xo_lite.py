"""XO Lite's start, call by call: a page in a browser that speaks JSON-RPC 2.0 to the host itself."""

import pytest
from tests.unit.clients.jsonrpc_client import Refused, Rpc

COLLECTIONS = (
    *("pool", "host", "host_metrics", "VM", "VM_metrics", "VM_guest_metrics", "SR", "VDI", "VBD", "VIF", "PIF"),
    *("PIF_metrics", "PBD", "network", "task", "console", "message", "Bond", "PCI", "PGPU", "VTPM"),
)


async def test_a_wrong_password_is_an_error_that_its_page_recognises(rpc: Rpc) -> None:
    with pytest.raises(Refused) as refusal:
        await rpc.bare("session.login_with_password", "root", "wrong")
    assert refusal.value.code == "SESSION_AUTHENTICATION_FAILED"


async def test_a_remembered_session_is_tried_before_the_login_page_shows(rpc: Rpc) -> None:
    rpc.session = "OpaqueRef:00000000-0000-4000-8000-000000000000"
    with pytest.raises(Refused) as refusal:
        await rpc("session.get_all_subject_identifiers")
    assert refusal.value.code == "SESSION_INVALID"

    await rpc.log_in()
    assert await rpc("session.get_all_subject_identifiers") == []


async def test_every_collection_it_subscribes_to_answers_with_whole_records(rpc: Rpc, vm: str) -> None:
    await rpc.log_in()
    for name in COLLECTIONS:
        records = await rpc(f"{name}.get_all_records")
        assert isinstance(records, dict), name
        shapes = {frozenset(record) for record in records.values()}
        assert len(shapes) <= 1, f"every {name} has the fields of the first one"
    assert vm in await rpc("VM.get_all_records")


async def test_it_follows_events_in_lower_case_from_the_token_of_an_injected_one(rpc: Rpc, vm: str) -> None:
    await rpc.log_in()
    (pool,) = await rpc("pool.get_all_records")
    token = await rpc("event.inject", "pool", pool)
    classes = [name.lower() for name in COLLECTIONS]

    first = await rpc("event.from", classes, token, 5.001)
    assert [(event["class"], event["operation"], event["ref"]) for event in first["events"]] == [("pool", "mod", pool)]

    await rpc("VM.set_name_label", vm, "renamed")
    then = await rpc("event.from", classes, first["token"], 5.001)
    changed = {event["ref"]: event for event in then["events"]}
    assert changed[vm]["class"] == "vm"
    assert changed[vm]["snapshot"]["name_label"] == "renamed"


async def test_another_host_of_the_pool_may_be_asked_from_its_page(rpc: Rpc) -> None:
    async with rpc.http.options(
        f"{rpc.url}/jsonrpc",
        headers={"Origin": "https://10.0.0.11", "Access-Control-Request-Headers": "content-type"},
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
