"""VMs out of the pool as archives and back, over the real handlers; the disks are in memory."""

from typing import Any

import pytest
import xxhash
from tests.unit.messages.archives import MIB, get, members, old_archive, put
from tests.unit.messages.fake_host import GIB, Client, FakeHost

from cardume.datamodel.refs import Ref


async def disk_of(api: Client, vm: str) -> str:
    (disk,) = [
        record["VDI"]
        for vbd in await api("VM.get_VBDs", vm)
        if not (record := await api("VBD.get_record", vbd))["empty"]
    ]
    return str(disk)


def content(host: FakeHost, vdi: str) -> bytes:
    record: Any = host.db.get(Ref(vdi))
    sr: Any = host.db.get(record.SR)
    return host.disks.shelf.contents[f"{host.disks.shelf.folder}/{sr.uuid}-{record.location}"]


async def fill(host: FakeHost, api: Client, vm: str, data: bytes) -> str:
    """Write into the disk of a VM."""
    vdi = await disk_of(api, vm)
    record: Any = host.db.get(Ref(vdi))
    sr: Any = host.db.get(record.SR)
    host.disks.shelf.contents[f"{host.disks.shelf.folder}/{sr.uuid}-{record.location}"] = data
    return vdi


async def imported(host: FakeHost, api: Client, body: Any, **query: str) -> list[str]:
    """The VMs of an import that went well."""
    task = await api("task.create", "import", "")
    assert await put(host, api.session, "/import", body, task_id=task, **query) == 200
    record = await api("task.get_record", task)
    assert (record["status"], record["error_info"]) == ("success", [])
    return [ref.split("<")[0] for ref in record["result"].split("<value>") if ref.startswith("OpaqueRef:")]


async def refused(host: FakeHost, api: Client, body: Any, path: str = "/import", **query: str) -> list[str]:
    """The error of an import, which leaves nothing behind."""
    before = {cls: sorted(await api(f"{cls}.get_all")) for cls in ("VM", "VDI", "VBD", "VIF", "network")}
    volumes = {sr: sorted(held) for sr, held in host.disks.shelf.volumes.items()}
    task = await api("task.create", "import", "")
    await put(host, api.session, path, body, task_id=task, **query)
    record = await api("task.get_record", task)
    assert record["status"] == "failure", record
    assert {cls: sorted(await api(f"{cls}.get_all")) for cls in before} == before
    assert {sr: sorted(held) for sr, held in host.disks.shelf.volumes.items()} == volumes
    return list(record["error_info"])


DATA = b"\1" * MIB + bytes(MIB) + b"\2" * 100


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
async def test_a_vm_goes_out_and_comes_back_with_the_same_bytes(
    host: FakeHost, api: Client, vm: str, compression: str
) -> None:
    await fill(host, api, vm, DATA)
    await api("VM.set_name_description", vm, "a <b> & c")

    query = {"use_compression": compression} if compression else {}
    status, sent = await get(host, api.session, "/export", ref=vm, **query)
    assert status == 200
    assert sent.startswith({"": b"ova.xml", "gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}[compression])
    (copy,) = await imported(host, api, sent)

    assert content(host, await disk_of(api, copy)) == DATA
    old, new = [await api("VM.get_record", each) for each in (vm, copy)]
    for key in ("name_label", "name_description", "memory_static_max", "VCPUs_max", "platform", "HVM_boot_params"):
        assert new[key] == old[key], key
    assert new["uuid"] != old["uuid"]
    assert new["power_state"] == "Halted"
    assert {key: len(new[key]) for key in ("VBDs", "VIFs")} == {"VBDs": len(old["VBDs"]), "VIFs": 1}
    (card,), (other,) = [[await api("VIF.get_record", vif) for vif in each["VIFs"]] for each in (old, new)]
    assert (card["network"], card["device"]) == (other["network"], other["device"])
    assert card["MAC"] != other["MAC"]
    assert await api("VM.get_allowed_operations", vm) == await api("VM.get_allowed_operations", copy)


async def test_an_archive_leaves_zeros_out_and_has_a_checksum_after_every_chunk(
    host: FakeHost, api: Client, vm: str
) -> None:
    await fill(host, api, vm, bytes(5 * MIB) + b"\2" * 100)
    _, sent = await get(host, api.session, "/export", ref=vm)

    files = members(sent)
    names = list(files)
    assert names[0] == "ova.xml"
    prefix = names[1].split("/")[0]
    numbers = [0, 5, GIB // MIB - 1]
    assert names[1:] == [f"{prefix}/{number:08d}{end}" for number in numbers for end in ("", ".xxhash")]
    assert files[f"{prefix}/00000005"] == b"\2" * 100 + bytes(MIB - 100)
    assert files[f"{prefix}/00000005.xxhash"] == xxhash.xxh64_hexdigest(files[f"{prefix}/00000005"]).upper().encode()


async def test_restoring_keeps_uuid_and_hardware_address(host: FakeHost, api: Client, vm: str) -> None:
    before = await api("VM.get_record", vm)
    mac = await api("VIF.get_MAC", before["VIFs"][0])
    _, sent = await get(host, api.session, "/export", uuid=before["uuid"])

    assert await refused(host, api, sent, restore="true") == ["DUPLICATE_VM", vm]
    await api("VM.destroy", vm)
    (copy,) = await imported(host, api, sent, restore="true")

    after = await api("VM.get_record", copy)
    assert after["uuid"] == before["uuid"]
    assert await api("VIF.get_MAC", after["VIFs"][0]) == mac


async def test_an_archive_of_an_old_host_is_read(host: FakeHost, api: Client, sr: str) -> None:
    (vm,) = await imported(host, api, old_archive(), sr_id=sr)

    record = await api("VM.get_record", vm)
    assert (record["name_label"], record["VCPUs_max"]) == ("old one", "2")
    assert record["other_config"]["folder"] == "/a"
    assert record["other_config"]["mac_seed"] != "old"
    disk = await disk_of(api, vm)
    assert content(host, disk) == b"A" * MIB + bytes(MIB) + b"C" * MIB
    assert await api("VDI.get_type", disk) == "system"
    (card,) = record["VIFs"]
    assert await api("network.get_name_label", await api("VIF.get_network", card)) == "Their network"
    assert await api("SR.get_all") == [sr]
