"""Errors about VMs: their life, memory and snapshots."""

from cardume.datamodel.errors.declared import code

# VMs: state and life

VM_BAD_POWER_STATE = code(
    "VM_BAD_POWER_STATE", ("vm", "expected", "actual"), "The VM is not in the power state that this needs."
)
VM_HALTED = code("VM_HALTED", ("vm",), "The VM stopped while the operation ran.")
VM_REBOOTED = code("VM_REBOOTED", ("vm",), "The VM restarted while the operation ran.")
VM_CRASHED = code("VM_CRASHED", ("vm",), "The VM crashed while the operation ran.")
VM_IS_TEMPLATE = code("VM_IS_TEMPLATE", ("vm",), "This is a template; make a VM from it first.")
VM_IS_SNAPSHOT = code("VM_IS_SNAPSHOT", ("vm",), "This is a snapshot; make a VM from it first.")
VM_CANNOT_DELETE_DEFAULT_TEMPLATE = code(
    "VM_CANNOT_DELETE_DEFAULT_TEMPLATE", ("vm",), "Templates that come with the product cannot be deleted."
)
PROVISION_ONLY_ALLOWED_ON_TEMPLATE = code(
    "PROVISION_ONLY_ALLOWED_ON_TEMPLATE", (), "Only a template can be provisioned."
)
PROVISION_FAILED_OUT_OF_SPACE = code(
    "PROVISION_FAILED_OUT_OF_SPACE", (), "There is too little space for the disks of the template."
)
DUPLICATE_VM = code("DUPLICATE_VM", ("vm",), "A VM with this uuid exists already.")
VM_BIOS_STRINGS_ALREADY_SET = code(
    "VM_BIOS_STRINGS_ALREADY_SET", (), "The VM's BIOS strings cannot be changed once set."
)
VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT = code(
    "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT",
    ("vm",),
    "The guest did not react to the request to shut down; use a hard shutdown.",
)
VM_SHUTDOWN_TIMEOUT = code(
    "VM_SHUTDOWN_TIMEOUT", ("vm", "timeout"), "The guest did not shut down in time; use a hard shutdown."
)
VM_FAILED_SUSPEND_ACKNOWLEDGMENT = code(
    "VM_FAILED_SUSPEND_ACKNOWLEDGMENT", ("vm",), "The guest did not react to the request to suspend."
)
VM_SUSPEND_TIMEOUT = code("VM_SUSPEND_TIMEOUT", ("vm", "timeout"), "The guest did not suspend in time.")
VM_MISSING_PV_DRIVERS = code(
    "VM_MISSING_PV_DRIVERS", ("vm",), "The guest's agent and drivers are needed for this; install the guest tools."
)
VM_OLD_PV_DRIVERS = code(
    "VM_OLD_PV_DRIVERS", ("vm", "major", "minor"), "The guest's tools are too old for this; update them."
)
VM_LACKS_FEATURE = code("VM_LACKS_FEATURE", ("vm",), "The guest does not support this.")
VM_NON_SUSPENDABLE = code("VM_NON_SUSPENDABLE", ("vm", "reason"), "The VM cannot be suspended, for the reason given.")
VM_HAS_NO_SUSPEND_VDI = code("VM_HAS_NO_SUSPEND_VDI", ("vm",), "The VM's saved memory is gone; it can only be halted.")
VM_NO_SUSPEND_SR = code(
    "VM_NO_SUSPEND_SR", ("vm",), "There is no SR for the VM's memory; set one on the VM, host or pool."
)
SUSPEND_IMAGE_NOT_ACCESSIBLE = code(
    "SUSPEND_IMAGE_NOT_ACCESSIBLE", ("vdi",), "The VM's saved memory cannot be reached from this host."
)
VM_HVM_REQUIRED = code("VM_HVM_REQUIRED", ("vm",), "Only a fully virtualised VM can do this.")
VM_UNSAFE_BOOT = code(
    "VM_UNSAFE_BOOT", ("vm",), "It is not known that the VM is stopped on its former host; make sure, then force it."
)
VM_SNAPSHOT_FAILED = code("VM_SNAPSHOT_FAILED", ("vm",), "The snapshot could not be taken.")
VM_REVERT_FAILED = code("VM_REVERT_FAILED", ("vm", "snapshot"), "The VM could not be brought back to the snapshot.")
REVERT_ONLY_ALLOWED_ON_SNAPSHOT = code("REVERT_ONLY_ALLOWED_ON_SNAPSHOT", (), "Only a snapshot can be reverted to.")
VM_HAS_TOO_MANY_SNAPSHOTS = code(
    "VM_HAS_TOO_MANY_SNAPSHOTS", ("vm",), "The VM has as many snapshots as it may; delete one."
)
VM_HAS_CHECKPOINT = code("VM_HAS_CHECKPOINT", ("vm",), "The VM has a snapshot with memory, which prevents this.")
VM_CHECKPOINT_SUSPEND_FAILED = code(
    "VM_CHECKPOINT_SUSPEND_FAILED", ("vm",), "The VM could not be suspended for its snapshot with memory."
)
VM_CHECKPOINT_RESUME_FAILED = code(
    "VM_CHECKPOINT_RESUME_FAILED", ("vm",), "The VM could not be resumed after its snapshot with memory."
)
VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED = code(
    "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
    ("vm", "error"),
    "The guest cannot hold still for a snapshot; take an ordinary one.",
)
VM_IS_PART_OF_AN_APPLIANCE = code(
    "VM_IS_PART_OF_AN_APPLIANCE", ("vm", "appliance"), "The VM belongs to an appliance, which prevents this."
)
DOMAIN_EXISTS = code("DOMAIN_EXISTS", ("vm", "domid"), "The guest still exists on the host.")
DOMAIN_BUILDER_ERROR = code(
    "DOMAIN_BUILDER_ERROR", ("function", "code", "message"), "The guest could not be built; the message says why."
)
BOOTLOADER_FAILED = code("BOOTLOADER_FAILED", ("vm", "msg"), "The bootloader failed; the message says why.")
UNKNOWN_BOOTLOADER = code(
    "UNKNOWN_BOOTLOADER", ("vm", "bootloader"), "This bootloader is not known; boot from firmware instead."
)
FAILED_TO_START_EMULATOR = code(
    "FAILED_TO_START_EMULATOR", ("vm", "name", "msg"), "The guest's QEMU did not start; the message says why."
)
NOT_SYSTEM_DOMAIN = code("NOT_SYSTEM_DOMAIN", ("vm",), "This VM is not one of the system's own.")
CANNOT_RESET_CONTROL_DOMAIN = code(
    "CANNOT_RESET_CONTROL_DOMAIN", ("vm",), "The VM that stands for a host cannot be reset."
)
VM_CALL_PLUGIN_RATE_LIMIT = code(
    "VM_CALL_PLUGIN_RATE_LIMIT",
    ("VM", "interval", "wait"),
    "The guest has been called too often; wait as long as said.",
)

