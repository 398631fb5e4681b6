"""What guests are asked by their agents, and by ACPI where there is none that answers."""

import json
import time
from typing import Protocol

import structlog

from cardume.hostops.errors import GuestBadState, GuestError
from cardume.hostops.guests.agent import QUESTIONS, facts_from
from cardume.hostops.guests.domain_view import view_of
from cardume.hostops.guests.guest import AgentFacts
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_link import LinkCall
from cardume.hostops.guests.libvirt_looking import get_state
from cardume.hostops.guests.libvirt_thread import CallTimedOut

log = structlog.get_logger()

_LOOK_S = 0.2


class Asking(Protocol):
    def __call__(self, connection: Connection, uuid: str, /, *, by_agent: bool) -> None: ...


class Agents:
    """The agents of this host's guests."""

    def __init__(self, call: LinkCall) -> None:
        self._call = call

    async def request(self, uuid: str, what: str, ask: Asking) -> None:
        """Ask for a shutdown or a reboot: by agent, else by ACPI."""

        def work(connection: Connection) -> None:
            state = get_state(connection, uuid)
            if state.paused:
                raise GuestBadState(f"guest {uuid} is paused and cannot hear a request")
            if view_of(state.xml).agent_connected:
                try:
                    ask(connection, uuid, by_agent=True)
                    return
                except ConnectionLost:
                    raise
                except GuestError as error:
                    log.info("guest_agent_refused", guest=uuid, request=what, error=str(error))
            ask(connection, uuid, by_agent=False)

        await self._call(uuid, what, work)

    async def facts(self, uuid: str, timeout_s: float) -> AgentFacts | None:
        def work(connection: Connection) -> AgentFacts | None:
            if not view_of(get_state(connection, uuid).xml).agent_connected:
                return None
            return _ask_all(connection, uuid, time.monotonic() + timeout_s)

        try:
            return await self._call(uuid, "agent_facts", work, timeout_s=timeout_s + 1)
        except CallTimedOut:
            return None

    async def set_clock(self, uuid: str, timeout_s: float) -> bool:
        def work(connection: Connection) -> bool:
            deadline = time.monotonic() + timeout_s
            # A guest that has just gone on: libvirt hears of its agent a little later.
            while not view_of(get_state(connection, uuid).xml).agent_connected:
                if time.monotonic() > deadline:
                    return False
                time.sleep(_LOOK_S)
            now = {"execute": "guest-set-time", "arguments": {"time": time.time_ns()}}
            connection.ask_agent(uuid, json.dumps(now), max(1, int(timeout_s)))
            return True

        try:
            return await self._call(uuid, "set the clock of", work, timeout_s=2 * timeout_s + 1)
        except GuestError as error:
            log.info("guest_clock_not_set", guest=uuid, reason=str(error))
            return False


def _ask_all(connection: Connection, uuid: str, deadline: float) -> AgentFacts | None:
    replies = {}
    for question in QUESTIONS:
        left_s = int(deadline - time.monotonic())
        if left_s < 1:
            break
        try:
            replies[question] = connection.ask_agent(uuid, json.dumps({"execute": question}), left_s)
        except ConnectionLost:
            raise
        except GuestError:
            if not replies:
                return None  # it does not answer the simplest question
    return facts_from(replies) if replies else None
