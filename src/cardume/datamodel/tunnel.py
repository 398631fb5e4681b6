"""tunnel: a network between hosts that is carried inside another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF


@named("tunnel_protocol")
class TunnelProtocol(StrEnum):
    """How a tunnel wraps its frames."""

    GRE = "gre"
    VXLAN = "vxlan"


@xenclass(name="tunnel", role=Role.POOL_OPERATOR)
class Tunnel:
    """One host's end of a network that is carried inside another."""

    uuid: str = field(RO, "the object's unique identifier")
    access_PIF: Ref[PIF] = field(STATIC_RO, "the interface that VMs' traffic enters by", NULL)
    transport_PIF: Ref[PIF] = field(STATIC_RO, "the interface that carries the wrapped frames", NULL)
    status: Mapping[str, str] = field(RW, "how it does; the key active is true while it works", {"active": "false"})
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
    protocol: TunnelProtocol = field(RW, "how frames are wrapped", TunnelProtocol.GRE)

    @message(errors=("OPENVSWITCH_NOT_ACTIVE", "TRANSPORT_PIF_NOT_CONFIGURED", "IS_TUNNEL_ACCESS_PIF"))
    @staticmethod
    def create(
        transport_PIF: Ref[PIF], network: Ref[Network], protocol: TunnelProtocol = TunnelProtocol.GRE
    ) -> Ref[Tunnel]:
        """Make a host's end of a tunnelled network on one of its interfaces."""

    @message()
    def destroy(self) -> None:
        """Remove a host's end of a tunnelled network."""
