"""The network of one host as a whole: its cards, and the bridges that Cardume joins them to."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from cardume.hostops.host_parsers import NIC
from cardume.hostops.network.card_facts import CardFacts
from cardume.hostops.network.networkd import Addressing, Addressing6, BridgePlan


@dataclass(frozen=True, slots=True)
class BridgeAddresses:
    """The host's own addresses on a bridge, each with its prefix length, and the gateways there."""

    ipv4: str = ""
    ipv6: tuple[str, ...] = ()
    gateway: str = ""
    ipv6_gateway: str = ""


@dataclass(frozen=True, slots=True)
class Configured:
    """How a bridge is told to get its addresses; whether it has them is another matter."""

    ipv4: Addressing
    ipv6: Addressing6 | None


class HostNetwork(Protocol):
    """What Cardume has made of the cards of one host. It outlasts a restart of the host."""

    lock: asyncio.Lock
    """Held from reading what there is to having changed it: a plan is of the host's whole network."""

    async def cards(self) -> tuple[NIC, ...]:
        """The physical network cards, those under a bridge too."""
        ...

    async def card_facts(self, names: Sequence[str]) -> Mapping[str, CardFacts]:
        """Carrier, speed and make of cards."""
        ...

    async def addresses(self, bridge: str) -> BridgeAddresses:
        """The host's own addresses on a bridge."""
        ...

    async def configured(self) -> Mapping[str, Configured]:
        """The bridges whose configuration is Cardume's, with how they get their addresses."""
        ...

    def change(
        self, plans: Sequence[BridgePlan], *, idle: Sequence[str] = (), prove: str = ""
    ) -> AbstractAsyncContextManager[None]:
        """Have exactly these bridges with their ports; on entry all is there and works.

        NetworkError when that cannot be: then, when the block fails, and when the host stops before the block has
        ended, all is as it was. A bridge that guests are plugged into is never removed: BridgeInUse.

        idle: cards that stay down. prove: the bridge whose gateway has to answer before the change counts as good.
        """
        ...

    async def recover(self) -> None:
        """Take back a change that a crash left unfinished; before anything else is done."""
        ...
