"""Feature: an ability of a host that is tried out, and that can be on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@xenclass(role=Role.POOL_OPERATOR)
class Feature:
    """An ability of a host that is tried out, and that can be on or off."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the feature's name", "")
    name_description: str = field(STATIC_RO, "what it brings", "")
    enabled: bool = field(RO, "true when it is on")
    experimental: bool = field(STATIC_RO, "true while it is on trial", False)
    version: str = field(STATIC_RO, "the feature's version", "1.0")
    host: Ref[Host] = field(RO, "the host that has it")
