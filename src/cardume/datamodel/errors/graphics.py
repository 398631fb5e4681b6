"""Errors about graphics processors."""

from cardume.datamodel.errors.declared import code

GPU_GROUP_CONTAINS_NO_PGPUS = code(
    "GPU_GROUP_CONTAINS_NO_PGPUS", ("gpu_group",), "The group has no graphics processor."
)
GPU_GROUP_CONTAINS_PGPU = code(
    "GPU_GROUP_CONTAINS_PGPU", ("pgpus",), "The group still has graphics processors; move them first."
)
GPU_GROUP_CONTAINS_VGPU = code(
    "GPU_GROUP_CONTAINS_VGPU", ("vgpus",), "VMs still use this group; remove their virtual processors first."
)
NVIDIA_SRIOV_MISCONFIGURED = code(
    "NVIDIA_SRIOV_MISCONFIGURED",
    ("host", "device_name"),
    "NVIDIA's SR-IOV is not set up right for this device of the host.",
)
NVIDIA_TOOLS_ERROR = code(
    "NVIDIA_TOOLS_ERROR", ("host",), "NVIDIA's own program failed on this host; see the host's log."
)
PGPU_INSUFFICIENT_CAPACITY_FOR_VGPU = code(
    "PGPU_INSUFFICIENT_CAPACITY_FOR_VGPU",
    ("pgpu", "vgpu_type"),
    "The graphics processor has no room left for another virtual one of this type.",
)
PGPU_IN_USE_BY_VM = code("PGPU_IN_USE_BY_VM", ("VMs",), "These VMs use the graphics processor; shut them down first.")
PGPU_NOT_COMPATIBLE_WITH_GPU_GROUP = code(
    "PGPU_NOT_COMPATIBLE_WITH_GPU_GROUP", ("type", "group_types"), "The group holds graphics processors of other types."
)
VGPU_DESTINATION_INCOMPATIBLE = code(
    "VGPU_DESTINATION_INCOMPATIBLE",
    ("reason", "vgpu", "host"),
    "The VM's virtual graphics processor would not run on this host.",
)
VGPU_GUEST_DRIVER_LIMIT = code(
    "VGPU_GUEST_DRIVER_LIMIT", ("reason", "vm", "host"), "The graphics driver in the guest does not allow this."
)
VGPU_SUSPENSION_NOT_SUPPORTED = code(
    "VGPU_SUSPENSION_NOT_SUPPORTED",
    ("reason", "vgpu", "host"),
    "The VM's virtual graphics processor cannot be suspended on this host.",
)
VGPU_TYPE_NOT_COMPATIBLE = code("VGPU_TYPE_NOT_COMPATIBLE", ("type",), "No graphics processor could serve this type.")
VGPU_TYPE_NOT_COMPATIBLE_WITH_RUNNING_TYPE = code(
    "VGPU_TYPE_NOT_COMPATIBLE_WITH_RUNNING_TYPE",
    ("pgpu", "type", "running_type"),
    "Another type runs on the graphics processor, and both cannot share it.",
)
VGPU_TYPE_NOT_ENABLED = code(
    "VGPU_TYPE_NOT_ENABLED",
    ("type", "enabled_types"),
    "This type is not enabled on the graphics processor; enable it first.",
)
VGPU_TYPE_NOT_SUPPORTED = code(
    "VGPU_TYPE_NOT_SUPPORTED", ("type", "supported_types"), "The graphics processor does not support this type."
)
VGPU_TYPE_NO_LONGER_SUPPORTED = code(
    "VGPU_TYPE_NO_LONGER_SUPPORTED", ("type",), "This type was supported once and is no more."
)
