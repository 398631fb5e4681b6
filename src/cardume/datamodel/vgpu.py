"""VGPU: a virtual graphics card of a VM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import pci, vm
    from cardume.datamodel.gpu_group import GPUGroup
    from cardume.datamodel.pgpu import PGPU
    from cardume.datamodel.vgpu_type import VGPUType


@xenclass(role=Role.POOL_OPERATOR)
class VGPU:
    """A virtual graphics card of a VM."""

    uuid: str = field(RO, "the object's unique identifier")
    VM: Ref[vm.VM] = field(RO, "the VM that has it")
    GPU_group: Ref[GPUGroup] = field(RO, "the group that its processor is taken from")
    device: str = field(RO, "its number among the VM's cards", "0")
    type: Ref[VGPUType] = field(RO, "the kind of card that it is")
    resident_on: Ref[PGPU] = field(RO, "the processor that it runs on now")
    scheduled_to_be_resident_on: Ref[PGPU] = field(
        RO, "the processor that is reserved for it while its VM starts or moves"
    )
    currently_attached: bool = field(RO, "true while the guest has it")
    PCI: Ref[pci.PCI] = field(RO, "the device that was passed through for it")
    compatibility_metadata: Mapping[str, str] = field(
        RO, "what hosts compare to know whether the guest could move with it"
    )
    extra_args: str = field(RW, "settings of its own for the vendor's program", "")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def create(
        VM: Ref[vm.VM],
        GPU_group: Ref[GPUGroup],
        device: str = "0",
        other_config: Mapping[str, str] = {},
        type: Ref[VGPUType] = NULL,
    ) -> Ref[VGPU]:
        """Give a VM a graphics card out of a group."""

    @message()
    def destroy(self) -> None:
        """Take the card from its VM, which must be halted."""
