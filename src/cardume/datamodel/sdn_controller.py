"""SDN_controller: a program that steers the pool's virtual switches."""

from __future__ import annotations

from enum import StrEnum

from cardume.datamodel.declare import RO, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role


@named("sdn_controller_protocol")
class SDNControllerProtocol(StrEnum):
    """Who opens the connection between a switch and its controller, and whether TLS protects it."""

    SSL = "ssl"
    PSSL = "pssl"


@xenclass(name="SDN_controller", role=Role.POOL_OPERATOR)
class SDNController:
    """A program elsewhere that tells the virtual switches of every host how to forward."""

    uuid: str = field(RO, "the object's unique identifier")
    address: str = field(STATIC_RO, "where it listens, or is let in from", "")
    port: int = field(STATIC_RO, "its TCP port", 0)
    protocol: SDNControllerProtocol = field(
        STATIC_RO, "whether the switch connects (ssl) or waits (pssl)", SDNControllerProtocol.SSL
    )

    @message()
    def forget(self) -> None:
        """Take the pool's virtual switches back."""

    @message()
    @staticmethod
    def introduce(
        protocol: SDNControllerProtocol = SDNControllerProtocol.SSL, address: str = "", port: int = 0
    ) -> Ref[SDNController]:
        """Give the pool's virtual switches to this controller."""
