"""What a member does on an operator's word when it does not find its master."""

import ipaddress
from typing import Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.pool import Pool
from cardume.messages.call import Call
from cardume.messages.registry import implements


class Membership(Protocol):
    """This host as a member of its pool; `daemons/member.py` is the implementation. A master has none."""

    async def follow(self, master_address: str) -> None: ...


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
