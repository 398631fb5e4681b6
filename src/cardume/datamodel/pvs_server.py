"""PVS_server: a streaming server of a Provisioning site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.pvs_site import PVSSite


@xenclass(name="PVS_server", role=Role.POOL_OPERATOR)
class PVSServer:
    """A streaming server of a Provisioning site."""

    uuid: str = field(RO, "the object's unique identifier")
    addresses: Set[str] = field(STATIC_RO, "its addresses", ())
    first_port: int = field(STATIC_RO, "the lowest UDP port that it streams from", 0)
    last_port: int = field(STATIC_RO, "the highest UDP port that it streams from", 0)
    site: Ref[PVSSite] = field(STATIC_RO, "the site that it belongs to", NULL)

    @message()
    @staticmethod
    def introduce(addresses: Set[str], first_port: int, last_port: int, site: Ref[PVSSite]) -> Ref[PVSServer]:
        """Make a streaming server known to the pool."""

    @message()
    def forget(self) -> None:
        """Forget the server."""
