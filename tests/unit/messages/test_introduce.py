"""Repositories and disks that exist already, made known to the pool."""

from xml.etree import ElementTree

from .fake_host import Client, FakeHost, vdi_record


async def test_a_forgotten_repository_is_probed_and_introduced_again_with_its_disks(
    api: Client, host: FakeHost, sr: str
) -> None:
    (member,) = await api("host.get_all")
    disk = await api("VDI.create", vdi_record(sr))
    uuids = await api("SR.get_uuid", sr), await api("VDI.get_uuid", disk)
    (pbd,) = await api("SR.get_PBDs", sr)
    config = await api("PBD.get_device_config", pbd)
    await api("PBD.unplug", pbd)
    await api("SR.forget", sr)

    (found,) = ElementTree.fromstring(await api("SR.probe", member, config, "ext", {}))
    assert {part.tag: part.text for part in found} == {
        "UUID": uuids[0],
        "Devlist": host.disks.shelf.folder,
        "size": str(2**40),
    }
    again = await api("SR.introduce", uuids[0], "again", "", "ext", "user", False, {})
    plugged = await api("PBD.create", {"host": member, "SR": again, "device_config": config, "other_config": {}})
    await api("PBD.plug", plugged)
    await api("SR.scan", again)

    (vdi,) = await api("SR.get_VDIs", again)
    assert await api("VDI.get_uuid", vdi) == uuids[1]


async def test_a_probe_of_an_unknown_type_is_refused(api: Client) -> None:
    (member,) = await api("host.get_all")

    assert await api.refused("SR.probe", member, {}, "hba", {}) == ["SR_UNKNOWN_DRIVER", "hba"]
    assert (await api.refused("SR.probe", member, {"device": "/dev/sdb"}, "ext", {}))[0] == "SR_BACKEND_FAILURE_90"


async def test_a_forgotten_disk_is_introduced_with_new_words(api: Client, sr: str) -> None:
    disk = await api("VDI.create", vdi_record(sr))
    record = await api("VDI.get_record", disk)
    await api("VDI.forget", disk)
    words = ("again", "found", sr, "user", False, False, {"a": "b"}, record["location"])

    made = await api("VDI.introduce", record["uuid"], *words)

    known = await api("VDI.get_record", made)
    assert (known["uuid"], known["name_label"], known["virtual_size"]) == (record["uuid"], "again", str(2**30))
    assert (await api.refused("VDI.introduce", record["uuid"], *words))[0] == "LOCATION_NOT_UNIQUE"
    lost = (*words[:-1], "elsewhere.qcow2")
    assert await api.refused("VDI.introduce", "", *lost) == ["VDI_LOCATION_MISSING", sr, "elsewhere.qcow2"]
