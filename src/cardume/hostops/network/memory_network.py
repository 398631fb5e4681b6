"""A host's network in memory, for tests of what stands above."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_interface

from cardume.hostops.errors import NetworkError
from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.card_facts import CardFacts
from cardume.hostops.network.host_network import BridgeAddresses, Configured
from cardume.hostops.network.networkd import BondPort, BridgePlan, Dhcp, Static, VlanPort


class MemoryNetwork:
    """An honest stand-in for HostNetwork; tests change `nics`, and what cannot be made, by hand."""

    def __init__(self, nics: Sequence[NIC]) -> None:
        self.lock = asyncio.Lock()
        self.nics = {nic.name: nic for nic in nics}
        self.plans = tuple(_plan(nic, nic.bridge) for nic in nics if nic.bridge)
        self.idle: tuple[str, ...] = ()
        self.leases: dict[str, str] = {}  # by bridge: what its DHCP server gives
        self.silent_gateways: set[str] = set()
        self.refusal = ""  # what the kernel says to the next change

    async def cards(self) -> tuple[NIC, ...]:
        return tuple(self.nics.values())

    async def card_facts(self, names: Sequence[str]) -> Mapping[str, CardFacts]:
        found = {name: self.nics.get(name) for name in names}
        return {
            name: CardFacts(nic.carrier, nic.speed_mbps, duplex=True) if nic else CardFacts(carrier=False)
            for name, nic in found.items()
        }

    async def addresses(self, bridge: str) -> BridgeAddresses:
        plan = next((plan for plan in self.plans if plan.bridge == bridge), None)
        if plan is None:
            return BridgeAddresses()
        own, own6 = plan.addressing, plan.ipv6
        return BridgeAddresses(
            ipv4=str(own.addresses[0]) if isinstance(own, Static) else self._lease(plan),
            ipv6=tuple(map(str, own6.addresses)) if isinstance(own6, Static) else (),
            gateway=str(own.gateways[0]) if isinstance(own, Static) and own.gateways else "",
            ipv6_gateway=str(own6.gateways[0]) if isinstance(own6, Static) and own6.gateways else "",
        )

    async def configured(self) -> Mapping[str, Configured]:
        return {plan.bridge: Configured(plan.addressing, plan.ipv6) for plan in self.plans}

    @asynccontextmanager
    async def change(
        self, plans: Sequence[BridgePlan], *, idle: Sequence[str] = (), prove: str = ""
    ) -> AsyncIterator[None]:
        if self.refusal:
            raise NetworkError(self.refusal)
        for plan in plans:
            self._assert_possible(plan, plans, prove)
        before = self.plans, self.idle
        self.plans, self.idle = tuple(plans), tuple(idle)
        try:
            yield
        except BaseException:
            self.plans, self.idle = before
            raise

    async def recover(self) -> None:
        """Nothing outlasts the process."""

    def _assert_possible(self, plan: BridgePlan, plans: Sequence[BridgePlan], prove: str) -> None:
        match plan.made_of:
            case None:
                needed: tuple[str, ...] = (plan.nic,)
            case VlanPort(parent, _):
                needed = (
                    next(
                        (
                            other.made_of.members[0] if isinstance(other.made_of, BondPort) else other.nic
                            for other in plans
                            if other.nic == parent
                        ),
                        parent,
                    ),
                )
            case BondPort(members, _):
                needed = members
        if missing := [name for name in needed if name not in self.nics]:
            raise NetworkError(f"there is no interface {missing[0]}")
        if isinstance(plan.addressing, Dhcp) and not self._lease(plan):
            raise NetworkError(f"{plan.bridge} got no address by DHCP")
        if plan.bridge == prove and isinstance(plan.addressing, Static):
            for gateway in map(str, plan.addressing.gateways):
                if gateway in self.silent_gateways:
                    raise NetworkError(f"the gateway {gateway} does not answer on {plan.bridge}")

    def _lease(self, plan: BridgePlan) -> str:
        return self.leases.get(plan.bridge, "") if isinstance(plan.addressing, Dhcp) else ""


def _plan(nic: NIC, bridge: str) -> BridgePlan:
    """As `cardume host setup` leaves a card."""
    own = nic.ipv4
    if own is None:
        return BridgePlan(bridge, nic.name, nic.mac, nic.mtu)
    gateways = (ip_address(own.gateway),) if own.gateway else ()
    addressing = Static((ip_interface(f"{own.address}/{own.netmask}"),), gateways)
    return BridgePlan(bridge, nic.name, nic.mac, nic.mtu, addressing)
