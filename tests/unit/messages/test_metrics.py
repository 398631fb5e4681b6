"""Measurements over the API: data sources, the handlers that clients read, and histories that move between hosts."""

import asyncio
import json
import math
import xml.etree.ElementTree as ET
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.contract.linked import memory_hands
from tests.unit.messages.fake_host import Client, FakeHost, eventually

from cardume.core.rrd_file import load_archives
from cardume.daemons.members import Members
from cardume.daemons.metering import Histories, metering
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.errors import HostError
from cardume.hostops.guests.guest import GuestSpec
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.metrics.memory_meter import memory_meter

MIB = 1 << 20


async def tick(host: FakeHost, count: int = 1) -> None:
    """Five seconds each, half of which everything is busy."""
    for _ in range(count):
        host.metal.now_s += 5
        host.metal.stats = replace(
            host.metal.stats, cpu_s={number: busy + 2.5 for number, busy in host.metal.stats.cpu_s.items()}
        )
        elapsed = host.metal.now_s - 1_790_000_000
        for guest in await host.guests.list():
            disks = {"0": DiskStats(int(elapsed) * 4096, int(elapsed), int(elapsed) * 10**6)}
            host.guests.use(guest.uuid, GuestStats({0: int(elapsed * 0.5e9)}, 256 * MIB, None, disks))
        await host.meter.tick()


@pytest.fixture
async def running(api: Client, host: FakeHost, vm: str) -> str:
    await api("VM.start", vm, False, False)
    await tick(host, 4)
    return vm


async def get(host: FakeHost, api: Client, path: str, **options: Any) -> tuple[int, str, str]:
    url = f"https://127.0.0.1:{host.port}{path}"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http,
        http.get(url, allow_redirects=False, **options) as answer,
    ):
        return answer.status, answer.content_type, await answer.text()


async def updates(host: FakeHost, api: Client, query: str) -> dict[str, Any]:
    status, kind, text = await get(host, api, f"/rrd_updates?{query}&json=true&session_id={api.session}")
    assert (status, kind) == (200, "application/json"), text
    told: dict[str, Any] = json.loads(text)
    return told


async def test_what_is_measured_of_a_vm_is_told_with_its_present_value(api: Client, running: str) -> None:
    sources = {source["name_label"]: source for source in await api("VM.get_data_sources", running)}
    assert sources["cpu0"] == {
        "name_label": "cpu0",
        "name_description": "Share of time that processor 0 is busy",
        "enabled": True,
        "standard": True,
        "units": "(fraction)",
        "min": 0.0,
        "max": 1.0,
        "value": 0.5,
    }
    assert sources["memory"]["value"] == 256 * MIB
    assert not sources["vbd_xvda_latency"]["enabled"]
    assert await api("VM.query_data_source", running, "vbd_xvda_read") == 4096
    assert await api.refused("VM.query_data_source", running, "vbd_xvdb_read") == [
        "INVALID_VALUE",
        "data_source",
        "vbd_xvdb_read",
    ]


async def test_a_halted_vm_is_not_measured(api: Client, vm: str) -> None:
    for call in ("VM.query_data_source", "VM.record_data_source", "VM.forget_data_source_archives"):
        assert await api.refused(call, vm, "cpu0") == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
    assert (await api.refused("VM.get_data_sources", vm))[0] == "VM_BAD_POWER_STATE"


async def test_a_vm_that_has_just_started_has_no_sources_yet(api: Client, vm: str) -> None:
    await api("VM.start", vm, False, False)
    assert await api("VM.get_data_sources", vm) == []
    assert (await api.refused("VM.record_data_source", vm, "cpu0"))[0] == "INVALID_VALUE"


