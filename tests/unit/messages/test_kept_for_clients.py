"""What clients keep with objects: tags, custom fields, alerts, passwords."""

import xmlrpc.client
from typing import Any

import pytest

from .fake_host import Client, FakeHost

CUSTOM = "XenCenter.CustomFields.owner"


async def one_of_each(api: Client, vm: str, sr: str) -> dict[str, str]:
    (pool,) = await api("pool.get_all")
    (member,) = await api("host.get_all")
    (network, *_) = await api("network.get_all")
    (disk, *_) = await api("SR.get_VDIs", sr)
    return {"VM": vm, "SR": sr, "pool": pool, "host": member, "network": network, "VDI": disk}


async def test_every_class_with_tags_takes_and_drops_them(api: Client, vm: str, sr: str) -> None:
    for cls, ref in (await one_of_each(api, vm, sr)).items():
        await api(f"{cls}.add_tags", ref, "blue")
        await api(f"{cls}.add_tags", ref, "blue")
        assert await api(f"{cls}.get_tags", ref) == ["blue"], cls
        await api(f"{cls}.remove_tags", ref, "blue")
        await api(f"{cls}.remove_tags", ref, "never there")
        assert await api(f"{cls}.get_tags", ref) == [], cls


async def test_a_custom_field_is_added_once_and_removed_for_sure(api: Client, vm: str, sr: str) -> None:
    for cls, ref in (await one_of_each(api, vm, sr)).items():
        await api(f"{cls}.add_to_other_config", ref, CUSTOM, "ann")
        assert (await api(f"{cls}.get_other_config", ref))[CUSTOM] == "ann", cls
        uuid = await api(f"{cls}.get_uuid", ref)
        assert await api.refused(f"{cls}.add_to_other_config", ref, CUSTOM, "bob") == [
            *("MAP_DUPLICATE_KEY", cls, "other_config", uuid, CUSTOM)
        ]
        await api(f"{cls}.remove_from_other_config", ref, CUSTOM)
        await api(f"{cls}.remove_from_other_config", ref, CUSTOM)
        assert CUSTOM not in await api(f"{cls}.get_other_config", ref), cls


async def test_a_pools_columns_are_kept(api: Client) -> None:
    (pool,) = await api("pool.get_all")
    await api("pool.set_gui_config", pool, {"XenCenter.CustomFields": "<CustomFieldDefinitions/>"})
    await api("pool.add_to_gui_config", pool, "more", "1")
    await api("pool.remove_from_gui_config", pool, "more")

    assert await api("pool.get_gui_config", pool) == {"XenCenter.CustomFields": "<CustomFieldDefinitions/>"}


async def test_alerts_are_found_by_object_time_uuid_and_expression(api: Client, vm: str) -> None:
    uuid = await api("VM.get_uuid", vm)
    first = await api("message.create", "A", "3", "VM", uuid, "one")
    second = await api("message.create", "B", "1", "VM", uuid, "two")
    record = await api("message.get_record", first)

    assert await api("message.get_by_uuid", record["uuid"]) == first
    assert set(await api("message.get", "VM", uuid, _beginning())) == {first, second}
    assert set(await api("message.get_since", _beginning())) == {first, second}
    assert list(await api("message.get_all_records_where", 'field "name" = "B"')) == [second]
    await api("message.destroy_many", [first, second])
    assert await api("message.get_all") == []


@pytest.mark.parametrize(
    ("cls", "uuid", "refusal"),
    [
        ("VM", "no such", ["UUID_INVALID", "VM", "no such"]),
        ("Certificate", "no such", ["UUID_INVALID", "Certificate", "no such"]),
        ("VIF", "no such", ["INVALID_VALUE", "cls", "VIF"]),
    ],
)
async def test_an_alert_about_nothing_is_refused(api: Client, cls: str, uuid: str, refusal: list[str]) -> None:
    assert await api.refused("message.create", "A", "3", cls, uuid, "") == refusal


async def test_a_password_is_kept_apart_and_found_by_its_uuid(api: Client, host: FakeHost) -> None:
    secret = await api("secret.create", {"value": "hunter2", "other_config": {}})
    uuid = await api("secret.get_uuid", secret)

    assert await api("secret.get_value", await api("secret.get_by_uuid", uuid)) == "hunter2"
    await api("secret.set_value", secret, "hunter3")
    assert (await api("secret.get_record", secret))["value"] == "hunter3"
    await api("secret.destroy", secret)
    assert await api("secret.get_all") == []


def _beginning() -> Any:
    return xmlrpc.client.DateTime("19700101T00:00:00Z")
