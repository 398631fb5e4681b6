"""xo-server's start, call by call, as its library npm xen-api makes it, and what it needs before it shows a pool."""

import re
import time
from datetime import UTC, datetime

import pytest
from tests.unit.clients.jsonrpc_client import Refused, Rpc


async def connected(rpc: Rpc) -> tuple[str, str, list[str]]:
    """Log in as it does: the pool, the first token, the classes it will watch."""
    await rpc.log_in()
    (pool,) = await rpc("pool.get_all_records")
    methods = await rpc.bare("system.listMethods")
    classes = [name.removesuffix(".get_all_records") for name in methods if name.endswith(".get_all_records")]
    token = await rpc("event.inject", "pool", pool)
    return pool, token, classes


async def test_methods_are_listed_without_a_session_and_without_sessions(rpc: Rpc) -> None:
    methods = await rpc.bare("system.listMethods")
    assert "VM.get_all_records" in methods
    assert "session.get_all_records" not in methods
    assert len(methods) == len(set(methods))


async def test_every_listed_class_is_fetched_and_watched(rpc: Rpc, vm: str) -> None:
    _, token, classes = await connected(rpc)
    for name in classes:
        records = await rpc(f"{name}.get_all_records")
        assert len({frozenset(record) for record in records.values()}) <= 1
    assert len(classes) >= 60

    batch = await rpc("event.from", classes, token, 60.1)
    assert [event["class"] for event in batch["events"]] == ["pool"]
    assert batch["valid_ref_counts"]["task"] == len(await rpc("task.get_all"))
    assert batch["valid_ref_counts"]["vm"] == len(await rpc("VM.get_all"))


async def test_lost_events_and_ended_sessions_have_the_names_it_recovers_from(rpc: Rpc) -> None:
    _, token, classes = await connected(rpc)
    ahead = int(token.split(",")[0]) + 10**6
    too_new = f"{ahead:020d},{ahead:020d}"
    with pytest.raises(Refused) as lost:
        await rpc("event.from", classes, too_new, 1.0)
    assert lost.value.code == "EVENTS_LOST"

    await rpc("session.logout")
    with pytest.raises(Refused) as ended:
        await rpc("event.from", classes, token, 1.0)
    assert ended.value.code == "SESSION_INVALID"


async def test_what_it_writes_on_connecting_is_taken(rpc: Rpc, vm: str) -> None:
    pool, _, _ = await connected(rpc)
    key = "xo:clientInfo:9d7c"
    await rpc("pool.remove_from_other_config", pool, key)
    await rpc("pool.add_to_other_config", pool, key, '{"lastConnected":1790000000000}')
    await rpc("pool.remove_from_other_config", pool, key)
    platform = await rpc("VM.get_platform", vm)
    await rpc("VM.set_platform", vm, {**platform, "cores-per-socket": "1"})


async def test_a_pool_has_what_its_page_is_made_of(rpc: Rpc, vm: str) -> None:
    await rpc.log_in()
    pools, hosts, vms = [await rpc(f"{name}.get_all_records") for name in ("pool", "host", "VM")]
    (pool,) = pools.values()
    host = hosts[pool["master"]]
    metrics = await rpc("host_metrics.get_all_records")

    assert metrics[host["metrics"]]["live"] is True
    software = host["software_version"]
    assert {"product_brand", "product_version", "platform_version", "build_number"} <= software.keys()
    assert re.fullmatch(r"\d+\.\d+\.\d+", software["product_version"])
    assert host["capabilities"][0].startswith("hvm-3.0-")
    assert {"cpu_count", "socket_count", "vendor", "modelname"} <= host["cpu_info"].keys()
    assert "iommu" in host["chipset_info"]
    for key in ("boot_time", "agent_start_time"):
        assert 0 < float(host["other_config"][key]) <= time.time()
    expiry = datetime.strptime(host["license_params"]["expiry"], "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert expiry > datetime.now(UTC)
    assert set(host["license_params"].values()) - {"true", "false"} == {host["license_params"]["expiry"]}
    assert vms[host["control_domain"]]["is_control_domain"] is True
    assert (pool["ha_statefiles"], pool["other_config"], pool["cpu_info"]["vendor"]) == ([], {}, "GenuineIntel")
    assert isinstance(pool["restrictions"], dict)

    shown = vms[vm]
    assert shown["metrics"] in await rpc("VM_metrics.get_all_records")
    assert {"platform", "HVM_boot_params", "domain_type", "recommendations", "consoles", "VBDs", "VIFs"} <= shown.keys()
