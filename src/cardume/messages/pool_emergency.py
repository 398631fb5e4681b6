"""What a member does on an operator's word when it does not find its master."""

import ipaddress
from typing import Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.pool import Pool
from cardume.messages.call import Call
from cardume.messages.registry import implements


class Membership(Protocol):
    """This host as a member of its pool; `daemons/membership.py` is the implementation. A master has none."""

    async def follow(self, master_address: str) -> None: ...

    async def take_over(self) -> None:
        """NOT_IN_EMERGENCY_MODE, OPERATION_NOT_ALLOWED."""
        ...


@implements(Pool.emergency_reset_master)
async def emergency_reset_master(call: Call, master_address: str) -> None:
    """Only a host that has the pool's certificate is taken for the master, whatever the address."""
    if "membership" not in call.services:
        raise errors.NOT_IN_EMERGENCY_MODE()
    try:
        ipaddress.ip_address(master_address)
    except ValueError:
        raise errors.INVALID_IP_ADDRESS_SPECIFIED("master_address") from None
    call.log.warning("master_reset", master=master_address, user=call.caller.user)
    await cast(Membership, call.services["membership"]).follow(master_address)


@implements(Pool.emergency_transition_to_master)
async def emergency_transition_to_master(call: Call) -> None:
    """Refused while the master is connected: that one hands over by `designate_new_master`."""
    if "membership" not in call.services:
        raise errors.NOT_IN_EMERGENCY_MODE()
    if (await call.hosts.hands(call.localhost).ha.status()).is_armed:
        raise errors.HA_IS_ENABLED()  # the HA daemon decides who is the master
    call.log.warning("emergency_transition", user=call.caller.user)
    await cast(Membership, call.services["membership"]).take_over()
