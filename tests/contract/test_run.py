"""Programs of the machine, run and ended; needs no more than `sleep`."""

import asyncio
import os
import signal
import time

import pytest

from cardume.hostops.errors import RunTimeout
from cardume.hostops.run import process, run


async def test_a_program_that_ended_by_itself_at_the_last_moment_can_be_left() -> None:
    async with process("sleep", "60") as child:
        os.kill(child.pid, signal.SIGTERM)
        time.sleep(0.5)  # noqa: ASYNC251 - the loop must not hear of the end before the block is left
        assert child.returncode is None
    assert child.returncode == -signal.SIGTERM


async def test_a_program_that_takes_too_long_is_gone_when_its_caller_goes_on() -> None:
    with pytest.raises(RunTimeout):
        await run("sleep", "60", timeout_s=0.2)
    assert sleeping_children() == []


async def test_a_caller_that_is_cancelled_leaves_no_program_behind() -> None:
    running = asyncio.create_task(run("sleep", "60", timeout_s=60))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sleeping_children() == []


def sleeping_children() -> list[str]:
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as children:
        return [pid for pid in children.read().split() if _name(pid) == "sleep"]


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except FileNotFoundError:
        return ""


async def test_a_program_cannot_speak_to_systemd_for_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert "NOTIFY_SOCKET" not in await run("env", timeout_s=60)
