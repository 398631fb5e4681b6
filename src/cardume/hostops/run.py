"""Programs: run one to its end with a timeout, its output, and its end when the caller is cancelled."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from cardume.hostops.errors import RunError, RunTimeout


async def run(
    *command: str,
    timeout_s: float,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> str:
    """The standard output of a program that ended well.

    Raises RunError with the end of its output when it did not, RunTimeout when it did not end in time.
    Its whole process group is killed when the time is up or the caller is cancelled.
    `on_output` is called with each piece of standard output as it comes.
    """
    async with process(*command, env=env, feed=stdin is not None) as child:
        try:
            async with asyncio.timeout(timeout_s):
                stdout, stderr = await _communicate(child, stdin, on_output)
                status = await child.wait()
        except TimeoutError:
            raise RunTimeout(command, -signal.SIGKILL, f"no end after {timeout_s:g} s") from None
    if status != 0:
        raise RunError(command, status, stderr or stdout)
    return stdout


@asynccontextmanager
async def process(
    *command: str, env: Mapping[str, str] | None = None, feed: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running program in a process group of its own, which is gone when the block is left."""
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if feed else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**_own_environment(), "LC_ALL": "C.UTF-8", **(env or {})},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise RunError(command, 127, f"{command[0]} is not installed") from None
    try:
        yield child
    finally:
        if child.returncode is None:
            # A program that ended a moment ago may be buried by asyncio's watcher before the loop hears of its end.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await asyncio.shield(child.wait())


def _own_environment() -> dict[str, str]:
    """This process's environment without its line to systemd: a program such as etcd would say there that it is up."""
    return {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}


async def _communicate(
    child: asyncio.subprocess.Process, stdin: bytes | None, on_output: Callable[[str], None] | None
) -> tuple[str, str]:
    async def feed() -> None:
        if stdin is not None:
            assert child.stdin is not None
            child.stdin.write(stdin)
            await child.stdin.drain()
            child.stdin.close()

    async def read(stream: asyncio.StreamReader | None, sink: Callable[[str], None] | None) -> str:
        assert stream is not None
        pieces = []
        while piece := await stream.read(65536):
            text = piece.decode("utf-8", "replace")
            pieces.append(text)
            if sink is not None:
                sink(text)
        return "".join(pieces)

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        stdout = group.create_task(read(child.stdout, on_output))
        stderr = group.create_task(read(child.stderr, None))
    return stdout.result(), stderr.result()
