"""SR.probe and SR.create as clients use them to find storage: what there is to choose from; passwords kept apart."""

from typing import Any
from xml.etree import ElementTree

import pytest

from cardume.hostops.errors import Cause, StorageUnreachable
from cardume.hostops.storage.found import (
    Found,
    FoundExport,
    FoundExports,
    FoundLUN,
    FoundLUNs,
    FoundTarget,
    FoundTargets,
)

from .fake_host import Client, FakeHost

TARGETS = FoundTargets(
    (FoundTarget("10.0.0.10", 3260, "iqn.2005-10.org.x:lun1"), FoundTarget("10.0.0.10", 3261, "iqn.2005-10.org.x:2"))
)
LUNS = FoundLUNs((FoundLUN(1, "FreeNAS", "080027f9441700", "3600", 80 << 30), FoundLUN(2, "", "", "3601", 1 << 30)))
EXPORTS = FoundExports((FoundExport("10.0.0.10", "/mnt/vdi", "*"),))
PORTAL = {"target": "10.0.0.10"}


def read(xml: str) -> tuple[str, list[dict[str, str | None]]]:
    """The name of an answer's first element, and the facts of each inside."""
    top = ElementTree.fromstring(xml)
    return top.tag, [{fact.tag: fact.text for fact in one} for one in top]


@pytest.mark.parametrize(
    ("found", "code", "answer"),
    [
        (
            TARGETS,
            "SR_BACKEND_FAILURE_96",
            (
                "iscsi-target-iqns",
                [
                    {"Index": "0", "IPAddress": "10.0.0.10", "TargetIQN": "iqn.2005-10.org.x:lun1"},
                    {"Index": "1", "IPAddress": "10.0.0.10", "Port": "3261", "TargetIQN": "iqn.2005-10.org.x:2"},
                ],
            ),
        ),
        (
            LUNS,
            "SR_BACKEND_FAILURE_107",
            (
                "iscsi-target",
                [
                    {
                        "vendor": "FreeNAS",
                        "serial": "080027f9441700",
                        "LUNid": "1",
                        "size": "85899345920",
                        "SCSIid": "3600",
                    },
                    {"LUNid": "2", "size": "1073741824", "SCSIid": "3601"},
                ],
            ),
        ),
        (
            EXPORTS,
            "SR_BACKEND_FAILURE_101",
            ("nfs-exports", [{"Target": "10.0.0.10", "Path": "/mnt/vdi", "Accesslist": "*"}]),
        ),
    ],
)
async def test_what_there_is_to_choose_from_comes_as_a_failure_of_a_probe_and_of_a_creation(
    host: FakeHost, api: Client, found: Found, code: str, answer: Any
) -> None:
    (member,) = await api("host.get_all")
    host.luns.offers = found

    probed = await api.refused("SR.probe", member, PORTAL, "lvmoiscsi", {})
    created = await api.refused("SR.create", member, PORTAL, "0", "n", "", "lvmoiscsi", "user", True, {})

    assert probed == created
    assert (probed[0], read(probed[3])) == (code, answer)
    assert await api("SR.get_all_records_where", 'field "type" = "lvmoiscsi"') == {}


async def test_a_probe_for_records_leads_as_far(host: FakeHost, api: Client) -> None:
    (member,) = await api("host.get_all")
    host.luns.offers = LUNS

    first, _ = await api("SR.probe_ext", member, PORTAL, "lvmoiscsi", {})

    assert first["configuration"] == {"target": "10.0.0.10", "SCSIid": "3600"}
    assert (first["complete"], first["extra_info"]["serial"]) == (True, "080027f9441700")


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Cause.NAME, "SR_BACKEND_FAILURE_140"),
        (Cause.TARGET, "SR_BACKEND_FAILURE_141"),
        (Cause.DISCOVERY, "SR_BACKEND_FAILURE_83"),
        (Cause.LOGIN, "SR_BACKEND_FAILURE_68"),
        (Cause.MOUNT, "SR_BACKEND_FAILURE_73"),
    ],
)
async def test_what_does_not_answer_has_the_number_that_clients_know(
    host: FakeHost, api: Client, cause: Cause, code: str
) -> None:
    (member,) = await api("host.get_all")
    host.luns.fail_next("probe", StorageUnreachable("nobody there", cause))

    assert (await api.refused("SR.probe", member, PORTAL, "lvmoiscsi", {}))[0] == code


async def test_a_password_is_kept_as_a_secret_that_goes_with_its_repository(host: FakeHost, api: Client) -> None:
    (member,) = await api("host.get_all")
    given = {**PORTAL, "location": "x", "chapuser": "cardume", "chappassword": "chap-secret-12", "overwrite": "true"}

    sr = await api("SR.create", member, given, "0", "n", "", "lvmoiscsi", "user", True, {})

    (pbd,) = await api("SR.get_PBDs", sr)
    shown = await api("PBD.get_device_config", pbd)
    assert set(shown) == {"target", "location", "chapuser", "chappassword_secret"}
    secret = await api("secret.get_by_uuid", shown["chappassword_secret"])
    assert await api("secret.get_value", secret) == "chap-secret-12"
    assert host.luns.seen_config["chappassword"] == "chap-secret-12"
    assert host.luns.seen_config["localIQN"].startswith("iqn.")
    await api("PBD.unplug", pbd)
    await api("SR.forget", sr)
    assert await api("secret.get_all") == []


async def test_a_secret_of_the_clients_own_stays(host: FakeHost, api: Client) -> None:
    (member,) = await api("host.get_all")
    secret = await api("secret.create", {"value": "chap-secret-12", "other_config": {}})
    named = {**PORTAL, "location": "x", "chappassword_secret": await api("secret.get_uuid", secret)}

    sr = await api("SR.create", member, named, "0", "n", "", "lvmoiscsi", "user", True, {})

    assert host.luns.seen_config["chappassword"] == "chap-secret-12"
    (pbd,) = await api("SR.get_PBDs", sr)
    await api("PBD.unplug", pbd)
    await api("SR.forget", sr)
    assert await api("secret.get_all") == [secret]


async def test_a_secret_that_is_not_there_is_refused_by_its_key(api: Client) -> None:
    (member,) = await api("host.get_all")
    wrong = {**PORTAL, "chappassword_secret": "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"}

    refusal = await api.refused("SR.probe", member, wrong, "lvmoiscsi", {})

    assert refusal == ["INVALID_VALUE", "device_config:chappassword_secret", wrong["chappassword_secret"]]


async def test_a_disk_grows_under_a_running_guest(host: FakeHost, api: Client, vm: str) -> None:
    (vbd,) = await api("VM.get_VBDs", vm)
    disk = await api("VBD.get_VDI", vbd)
    size = int(await api("VDI.get_virtual_size", disk))
    await api("VM.start", vm, False, False)
    assert await api.refused("VDI.resize", disk, str(2 * size)) == ["VDI_IN_USE", disk, "resize"]

    await api("VDI.resize_online", disk, str(2 * size))

    (guest,) = await host.guests.list()
    assert host.guests.disk_size(guest.uuid, "0") == 2 * size
    assert await api.refused("VDI.resize_online", disk, "1") == ["VDI_TOO_SMALL", disk, str(2 * size)]
