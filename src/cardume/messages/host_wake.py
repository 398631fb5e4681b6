"""host: switched on from afar, by the packet that its network card listens for."""

import asyncio
from collections.abc import Mapping

from cardume.core.wake_on_lan import WAKE_ON_LAN, broadcast_address
from cardume.datamodel import errors
from cardume.datamodel.host import Host, HostOperation
from cardume.datamodel.pif import PIF
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.failures import machine_failures
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements
from cardume.messages.storage_values import is_live
from cardume.pooldb.db import Reader

BOOT_TIMEOUT_S = 900.0
"""Servers test their memory first."""
AGAIN_S = 30.0
"""A packet may get lost, and a card sleeps deeply while the machine is just going off."""
LOOK_S = 0.5


@implements(Host.set_power_on_mode)
async def set_power_on_mode(
    call: Call, self_: Ref[Host], power_on_mode: str, power_on_config: Mapping[str, str]
) -> None:
    if power_on_mode not in ("", WAKE_ON_LAN):
        raise errors.INVALID_VALUE("power_on_mode", power_on_mode)
    await call.db.update(self_, power_on_mode=power_on_mode, power_on_config=power_on_config)


@implements(Host.power_on, as_task=True)
async def power_on(call: Call, host: Ref[Host]) -> None:
    """Return when the host works in the pool again; it may be on and do so later, when this gives up."""
    async with operation(call, host, HostOperation.POWER_ON):
        card, own = _management(call.db, host), _management(call.db, call.localhost)
        try:
            everybody = broadcast_address(own.IP, own.netmask)
        except ValueError:
            raise errors.INTERFACE_HAS_NO_IP(own.device) from None
        machine = call.hosts.hands(call.localhost).machine
        try:
            async with asyncio.timeout(BOOT_TIMEOUT_S):
                while not is_live(call.db, host):
                    with machine_failures():
                        await machine.wake(card.MAC, everybody)
                    await _until_live(call.db, host, AGAIN_S)
        except TimeoutError:
            raise errors.HOST_NOT_LIVE() from None


def _management(db: Reader, host: Ref[Host]) -> PIF:
    """The interface by which a host is reached."""
    pifs = (db.get(pif) for pif in db.get(host).PIFs)
    found = next((pif for pif in pifs if pif.management), None)
    if found is None:
        raise errors.HOST_HAS_NO_MANAGEMENT_IP()
    return found


async def _until_live(db: Reader, host: Ref[Host], timeout_s: float) -> None:
    for _ in range(round(timeout_s / LOOK_S)):
        if is_live(db, host):
            return
        await asyncio.sleep(LOOK_S)
