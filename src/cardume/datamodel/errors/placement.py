"""Errors about where a VM can run."""

from cardume.datamodel.errors.declared import code

# VMs: where they can run

VM_REQUIRES_SR = code(
    "VM_REQUIRES_SR",
    ("vm", "sr"),
    "The VM needs an SR that the host does not reach; plug its PBD there or move the disk.",
)
VM_REQUIRES_VDI = code("VM_REQUIRES_VDI", ("vm", "vdi"), "The VM needs a disk that cannot be reached.")
VM_REQUIRES_NETWORK = code(
    "VM_REQUIRES_NETWORK", ("vm", "network"), "The VM needs a network that the host does not have."
)
VM_REQUIRES_GPU = code(
    "VM_REQUIRES_GPU", ("vm", "GPU_group"), "The VM needs a graphics processor of a group that the host does not have."
)
VM_REQUIRES_VGPU = code(
    "VM_REQUIRES_VGPU",
    ("vm", "GPU_group", "vGPU_type"),
    "The VM needs a virtual graphics processor that the host cannot give.",
)
VM_REQUIRES_IOMMU = code(
    "VM_REQUIRES_IOMMU", ("host",), "The VM gets a device of the host, whose IOMMU is off; enable it in the firmware."
)
VM_HAS_PCI_ATTACHED = code(
    "VM_HAS_PCI_ATTACHED", ("vm",), "A device of the host is attached to the VM; detach it first."
)
VM_HAS_VUSBS = code("VM_HAS_VUSBS", ("VM",), "A USB device of the host is attached to the VM; detach it first.")
VM_IS_IMMOBILE = code("VM_IS_IMMOBILE", ("VM",), "The VM is bound to its host.")
VM_IS_USING_NESTED_VIRT = code(
    "VM_IS_USING_NESTED_VIRT", ("VM",), "The guest runs guests of its own, so it cannot move."
)
VM_NOT_RESIDENT_HERE = code("VM_NOT_RESIDENT_HERE", ("vm", "host"), "The VM does not run on this host.")
VM_INCOMPATIBLE_WITH_THIS_HOST = code(
    "VM_INCOMPATIBLE_WITH_THIS_HOST", ("vm", "host", "reason"), "The VM cannot run on this host, for the reason given."
)
VM_HOST_INCOMPATIBLE_VERSION = code(
    "VM_HOST_INCOMPATIBLE_VERSION", ("host", "vm"), "The host's version is too old for this VM."
)
VM_HOST_INCOMPATIBLE_VERSION_MIGRATE = code(
    "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", ("host", "vm"), "The VM cannot move to a host with an older version."
)
VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION = code(
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
    ("host", "host_versions", "vm", "vm_version"),
    "The host cannot give the virtual hardware that the VM was made for.",
)
VM_MIGRATE_FAILED = code(
    "VM_MIGRATE_FAILED",
    ("vm", "source", "destination", "msg"),
    "The VM could not be migrated and goes on where it was; the message says why.",
)
VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED = code(
    "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED", (), "The receiving host could not be reached."
)
VMS_FAILED_TO_COOPERATE = code("VMS_FAILED_TO_COOPERATE", (), "Guests did not give memory back in time.")
TOO_MANY_STORAGE_MIGRATES = code(
    "TOO_MANY_STORAGE_MIGRATES", ("number",), "Too many disks are being moved; wait for one."
)
MIRROR_FAILED = code(
    "MIRROR_FAILED", ("vdi",), "The disk could not be kept in step while it was moved; the source is intact."
)
VDI_NOT_IN_MAP = code("VDI_NOT_IN_MAP", ("vdi",), "It is not said where this disk should go.")
VIF_NOT_IN_MAP = code("VIF_NOT_IN_MAP", ("vif",), "It is not said on which network this interface should go.")
