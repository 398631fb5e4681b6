"""The Python SDK, as scripts and Ansible use it, over TLS on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from tests.unit.api.served_api import Api, served


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


async def test_a_script_logs_in_reads_and_writes_fields_and_logs_out(api: Api) -> None:
    def script() -> list[Any]:
        client = api.logged_in()
        vm = client.xenapi.VM.get_by_name_label("vm-1")[0]
        pool = client.xenapi.pool.get_all()[0]
        client.xenapi.VM.set_name_description(vm, "São Paulo <&> ] \n fim")
        client.xenapi.pool.add_to_other_config(pool, "folder", "/a")
        client.xenapi.pool.remove_from_other_config(pool, "folder")
        client.xenapi.pool.remove_from_other_config(pool, "folder")
        client.xenapi.VM.add_tags(vm, "lab")
        client.xenapi.VM.add_tags(vm, "lab")
        record = client.xenapi.VM.get_record(vm)
        other_config = client.xenapi.pool.get_other_config(pool)
        client.xenapi.session.logout()
        return [record["name_description"], other_config, record["tags"], record["memory_static_max"]]

    assert await api.blocking(script) == ["São Paulo <&> ] \n fim", {}, ["lab"], "0"]


async def test_the_api_version_is_read_through_pool_and_host(api: Api) -> None:
    await api.db.update(api.host, API_version_major=2, API_version_minor=21)
    assert await api.blocking(lambda: api.logged_in().API_version) == "2.21"


async def test_a_wrong_password_is_refused_with_the_user_and_a_message(api: Api) -> None:
    with pytest.raises(XenAPI.Failure) as refused:
        await api.blocking(lambda: api.client().login_with_password("root", "wrong"))
    assert refused.value.details == ["SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure"]


async def test_the_sdk_logs_in_again_once_its_session_was_ended(api: Api) -> None:
    client = await api.blocking(api.logged_in)
    await api.server.sessions.close(client.handle)
    assert await api.blocking(lambda: client.xenapi.VM.get_all()) == [api.vm]


async def test_two_scripts_add_different_keys_at_once_and_none_is_lost(api: Api) -> None:
    def script(prefix: str) -> None:
        client = api.logged_in()
        for number in range(20):
            client.xenapi.pool.add_to_other_config(str(api.pool), f"{prefix}{number}", "x")

    await asyncio.gather(api.blocking(lambda: script("a")), api.blocking(lambda: script("b")))
    assert len(api.db.get(api.pool).other_config) == 40
