"""What a pool answers about its failover plan: asked while somebody looks at it, and not faster than it changes."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey

EVERY_S = 5.0
MOST_HOSTS = 64
AT_ONCE = 8
Places = Mapping[str, Mapping[str, str]]
"""For each VM: `host` where it would start, or `error_code` with the reason why it would not."""


@dataclass(frozen=True)
class Plan:
    """The answers of one moment, by host that is imagined to die."""

    most: int | None = None  # failures that could be made up for
    places: Mapping[str, Places] = field(default_factory=dict)
    failure: Exception | None = None
    asked_at: float = 0.0


class PlanWatch:
    """The newest plan of each pool that somebody looks at."""

    def __init__(self) -> None:
        self._plans: dict[Connection, Plan] = {}
        self._asking: set[Connection] = set()

    def newest(self, connection: Connection) -> Plan:
        """What was answered last; empty before the first answer."""
        return self._plans.get(connection, Plan())

    def is_due(self, connection: Connection) -> bool:
        """True when nobody asks, and the last answers are old."""
        asked_at = self.newest(connection).asked_at
        return connection not in self._asking and (not asked_at or time.monotonic() - asked_at > EVERY_S)

    async def ask(self, connection: Connection, protected: Sequence[str], hopeful: Sequence[str]) -> None:
        """Ask about every host's death; `hopeful` are VMs that take what room is left."""
        if connection in self._asking:
            return
        self._asking.add(connection)
        try:
            plan = await ask_plan(connection, protected, hopeful)
        except (Refused, Unreachable, UntrustedKey) as failure:
            plan = Plan(failure=failure, asked_at=time.monotonic())
        finally:
            self._asking.discard(connection)
        self._plans[connection] = plan


async def ask_plan(connection: Connection, protected: Sequence[str], hopeful: Sequence[str]) -> Plan:
    """How many failures are made up for, and where each VM of each host would start again."""
    most = int(await connection.call("pool.ha_compute_max_host_failures_to_tolerate"))
    turns = asyncio.Semaphore(AT_ONCE)

    async def of(host: str) -> tuple[str, Places]:
        async with turns:
            certain = _of_host(connection, protected, host)
            found: Places = (
                await connection.call("pool.ha_compute_vm_failover_plan", [host], certain) if certain else {}
            )
            rest = _of_host(connection, hopeful, host)
            if rest:
                # After the protected ones, and never in the place of one of them.
                wider: Places = await connection.call("pool.ha_compute_vm_failover_plan", [host], [*certain, *rest])
                found = {**{vm: wider[vm] for vm in rest if vm in wider}, **found}
            return host, found

    hosts = list(connection.cache.all("host"))[:MOST_HOSTS]
    answers = await asyncio.gather(*(of(host) for host in hosts), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return Plan(most, dict(answer for answer in answers if isinstance(answer, tuple)), asked_at=time.monotonic())


def _of_host(connection: Connection, vms: Sequence[str], host: str) -> list[str]:
    records: list[tuple[str, Record]] = list(connection.cache.each("vm", vms))
    return [ref for ref, vm in records if vm["resident_on"] == host]
