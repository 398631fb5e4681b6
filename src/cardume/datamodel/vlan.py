"""VLAN: tagged traffic of an interface, as an interface of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF


@xenclass(role=Role.POOL_OPERATOR)
class VLAN:
    """The traffic with one tag on an interface, as an interface of its own."""

    uuid: str = field(RO, "the object's unique identifier")
    tagged_PIF: Ref[PIF] = field(STATIC_RO, "the interface on whose wire the frames carry the tag", NULL)
    untagged_PIF: Ref[PIF] = field(RO, "the interface that has their traffic without the tag")
    tag: int = field(STATIC_RO, "the tag", -1)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def create(tagged_PIF: Ref[PIF], tag: int, network: Ref[Network]) -> Ref[VLAN]:
        """Make an interface of one tag's traffic, and join it to a network."""

    @message()
    def destroy(self) -> None:
        """Remove the VLAN with its interface; nothing may use it."""