async def test_what_is_measured_of_a_host_is_told(api: Client, host: FakeHost, running: str) -> None:
    (member,) = await api("host.get_all")
    assert await api("host.query_data_source", member, "cpu_avg") == 0.5
    assert await api("host.query_data_source", member, "running_domains") == 1
    names = {source["name_label"] for source in await api("host.get_data_sources", member)}
    assert {"cpu1", "memory_total_kib", "pif_eth0_rx", "loadavg"} <= names


async def test_a_source_is_recorded_from_then_on_and_forgotten(api: Client, host: FakeHost, running: str) -> None:
    column = "AVERAGE:vm:{}:vbd_xvda_latency".format(await api("VM.get_uuid", running))
    query = f"start={int(host.metal.now_s)}&cf=AVERAGE"
    assert column not in (await updates(host, api, query))["meta"]["legend"]

    await api("VM.record_data_source", running, "vbd_xvda_latency")
    await tick(host)
    told = await updates(host, api, query)
    place = told["meta"]["legend"].index(column)
    assert told["data"][0]["values"][place] == "1000"

    await api("VM.forget_data_source_archives", running, "vbd_xvda_latency")
    assert column not in (await updates(host, api, query))["meta"]["legend"]


async def test_the_sums_of_an_sr_come_from_its_guests_disks(api: Client, host: FakeHost, running: str, sr: str) -> None:
    (member,) = host.db.all(Host)
    await Histories(host.db, Members(host.db, host.hands, member), member).look()
    await tick(host, 2)
    (member,) = await api("host.get_all")
    short = (await api("SR.get_uuid", sr))[:8]
    assert await api("host.query_data_source", member, f"iops_total_{short}") == 1
    assert await api("host.query_data_source", member, f"read_latency_{short}") == 1000


async def test_an_srs_own_sources_are_what_all_its_guests_do_to_it(
    api: Client, host: FakeHost, running: str, sr: str
) -> None:
    assert await api("SR.get_data_sources", sr) == []
    assert await api.refused("SR.query_data_source", sr, "iops_total") == [
        "INVALID_VALUE",
        "data_source",
        "iops_total",
    ]
    (member,) = host.db.all(Host)
    await Histories(host.db, Members(host.db, host.hands, member), member).look()
    await tick(host, 2)
    told = {source["name_label"]: source for source in await api("SR.get_data_sources", sr)}
    assert set(told) >= {"io_throughput_total", "iops_read", "read_latency", "latency", "read"}
    assert (told["iops_total"]["value"], told["iops_total"]["units"]) == (1, "requests/s")
    assert told["iops_total"]["name_description"] == "Requests by all guests"
    assert await api("SR.query_data_source", sr, "read_latency") == 1000

    column = f"AVERAGE:host:{await api('host.get_uuid', str(member))}:read_{(await api('SR.get_uuid', sr))[:8]}"
    query = f"start={int(host.metal.now_s) - 10}&cf=AVERAGE&interval=5&host=true"
    assert column not in (await updates(host, api, query))["meta"]["legend"]
    await api("SR.record_data_source", sr, "read")
    assert column in (await updates(host, api, query))["meta"]["legend"]
    await api("SR.forget_data_source_archives", sr, "read")
    assert column not in (await updates(host, api, query))["meta"]["legend"]
    assert (await api.refused("SR.record_data_source", sr, "size"))[0] == "INVALID_VALUE"


async def test_rows_of_host_and_guests_are_read_as_clients_do(api: Client, host: FakeHost, running: str) -> None:
    uuid, now = await api("VM.get_uuid", running), int(host.metal.now_s)
    told = await updates(host, api, f"start={now - 10}&cf=AVERAGE&interval=5&host=true")
    assert told["meta"]["step"] == "5"
    assert [row["t"] for row in told["data"]] == [str(now), str(now - 5), str(now - 10)]
    values = dict(zip(told["meta"]["legend"], told["data"][0]["values"], strict=True))
    assert values[f"AVERAGE:vm:{uuid}:cpu0"] == "0.5"
    assert values["AVERAGE:host:11111111-1111-4111-8111-111111111111:cpu0"] == "0.5"
    assert told["meta"]["columns"] == str(len(values))


