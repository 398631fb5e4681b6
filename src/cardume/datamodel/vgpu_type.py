"""VGPU_type: a kind of virtual graphics card."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.gpu_group import GPUGroup
    from cardume.datamodel.pgpu import PGPU
    from cardume.datamodel.vgpu import VGPU


@named("vgpu_type_implementation")
class VGPUTypeImplementation(StrEnum):
    """How a graphics processor is shared between guests."""

    PASSTHROUGH = "passthrough"
    NVIDIA = "nvidia"
    NVIDIA_SRIOV = "nvidia_sriov"
    GVT_G = "gvt_g"
    MXGPU = "mxgpu"


@xenclass(name="VGPU_type", role=Role.POOL_OPERATOR)
class VGPUType:
    """A kind of virtual graphics card."""

    uuid: str = field(RO, "the object's unique identifier")
    vendor_name: str = field(STATIC_RO, "the vendor of the processors that give it", "")
    model_name: str = field(STATIC_RO, "the name that the vendor sells it under", "")
    framebuffer_size: int = field(STATIC_RO, "bytes of graphics memory", 0)
    max_heads: int = field(STATIC_RO, "screens that it drives at most", 0)
    max_resolution_x: int = field(STATIC_RO, "pixels in the width of a screen at most", 0)
    max_resolution_y: int = field(STATIC_RO, "pixels in the height of a screen at most", 0)
    supported_on_PGPUs: Set[Ref[PGPU]] = field(RO, "processors that can give it", backref="PGPU.supported_VGPU_types")
    enabled_on_PGPUs: Set[Ref[PGPU]] = field(
        RO, "processors that VMs may get it from now", backref="PGPU.enabled_VGPU_types"
    )
    VGPUs: Set[Ref[VGPU]] = field(RO, "the cards of this kind", backref="VGPU.type")
    supported_on_GPU_groups: Set[Ref[GPUGroup]] = field(
        RO, "groups with a processor that can give it", backref="GPU_group.supported_VGPU_types"
    )
    enabled_on_GPU_groups: Set[Ref[GPUGroup]] = field(
        RO, "groups that VMs may get it from now", backref="GPU_group.enabled_VGPU_types"
    )
    implementation: VGPUTypeImplementation = field(
        STATIC_RO,
        "how the processor is shared: whole, or by a vendor's way of dividing it",
        VGPUTypeImplementation.PASSTHROUGH,
    )
    identifier: str = field(STATIC_RO, "a text that tells this kind from all others", "")
    experimental: bool = field(STATIC_RO, "true while the vendor does not answer for it", False)
    compatible_types_in_vm: Set[Ref[VGPUType]] = field(RO, "kinds of cards that a VM can have beside it")
