"""PGPU: a graphics processor in a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.pci import PCIDom0Access
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import pci
    from cardume.datamodel.gpu_group import GPUGroup
    from cardume.datamodel.host import Host
    from cardume.datamodel.vgpu import VGPU
    from cardume.datamodel.vgpu_type import VGPUType


@xenclass(role=Role.POOL_OPERATOR)
class PGPU:
    """A graphics processor in a host."""

    uuid: str = field(RO, "the object's unique identifier")
    PCI: Ref[pci.PCI] = field(STATIC_RO, "the PCI device that it is", NULL)
    GPU_group: Ref[GPUGroup] = field(STATIC_RO, "the group that VMs get it from", NULL)
    host: Ref[Host] = field(RO, "the host that it is in")
    supported_VGPU_types: Set[Ref[VGPUType]] = field(
        RO, "the kinds of virtual graphics cards that it can be divided into"
    )
    enabled_VGPU_types: Set[Ref[VGPUType]] = field(RO, "those of them that VMs may get now")
    supported_VGPU_max_capacities: Mapping[Ref[VGPUType], int] = field(RO, "how many cards of each kind fit on it")
    resident_VGPUs: Set[Ref[VGPU]] = field(RO, "the virtual cards that run on it now", backref="VGPU.resident_on")
    dom0_access: PCIDom0Access = field(RO, "whether the host itself uses it", PCIDom0Access.ENABLED)
    is_system_display_device: bool = field(RO, "true when the host's own screen hangs on it")
    compatibility_metadata: Mapping[str, str] = field(
        RO, "what hosts compare to know whether a guest could move with its card"
    )
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def set_GPU_group(self, value: Ref[GPUGroup]) -> None:
        """Move the processor to another group; no card on it may be in use."""

    @message()
    def set_enabled_VGPU_types(self, value: Set[Ref[VGPUType]]) -> None:
        """Choose the kinds of cards that VMs may get from it."""

    @message()
    def add_enabled_VGPU_types(self, value: Ref[VGPUType]) -> None:
        """Let VMs get one more kind of card from it."""

    @message()
    def remove_enabled_VGPU_types(self, value: Ref[VGPUType]) -> None:
        """Let VMs get a kind of card from it no longer."""

    @message(role=Role.READ_ONLY)
    def get_remaining_capacity(self, vgpu_type: Ref[VGPUType]) -> int:
        """How many more cards of a kind could start on it now."""

    @message()
    def enable_dom0_access(self) -> PCIDom0Access:
        """Let the host itself use it from its next start on."""

    @message()
    def disable_dom0_access(self) -> PCIDom0Access:
        """Keep the host itself from it from its next start on, so that a guest can have it."""