async def test_which_owners_and_folds_are_told_is_asked_for(api: Client, host: FakeHost, running: str) -> None:
    now = int(host.metal.now_s)
    kinds = {column.split(":")[1] for column in (await updates(host, api, f"start={now}"))["meta"]["legend"]}
    assert kinds == {"vm"}
    other = await updates(host, api, f"start={now}&vm_uuid=00000000-0000-4000-8000-000000000000&host=true")
    assert {column.split(":")[1] for column in other["meta"]["legend"]} == {"host"}
    folds = {column.split(":")[0] for column in (await updates(host, api, f"start={now}"))["meta"]["legend"]}
    assert folds == {"AVERAGE", "MIN", "MAX"}
    assert (await updates(host, api, "start=-10&cf=AVERAGE"))["meta"]["rows"] == "3"


@pytest.mark.parametrize("query", ["", "start=", "start=soon", "start=nan", "start=0&cf=ODD", "start=0&interval=x"])
async def test_a_question_that_makes_no_sense_is_refused(api: Client, host: FakeHost, query: str) -> None:
    status, _, _ = await get(host, api, f"/rrd_updates?{query}&session_id={api.session}")
    assert status == 400


async def test_old_clients_get_xml(api: Client, host: FakeHost, running: str) -> None:
    uuid = await api("VM.get_uuid", running)
    for path, root in (
        ("/rrd_updates?start=0&host=true", "xport"),
        ("/host_rrd?", "rrd"),
        ("/host_rrds?", "rrd"),
        (f"/vm_rrd?uuid={uuid}", "rrd"),
        (f"/vm_rrds?uuid={uuid}", "rrd"),
    ):
        status, kind, text = await get(host, api, f"{path}&session_id={api.session}", headers={"Accept": "text/xml"})
        assert (status, kind, ET.fromstring(text).tag) == (200, "text/xml", root), path
    status, kind, text = await get(host, api, f"/vm_rrd?uuid={uuid}&json=true&session_id={api.session}")
    assert (kind, json.loads(text)["version"]) == ("application/json", "0003")


async def test_the_history_of_a_halted_vm_is_had_and_of_a_stranger_is_not(
    api: Client, host: FakeHost, running: str
) -> None:
    await api("VM.hard_shutdown", running)
    await tick(host)
    path = "/vm_rrd?uuid={}&json=true&session_id={}"
    status, _, text = await get(host, api, path.format(await api("VM.get_uuid", running), api.session))
    assert status == 200
    assert "0.5" in json.dumps(json.loads(text)["rra"][0]["database"])
    for uuid in ("00000000-0000-4000-8000-000000000000", "../../passwd", ""):
        status, _, _ = await get(host, api, path.format(uuid, api.session))
        assert status == 404, uuid


async def test_prometheus_reads_with_a_users_password(api: Client, host: FakeHost, running: str) -> None:
    basic = b64encode(b"root:secret").decode()
    status, kind, text = await get(host, api, "/metrics", headers={"Authorization": f"Basic {basic}"})
    assert (status, kind) == (200, "text/plain")
    uuid = await api("VM.get_uuid", running)
    assert f'cardume_vm_cpu_busy_ratio{{uuid="{uuid}",name="web",cpu="0"}} 0.5\n' in text
    status, _, text = await get(host, api, "/metrics")
    assert status == 401
    assert "cardume_vm" not in text


@pytest.mark.parametrize("path", ["/rrd_updates?start=0", "/host_rrd?x=", "/vm_rrd?uuid=x", "/metrics?x="])
async def test_strangers_read_nothing(api: Client, host: FakeHost, path: str) -> None:
    status, _, _ = await get(host, api, f"{path}&session_id=OpaqueRef:none")
    assert status == 401


