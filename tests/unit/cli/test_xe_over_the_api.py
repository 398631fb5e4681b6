"""`xe` as a program of its own against the real API: over TLS, and over the socket of the host's daemon."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.api.served_api import Api
from tests.unit.api.served_api import served as served_api

from cardume.cli.arguments import Settings
from cardume.cli.server import connect
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.call import Call
from cardume.messages.registry import IMPLEMENTATIONS, Implementation

PASSWORD = "root-pw"


@dataclass(frozen=True)
class Served:
    """The real API, and the program run against it."""

    api: Api
    state: Path  # where the program remembers certificates

    async def xe(self, *arguments: str, password: str = PASSWORD) -> tuple[int | None, str, str]:
        """Run the program; its exit status and what it printed."""
        process = await self.begin(*arguments, password=password)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), err.decode()

    async def begin(self, *arguments: str, password: str = PASSWORD) -> asyncio.subprocess.Process:
        """Start the program."""
        # The password goes the way that process listings do not show.
        extra = f"server=127.0.0.1,port={self.api.server.port},username=root,password={password}"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cardume.cli.xe",
            *arguments,
            env={**os.environ, "XE_EXTRA_ARGS": extra, "HOME": "/nowhere", "XDG_STATE_HOME": str(self.state)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A test run in the background was told to ignore Ctrl-C; a program at a terminal is not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    @property
    def vm(self) -> VM:
        """The pool's one VM as it is now."""
        return self.api.db.get(self.api.vm)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_api(tmp_path) as api:
        await api.db.update(api.vm, name_label="máquina", power_state=VMPowerState.RUNNING, resident_on=api.host)
        yield Served(api, tmp_path / "state")


async def test_a_list_over_tls_has_xenservers_form(served: Served) -> None:
    uuid = served.vm.uuid
    assert await served.xe("vm-list") == (
        0,
        f"uuid ( RO)           : {uuid}\n     name-label ( RW): máquina\n    power-state ( RO): running\n\n\n",
        "",
    )


async def test_fields_are_set_and_read_back(served: Served) -> None:
    uuid = f"uuid={served.vm.uuid}"
    assert await served.xe("vm-param-set", uuid, "name-description=a, b", "HVM-boot-params:order=cd") == (0, "", "")
    assert await served.xe("vm-param-add", uuid, "param-name=tags", "param-key=lab") == (0, "", "")
    record = served.vm
    assert (record.name_description, dict(record.HVM_boot_params), record.tags) == ("a, b", {"order": "cd"}, ("lab",))
    assert await served.xe("vm-list", "tags:contains=lab", "params=resident-on", "--minimal") == (
        0,
        f"{served.api.db.get(served.api.host).uuid}\n",
        "",
    )


async def test_a_wrong_password_and_an_unknown_uuid_end_with_1_and_a_sentence(served: Served) -> None:
    assert await served.xe("vm-list", password="wrong") == (
        1,
        "",
        "Authentication failed\nFor usage run: 'xe help'\n",
    )
    assert await served.xe("vm-param-list", "uuid=none") == (
        1,
        "",
        "No object of this class has this uuid.\ntype: VM\nuuid: none\n",
    )


async def test_root_needs_no_password_at_the_socket_of_its_host(served: Served) -> None:
    def names() -> list[str]:
        server = connect(Settings(), served.api.socket)
        server.login("root", "")
        records = server.call("VM.get_all_records")
        server.logout()
        return [record["name_label"] for record in records.values()]

    assert await asyncio.wait_for(asyncio.to_thread(names), 30) == ["máquina"]


async def test_waiting_for_an_event_ends_once_the_vm_has_changed(served: Served) -> None:
    waiting = asyncio.create_task(served.xe("event-wait", "class=vm", "name-label=renamed"))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await served.api.db.update(served.api.vm, name_label="renamed")
    assert await asyncio.wait_for(waiting, 30) == (0, "", "")


async def test_ctrl_c_cancels_the_work_and_waits_for_its_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def suspend(call: Call, vm: Ref[VM]) -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    monkeypatch.setitem(IMPLEMENTATIONS, "VM.suspend", Implementation(suspend, as_task=True))
    process = await served.begin("vm-suspend", "vm=máquina")
    await asyncio.wait_for(began.wait(), 30)
    await asyncio.sleep(0.3)  # let the program begin to watch the task
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert ended.is_set()
    assert process.returncode == 1
    assert "Cancelling" in err.decode()
    assert "The task was cancelled." in err.decode()
