"""GPU_group: graphics processors of the pool that are alike, so that a VM can do with any of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.pgpu import PGPU
    from cardume.datamodel.vgpu import VGPU
    from cardume.datamodel.vgpu_type import VGPUType


@named("allocation_algorithm")
class AllocationAlgorithm(StrEnum):
    """How virtual cards are placed on the processors of a group."""

    BREADTH_FIRST = "breadth_first"
    DEPTH_FIRST = "depth_first"


@xenclass(name="GPU_group", role=Role.POOL_OPERATOR)
class GPUGroup:
    """Graphics processors of the pool that are alike, so that a VM can do with any of them."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the group's name", "")
    name_description: str = field(RW, "notes about the group", "")
    PGPUs: Set[Ref[PGPU]] = field(RO, "the processors in it", backref="PGPU.GPU_group")
    VGPUs: Set[Ref[VGPU]] = field(RO, "the virtual cards that come from it", backref="VGPU.GPU_group")
    GPU_types: Set[str] = field(RO, "vendor and device numbers of the processors in it")
    allocation_algorithm: AllocationAlgorithm = field(
        RW, "whether cards are spread over its processors, or fill one after the other", AllocationAlgorithm.DEPTH_FIRST
    )
    supported_VGPU_types: Set[Ref[VGPUType]] = field(RO, "the kinds of cards that one of its processors can give")
    enabled_VGPU_types: Set[Ref[VGPUType]] = field(RO, "those of them that VMs may get now")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def create(name_label: str = "", name_description: str = "", other_config: Mapping[str, str] = {}) -> Ref[GPUGroup]:
        """Make an empty group."""

    @message()
    def destroy(self) -> None:
        """Remove a group without processors."""

    @message(role=Role.READ_ONLY)
    def get_remaining_capacity(self, vgpu_type: Ref[VGPUType]) -> int:
        """How many more cards of a kind could start on the group's processors now."""