# VMs: memory and processors

MEMORY_CONSTRAINT_VIOLATION = code(
    "MEMORY_CONSTRAINT_VIOLATION", ("constraint",), "The memory limits break the rule named."
)
MEMORY_CONSTRAINT_VIOLATION_ORDER = code(
    "MEMORY_CONSTRAINT_VIOLATION_ORDER",
    (),
    "Memory must keep to: static min, dynamic min, dynamic max, static max, none above the next.",
)
MEMORY_CONSTRAINT_VIOLATION_MAXPIN = code(
    "MEMORY_CONSTRAINT_VIOLATION_MAXPIN",
    ("reason",),
    "Both dynamic limits must equal the static maximum, for the reason given.",
)
VM_MEMORY_SIZE_TOO_LOW = code(
    "VM_MEMORY_SIZE_TOO_LOW", ("vm",), "The VM has too little memory to start; raise its maximum."
)
VM_MEMORY_TARGET_WAIT_TIMEOUT = code(
    "VM_MEMORY_TARGET_WAIT_TIMEOUT", ("vm",), "The guest did not reach its memory target in time."
)
BALLOONING_DISABLED = code("BALLOONING_DISABLED", (), "The VM's memory cannot be changed while it runs.")
VM_TOO_MANY_VCPUS = code("VM_TOO_MANY_VCPUS", ("vm",), "The VM has more VCPUs than it may.")
VM_NO_VCPUS = code("VM_NO_VCPUS", ("vm",), "The VM has no VCPU; give it one.")
VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE = code(
    "VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE",
    ("vcpu_max", "cores_per_socket"),
    "The number of VCPUs must be a multiple of the cores per socket.",
)

# What else a VM can be refused

