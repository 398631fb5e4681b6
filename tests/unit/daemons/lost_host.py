"""A pool of two with high availability whose first host is to be lost; the second one is the master."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.unit.messages.test_ha_enabling import Ha, ha
from tests.unit.messages.test_vm_migration import two

from cardume.core.survival import Verdict
from cardume.daemons.ha_restarts import HaRestarts
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.message import Message
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.ha.interface import HaEvent, HaEventKind
from cardume.hostops.hands import Hands
from cardume.messages import vm_power
from cardume.messages.ha import set_ha_host_failures_to_tolerate
from cardume.messages.ha_plan import the_pool
from cardume.messages.vm_protection import set_ha_restart_priority

__all__ = ["ha", "two"]


@dataclass
class Lost:
    """The first host, which ran the VM, is to be lost; the second one is the master."""

    ha: Ha
    restarts: HaRestarts
    connected: set[Ref[Host]]
    came: Counter[Ref[Host]]
    started: list[tuple[Ref[VM], Ref[Host]]] = field(default_factory=list)
    obeyed: list[Verdict] = field(default_factory=list)
    failing: dict[Ref[VM], ApiError] = field(default_factory=dict)

    @property
    def db(self) -> Any:
        return self.ha.two.db

    async def power_cut(self) -> None:
        """The first host is gone, and nobody knows it yet."""
        first = self.ha.two.first
        self.connected.discard(first.host)
        await self.db.update(self.db.get(first.host).metrics, live=False)

    async def declare(self) -> None:
        """The HA daemons know it."""
        self.ha.second.declare(self.ha.first.uuid)
        await self.hear()

    async def act(self) -> None:
        await self.restarts.follow_verdict()
        await self.restarts.act()

    async def hear(self) -> None:
        for event in await self.ha.second.events(0, timeout_s=0.01):
            self.restarts.take(event)

    def where(self, vm: Ref[VM]) -> tuple[VMPowerState, Ref[Host]]:
        record = self.db.get(vm)
        return record.power_state, record.resident_on

    def alerts(self) -> list[str]:
        return [alert.name for alert in self.db.all(Message).values()]


@dataclass
class Connected:
    by_ref: dict[Ref[Host], Hands]
    connected: set[Ref[Host]]
    dropped: list[Ref[Host]] = field(default_factory=list)
    came: Counter[Ref[Host]] = field(default_factory=Counter)

    def hands(self, host: Ref[Host]) -> Hands:
        if host not in self.connected:
            raise errors.HOST_OFFLINE(host)
        return self.by_ref[host]

    def is_connected(self, host: Ref[Host]) -> bool:
        return host in self.connected

    def arrivals(self, host: Ref[Host]) -> int:
        return self.came[host]

    async def drop(self, host: Ref[Host]) -> None:
        self.connected.discard(host)
        self.dropped.append(host)


@pytest.fixture
async def lost(ha: Ha) -> Lost:
    two = ha.two
    pool, _ = the_pool(two.db)
    await set_ha_restart_priority(two.call, two.vm, "restart")
    await ha.enable()
    ha.second._shared.master = ha.second.uuid
    await two.db.update(pool, master=two.second.host)
    await set_ha_host_failures_to_tolerate(two.call, pool, 1)
    connected = Connected(two.hands, {two.first.host, two.second.host})

    async def start_again(vm: Ref[VM], host: Ref[Host]) -> None:
        if vm in made.failing:
            raise made.failing[vm]
        await vm_power.start_again(two.call, vm, host)
        made.started.append((vm, host))

    async def start(vm: Ref[VM]) -> None:
        if vm in made.failing:
            raise made.failing[vm]
        await vm_power.start(two.call, vm, False, False)
        made.started.append((vm, two.db.get(vm).resident_on))

    async def obey(verdict: Verdict) -> None:
        made.obeyed.append(verdict)

    restarts = HaRestarts(two.db, connected, two.second.host, start_again, start, obey)
    made = Lost(ha, restarts, connected.connected, connected.came)
    ha.second.tell(HaEvent(0, HaEventKind.LEAD, 1, ha.second.uuid))
    return made


async def waits(lost: Lost, vm: Ref[VM], order: int = 0) -> None:
    await lost.db.update(vm, ha_restart_priority="restart", ha_always_run=True, order=order)
