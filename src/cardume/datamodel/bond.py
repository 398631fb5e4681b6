"""Bond: several interfaces of a host that work as one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF


@named("bond_mode")
class BondMode(StrEnum):
    """How a bond shares its traffic out."""

    BALANCE_SLB = "balance-slb"
    ACTIVE_BACKUP = "active-backup"
    LACP = "lacp"


@xenclass(role=Role.POOL_OPERATOR)
class Bond:
    """Several interfaces of a host that work as one: more bandwidth, or another way when a cable fails."""

    uuid: str = field(RO, "the object's unique identifier")
    master: Ref[PIF] = field(STATIC_RO, "the interface that stands for all members", NULL)
    slaves: Set[Ref[PIF]] = field(RO, "the members", backref="PIF.bond_slave_of")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
    primary_slave: Ref[PIF] = field(RO, "the member whose hardware address and settings the bond took over")
    mode: BondMode = field(RO, "how traffic is shared out", BondMode.BALANCE_SLB)
    properties: Mapping[str, str] = field(RO, "settings of the mode, such as hashing_algorithm")
    links_up: int = field(RO, "how many members have a signal")
    auto_update_mac: bool = field(RO, "true when the bond's hardware address follows its primary member", True)

    @message()
    @staticmethod
    def create(
        network: Ref[Network],
        members: Set[Ref[PIF]],
        MAC: str,
        mode: BondMode = BondMode.BALANCE_SLB,
        properties: Mapping[str, str] = NO_MAP,
    ) -> Ref[Bond]:
        """Bind interfaces of a host together; VLANs and addresses of the first that has any move to the bond."""

    @message()
    def destroy(self) -> None:
        """Take a bond apart; what was on it moves to its primary member."""

    @message()
    def set_mode(self, value: BondMode) -> None:
        """Change how traffic is shared out."""

    @message()
    def set_property(self, name: str, value: str) -> None:
        """Change a setting of the mode."""