ACTIVATION_WHILE_NOT_FREE = code(
    "ACTIVATION_WHILE_NOT_FREE", (), "A paid edition that is active needs no further activation."
)
BALLOONING_TIMEOUT_BEFORE_MIGRATION = code(
    "BALLOONING_TIMEOUT_BEFORE_MIGRATION",
    ("vm",),
    "The VM did not give back memory in time to be migrated; try again, or shut programs in it.",
)
CANNOT_RESTART_DEVICE_MODEL = code(
    "CANNOT_RESTART_DEVICE_MODEL", ("ref",), "The VM's emulator cannot be restarted without the VM."
)
FEATURE_REQUIRES_HVM = code("FEATURE_REQUIRES_HVM", ("details",), "Only fully virtualised guests have this feature.")
SYSPREP = code("SYSPREP", ("vm", "message"), "The guest could not be prepared as a template; the message says why.")
VMPP_ARCHIVE_MORE_FREQUENT_THAN_BACKUP = code(
    "VMPP_ARCHIVE_MORE_FREQUENT_THAN_BACKUP", (), "Archives cannot be made more often than backups."
)
VMPP_HAS_VM = code("VMPP_HAS_VM", (), "Protection policy in use: take its VMs out first.")
VMSS_HAS_VM = code("VMSS_HAS_VM", (), "The schedule covers VMs; take them out first.")
VM_ASSIGNED_TO_PROTECTION_POLICY = code(
    "VM_ASSIGNED_TO_PROTECTION_POLICY", ("vm", "vmpp"), "The VM is under a protection policy; take it out first."
)
VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE = code(
    "VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE", ("vm", "vmss"), "The VM is covered by a snapshot schedule; take it out first."
)
VM_ATTACHED_TO_MORE_THAN_ONE_VDI_WITH_TIMEOFFSET_MARKED_AS_RESET_ON_BOOT = code(
    "VM_ATTACHED_TO_MORE_THAN_ONE_VDI_WITH_TIMEOFFSET_MARKED_AS_RESET_ON_BOOT",
    ("vm",),
    "Two disks that are reset at each start keep a clock offset for this VM; one may.",
)
VM_HAS_SRIOV_VIF = code("VM_HAS_SRIOV_VIF", ("vm",), "The VM uses SR-IOV interfaces, which tie it to its host.")
VM_HAS_VGPU = code("VM_HAS_VGPU", ("vm",), "The VM has a virtual graphics processor, which stands in the way.")
VM_NO_CRASHDUMP_SR = code("VM_NO_CRASHDUMP_SR", ("vm",), "The VM has no SR that its crash dumps could go to.")
VM_PV_DRIVERS_IN_USE = code("VM_PV_DRIVERS_IN_USE", ("vm",), "The guest's drivers are in use.")
VM_REQUIRES_VUSB = code(
    "VM_REQUIRES_VUSB", ("vm", "USB_group"), "The VM needs a USB device of this group, which the host does not have."
)
VM_SNAPSHOT_WITH_QUIESCE_FAILED = code(
    "VM_SNAPSHOT_WITH_QUIESCE_FAILED", ("vm",), "The guest's programs could not be brought to rest for a snapshot."
)
VM_SNAPSHOT_WITH_QUIESCE_PLUGIN_DEOS_NOT_RESPOND = code(
    "VM_SNAPSHOT_WITH_QUIESCE_PLUGIN_DEOS_NOT_RESPOND",
    ("vm",),
    "The guest's agent that brings its programs to rest does not answer.",
)
VM_SNAPSHOT_WITH_QUIESCE_TIMEOUT = code(
    "VM_SNAPSHOT_WITH_QUIESCE_TIMEOUT", ("vm",), "The guest's programs did not come to rest in time."
)
XEN_VSS_REQ_ERROR_ADDING_VOLUME_TO_SNAPSET_FAILED = code(
    "XEN_VSS_REQ_ERROR_ADDING_VOLUME_TO_SNAPSET_FAILED",
    ("vm", "error_code"),
    "Windows could not add a volume to the set of those to snapshot.",
)
XEN_VSS_REQ_ERROR_CREATING_SNAPSHOT = code(
    "XEN_VSS_REQ_ERROR_CREATING_SNAPSHOT", ("vm", "error_code"), "Windows could not make the snapshot."
)
XEN_VSS_REQ_ERROR_CREATING_SNAPSHOT_XML_STRING = code(
    "XEN_VSS_REQ_ERROR_CREATING_SNAPSHOT_XML_STRING",
    ("vm", "error_code"),
    "Windows could not describe the snapshot that it made.",
)
XEN_VSS_REQ_ERROR_INIT_FAILED = code(
    "XEN_VSS_REQ_ERROR_INIT_FAILED", ("vm", "error_code"), "The snapshot service in Windows could not be started."
)
XEN_VSS_REQ_ERROR_NO_VOLUMES_SUPPORTED = code(
    "XEN_VSS_REQ_ERROR_NO_VOLUMES_SUPPORTED",
    ("vm", "error_code"),
    "No volume of this Windows guest can be snapshotted by its own service.",
)
XEN_VSS_REQ_ERROR_PREPARING_WRITERS = code(
    "XEN_VSS_REQ_ERROR_PREPARING_WRITERS",
    ("vm", "error_code"),
    "Programs in Windows did not get ready for the snapshot.",
)
XEN_VSS_REQ_ERROR_PROV_NOT_LOADED = code(
    "XEN_VSS_REQ_ERROR_PROV_NOT_LOADED",
    ("vm", "error_code"),
    "The snapshot provider is not loaded in Windows; install the guest tools anew.",
)
XEN_VSS_REQ_ERROR_START_SNAPSHOT_SET_FAILED = code(
    "XEN_VSS_REQ_ERROR_START_SNAPSHOT_SET_FAILED",
    ("vm", "error_code"),
    "Windows could not begin a set of volumes to snapshot.",
)

# XenServer documents no parameters of this.
SUSPEND_VDI_REPLACEMENT_IS_NOT_IDENTICAL = code(
    "SUSPEND_VDI_REPLACEMENT_IS_NOT_IDENTICAL",
    (),
    "The disk given is no copy of the one that holds the VM's memory.",
    variadic=True,
)
