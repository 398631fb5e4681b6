"""`xe console`, a program of its own against the real API: a terminal for the person, a guest in memory behind it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.unit.cli.test_transfers import xe
from tests.unit.messages.fake_host import Client, FakeHost, api, eventually, host, sr, vm

from cardume.hostops.guests.console import ConsoleKind

__all__ = ["api", "host", "sr", "vm"]

SERIAL = ConsoleKind.SERIAL


async def seen(end: int, wanted: bytes) -> bytes:
    data = b""
    async with asyncio.timeout(30):
        while wanted not in data:
            data += await asyncio.to_thread(os.read, end, 4096)
    return data


@pytest.mark.parametrize("leaves_by", ["key", "guest"])
async def test_the_person_types_into_the_guest_and_sees_it(
    host: FakeHost, api: Client, vm: str, tmp_path: Path, leaves_by: str
) -> None:
    await api("VM.start", vm, False, False)
    guest = host.guests.consoles(await api("VM.get_uuid", vm))
    end, terminal = os.openpty()
    extra = f"server=127.0.0.1,port={host.port},username=root,password=secret"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cardume.cli.xe", "console", "vm=web"),
        env={**os.environ, "XE_EXTRA_ARGS": extra, "HOME": "/nowhere", "XDG_STATE_HOME": str(tmp_path)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        await seen(end, b"Ctrl-] leaves the console.")
        await eventually(lambda: guest.watchers(SERIAL) == 1, 30)
        guest.show(SERIAL, b"login: ")
        await seen(end, b"login: ")
        os.write(end, b"root\r\x03")
        await eventually(lambda: guest.typed[SERIAL] == b"root\r\x03", 30)
        if leaves_by == "key":
            os.write(end, b"x\x1dnever sent")
        else:
            await api("VM.hard_shutdown", vm)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert guest.typed[SERIAL] == b"root\r\x03" + (b"x" if leaves_by == "key" else b"")
    finally:
        os.close(end)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_vm_that_does_not_run_has_no_serial_line(host: FakeHost, vm: str, api: Client, tmp_path: Path) -> None:
    status, _, err = await xe(host, tmp_path, "console", "vm=web")
    assert status == 1
    assert "does not run" in err
