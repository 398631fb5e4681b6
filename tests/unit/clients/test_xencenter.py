"""XenCenter's start, call by call: the whole database as one batch of events, typed strictly."""

import re

from tests.unit.clients.jsonrpc_client import Rpc

NEEDED_FIRST = {"pool", "host", "host_metrics"}


async def test_it_learns_versions_and_rights(rpc: Rpc) -> None:
    await rpc.log_in("2.21", "XenAPI/2.21")
    (pool,) = (await rpc("pool.get_all_records")).values()
    host = await rpc("host.get_record", pool["master"])
    assert (int(host["API_version_major"]), int(host["API_version_minor"])) >= (2, 6)
    assert await rpc("session.get_is_local_superuser", rpc.session) is True
    assert await rpc("session.get_subject", rpc.session) == "OpaqueRef:NULL"
    assert await rpc("session.get_auth_user_sid", rpc.session) == ""
    assert await rpc("session.get_rbac_permissions", rpc.session) == []
    roles = (await rpc("role.get_all_records")).values()
    with_subroles = {role["name_label"] for role in roles if role["subroles"]}
    assert with_subroles >= {"pool-admin", "pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only"}


async def test_the_first_batch_of_all_events_is_the_whole_database(rpc: Rpc, vm: str) -> None:
    await rpc.log_in("2.21", "XenAPI/2.21")
    batch = await rpc("event.from", ["*"], "", 30.0)

    assert {event["operation"] for event in batch["events"]} == {"add"}
    classes = {event["class"] for event in batch["events"]}
    assert classes >= NEEDED_FIRST
    assert not classes & {"session", "event", "user", "secret"}
    assert vm in [event["ref"] for event in batch["events"]]
    for event in batch["events"]:
        assert re.fullmatch(r"\d+", event["id"])
        assert event["timestamp"] == "0.0"
        assert event["snapshot"]["uuid"]
    assert re.fullmatch(r"\d{20},\d{20}", batch["token"])

    then = await rpc("event.from", ["*"], batch["token"], 0.05)
    assert then["events"] == []


async def test_its_heartbeat_is_answered_on_a_connection_of_its_own(rpc: Rpc) -> None:
    await rpc.log_in()
    (pool,) = (await rpc("pool.get_all_records")).values()
    assert re.fullmatch(r"\d{8}T\d\d:\d\d:\d\dZ", await rpc("host.get_servertime", pool["master"]))