class TwoHosts:
    """Hands of the master, and of a member that can be away."""

    def __init__(self, hands: dict[Ref[Any], Hands]) -> None:
        self._hands = hands
        self.away: set[Ref[Any]] = set()

    def is_connected(self, host: Ref[Any]) -> bool:
        return host in self._hands and host not in self.away

    def hands(self, host: Ref[Any]) -> Hands:
        return self._hands[host]


async def test_a_history_goes_where_its_vm_goes_and_waits_on_the_master(
    api: Client, host: FakeHost, running: str, tmp_path: Path
) -> None:
    (master,) = host.db.all(Host)
    uuid, vm = await api("VM.get_uuid", running), Ref[VM](running)
    other = await host.db.create(replace(host.db.get(master), uuid="22222222-2222-4222-8222-222222222222"))
    guests = MemoryGuests()
    there = memory_meter(guests, tmp_path / "there", host=host.metal)
    hosts = TwoHosts({master: host.hands, other: replace(memory_hands(guests=guests), meter=there)})
    histories = Histories(host.db, hosts, master)  # type: ignore[arg-type]  # what of Members it uses

    await host.guests.destroy(uuid)  # it moved: its guest is on the other host now
    await eventually(lambda: host.db.get(vm).power_state is VMPowerState.HALTED)
    await guests.start(GuestSpec(uuid, "web", 256 * MIB, 1, 1))
    await host.db.update(vm, resident_on=other)
    await tick(host)
    await there.tick()
    hosts.away.add(other)
    await histories.look()
    assert await host.meter.kept() == {uuid}, "it waits for the host to come back"

    hosts.away.clear()
    await histories.look()
    assert await host.meter.kept() == frozenset()
    history = await there.history(f"vm:{uuid}")
    assert history is not None
    assert sum(not math.isnan(value) for value in load_archives(history).tracks["cpu0"].rings[0] or ()) == 3

    await guests.destroy(uuid)
    await there.tick()
    await host.db.update(vm, resident_on=NULL, power_state=VMPowerState.HALTED)
    assert await histories.find(uuid) == await there.history(f"vm:{uuid}")
    await histories.look()
    assert await there.kept() == frozenset()
    assert await host.meter.kept() == {uuid}

    await host.db.delete(vm)
    await histories.look()
    assert await host.meter.kept() == frozenset()
    assert await histories.find(uuid) is None


async def test_a_host_that_is_lost_in_the_middle_keeps_the_history(
    api: Client, host: FakeHost, running: str, tmp_path: Path
) -> None:
    (master,) = host.db.all(Host)
    uuid, vm = await api("VM.get_uuid", running), Ref[VM](running)
    other = await host.db.create(replace(host.db.get(master), uuid="22222222-2222-4222-8222-222222222222"))

    class Lost:
        async def know_disks(self, seats: object) -> None: ...

        async def kept(self) -> frozenset[str]:
            return frozenset()

        async def take(self, vm: str, history: bytes) -> None:
            raise HostError("it went away")

    hosts = TwoHosts({master: host.hands, other: replace(memory_hands(), meter=Lost())})  # type: ignore[arg-type]
    await host.guests.destroy(uuid)
    await eventually(lambda: host.db.get(vm).power_state is VMPowerState.HALTED)
    await tick(host)
    await host.db.update(vm, resident_on=other)
    await Histories(host.db, hosts, master).look()  # type: ignore[arg-type]
    assert await host.meter.kept() == {uuid}


async def test_the_daemon_measures_as_long_as_it_runs_and_saves_at_its_end(tmp_path: Path) -> None:
    guests = MemoryGuests()
    meter = memory_meter(guests, tmp_path / "rrd")
    async with metering(meter):
        for _ in range(1000):
            if await meter.sources(meter.host):
                break
            await asyncio.sleep(0.01)
    assert [file.name for file in (tmp_path / "rrd").iterdir()] == [f"{meter.host.replace(':', '_')}.rrd"]
