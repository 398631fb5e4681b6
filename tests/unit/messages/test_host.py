"""What is done with a host as a machine: power, daemon, names, logs, plug-ins."""

import pytest

from cardume.datamodel.refs import Ref
from cardume.messages.host_power import enable_after_boot

from .fake_host import Client, FakeHost


@pytest.fixture
async def member(api: Client) -> str:
    (member,) = await api("host.get_all")
    return str(member)


async def test_a_host_is_restarted_only_once_it_is_disabled(api: Client, host: FakeHost, member: str) -> None:
    assert await api.refused("host.reboot", member) == ["HOST_NOT_DISABLED"]
    assert await api.refused("host.shutdown", member) == ["HOST_NOT_DISABLED"]

    await api("host.disable", member)
    await api("host.reboot", member)
    await api("host.shutdown", member)

    assert host.machine.begun == ["reboot", "power_off"]


async def test_a_host_is_not_switched_off_under_its_guests(api: Client, host: FakeHost, member: str, vm: str) -> None:
    await api("VM.start", vm, False, False)
    await api("host.disable", member)

    assert await api.refused("host.shutdown", member) == ["HOST_IN_USE", member, "VM", vm]
    assert await api("host.get_allowed_operations", member) == ["enable"]

    await api("VM.hard_shutdown", vm)
    assert sorted(await api("host.get_allowed_operations", member)) == ["enable", "reboot", "shutdown"]
    assert host.machine.begun == []


async def test_a_disabled_host_starts_no_guest(api: Client, member: str, vm: str) -> None:
    await api("host.disable", member)

    assert (await api.refused("VM.start", vm, False, False))[0] in ("NO_HOSTS_AVAILABLE", "HOST_DISABLED")


async def test_a_host_is_in_use_again_after_its_restart_unless_it_was_to_stay_out(
    api: Client, host: FakeHost, member: str
) -> None:
    await api("host.disable", member)
    await enable_after_boot(host.db, Ref(member))
    assert await api("host.get_enabled", member) is True

    await api("host.disable", member, False)
    await enable_after_boot(host.db, Ref(member))
    assert await api("host.get_enabled", member) is False

    await api("host.enable", member)
    await api("host.disable", member)
    await enable_after_boot(host.db, Ref(member))
    assert await api("host.get_enabled", member) is True


async def test_the_daemon_is_restarted_after_it_answered(api: Client, host: FakeHost, member: str) -> None:
    await api("host.restart_agent", member)

    assert host.machine.begun == ["restart_agent"]


async def test_a_host_gets_another_name(api: Client, host: FakeHost, member: str) -> None:
    await api("host.set_hostname_live", member, "d7-g1.example")

    assert host.machine.hostname == "d7-g1.example"
    assert await api("host.get_hostname", member) == "d7-g1.example"


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/../b", "x" * 65, "a\n"])
async def test_what_is_no_host_name_is_refused(api: Client, host: FakeHost, member: str, name: str) -> None:
    assert (await api.refused("host.set_hostname_live", member, name))[0] == "HOST_NAME_INVALID"
    assert host.machine.hostname == ""


async def test_the_iscsi_name_is_kept_where_old_and_new_clients_look(api: Client, member: str) -> None:
    await api("host.set_iscsi_iqn", member, "iqn.2026-11.example:d1")

    assert await api("host.get_iscsi_iqn", member) == "iqn.2026-11.example:d1"
    assert (await api("host.get_other_config", member))["iscsi_iqn"] == "iqn.2026-11.example:d1"
    assert await api.refused("host.set_iscsi_iqn", member, "d1") == ["INVALID_VALUE", "value", "d1"]


async def test_logs_are_read_and_the_kernels_is_emptied(api: Client, member: str) -> None:
    assert "Linux version" in await api("host.dmesg", member)
    assert "Linux version" in await api("host.dmesg_clear", member)
    assert await api("host.dmesg", member) == ""
    assert "cardumed" in await api("host.get_log", member)


async def test_plugins_answer_or_say_what_is_missing_as_xenservers_do(api: Client, member: str) -> None:
    assert await api("host.call_plugin", member, "answer.py", "say", {"text": "$(reboot)"}) == "$(reboot)"
    assert await api.refused("host.call_plugin", member, "updater.py", "check_update", {}) == [
        *("XENAPI_MISSING_PLUGIN", "updater.py")
    ]
    assert await api.refused("host.call_plugin", member, "answer.py", "sing", {}) == [
        *("UNKNOWN_XENAPI_PLUGIN_FUNCTION", "sing")
    ]
    assert await api.refused("host.call_plugin", member, "answer.py", "fail", {}) == [
        *("XENAPI_PLUGIN_FAILURE", "fail", "PluginFailed", "the sensor is gone")
    ]


async def test_a_pool_tells_its_license_and_that_its_database_is_safe(api: Client) -> None:
    (pool,) = await api("pool.get_all")

    assert await api("pool.get_license_state", pool) == {"edition": "cardume", "expiry": "never"}
    assert await api("pool.sync_database") == ""
    assert await api("pool.has_extension", pool, "anything") is False
