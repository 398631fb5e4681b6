"""Single questions between hosts of a pool, whichever of them is the master: a call, an answer, and good-bye."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cardume.channel.link import Link
from cardume.channel.pki import PoolFiles
from cardume.channel.sockets import PORT, QUESTIONS, Arrived, SocketWire, dialled
from cardume.hostops.errors import HostError

ON = "pool"

Answer = Callable[[str, str, dict[str, Any]], Awaitable[Any]]
"""Given the uuid of the host that asks, what it wants, and the parameters: the answer, as JSON."""


async def ask_host(
    files: PoolFiles,
    own_uuid: str,
    address: str,
    do: str,
    given: dict[str, Any],
    *,
    timeout_s: float,
    expect: str = "",
    port: int = PORT,
) -> Any:
    """A host's answer. HostError when it cannot be asked, or says no; what it raises comes as it is."""
    async with dialled(files, own_uuid, address, expect=expect, port=port, path=QUESTIONS) as wire:
        link = Link(wire, _nothing)
        carried = asyncio.create_task(link.run())
        try:
            return await link.ask(ON, do, given, timeout_s=timeout_s)
        finally:
            await link.close()
            await carried


def answering(answer: Answer) -> Arrived:
    """What `listening` does with a host that has questions."""

    async def asked(uuid: str, wire: SocketWire) -> None:
        async def reply(on: str, do: str, given: dict[str, Any]) -> Any:
            if on != ON:
                raise HostError(f"questions are about the {ON}, not {on}")
            return await answer(uuid, do, given)

        await Link(wire, reply).run()

    return asked


async def _nothing(on: str, do: str, given: dict[str, Any]) -> Any:
    raise HostError("this host only asks")
