"""VM_group: VMs that are placed with regard to each other."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.vm import VM


@named("placement_policy")
class PlacementPolicy(StrEnum):
    """How the VMs of a group are spread over hosts."""

    ANTI_AFFINITY = "anti_affinity"
    NORMAL = "normal"


@xenclass(name="VM_group", role=Role.VM_ADMIN, constructor=True)
class VMGroup:
    """VMs that are placed with regard to each other, such as never on one host."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the group's name", "")
    name_description: str = field(RW, "notes about the group", "")
    VMs: Set[Ref[VM]] = field(RO, "the VMs", backref="VM.groups")
    placement: PlacementPolicy = field(STATIC_RO, "how the VMs are spread over hosts", PlacementPolicy.NORMAL)
