"""Errors about disks and storage repositories."""

from enum import IntEnum

from cardume.datamodel.errors.declared import ApiError, code

# Disks

VDI_IN_USE = code("VDI_IN_USE", ("vdi", "operation"), "The disk is in use; stop the VM or unplug the disk first.")
VDI_READONLY = code("VDI_READONLY", ("vdi",), "The disk is read-only.")
VDI_MISSING = code("VDI_MISSING", ("sr", "vdi"), "The disk is gone from its SR; scan the SR.")
VDI_LOCATION_MISSING = code("VDI_LOCATION_MISSING", ("sr", "location"), "Nothing lies at this location in the SR.")
VDI_NOT_AVAILABLE = code("VDI_NOT_AVAILABLE", ("vdi",), "The disk cannot be reached now; see its SR.")
VDI_NOT_MANAGED = code(
    "VDI_NOT_MANAGED", ("vdi",), "The disk belongs to the SR's inner workings and cannot be used as such."
)
VDI_IS_NOT_ISO = code("VDI_IS_NOT_ISO", ("vdi", "type"), "This disk is no CD image.")
VDI_IS_A_PHYSICAL_DEVICE = code(
    "VDI_IS_A_PHYSICAL_DEVICE", ("vdi",), "This disk is a device of the host; it has no content to handle."
)
VDI_IS_SHARABLE = code("VDI_IS_SHARABLE", ("vdi",), "Several VMs may write to this disk, which prevents this.")
VDI_INCOMPATIBLE_TYPE = code("VDI_INCOMPATIBLE_TYPE", ("vdi", "type"), "This cannot be done with a disk of this type.")
VDI_NOT_SPARSE = code("VDI_NOT_SPARSE", ("vdi",), "The disk is not sparse, as this would need.")
VDI_TOO_SMALL = code("VDI_TOO_SMALL", ("vdi", "minimum size"), "The disk must be at least this large.")
VDI_TOO_LARGE = code("VDI_TOO_LARGE", ("vdi", "maximum size"), "The disk may be at most this large.")
VDI_COPY_FAILED = code("VDI_COPY_FAILED", (), "The disk could not be copied; the source is intact.")
VDI_IO_ERROR = code("VDI_IO_ERROR", ("device",), "Reading or writing the disk failed; check its storage.")
VDI_HAS_RRDS = code("VDI_HAS_RRDS", ("vdi",), "The disk holds measurements, which prevents this.")
VDI_NEEDS_VM_FOR_MIGRATE = code(
    "VDI_NEEDS_VM_FOR_MIGRATE", ("vdi",), "A disk can move only while a running VM uses it."
)
VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION = code(
    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
    (),
    "The disk begins anew at each start of its VM, which prevents this.",
)
VDI_CBT_ENABLED = code("VDI_CBT_ENABLED", ("vdi",), "Changed blocks of the disk are recorded, which prevents this.")
VDI_NO_CBT_METADATA = code("VDI_NO_CBT_METADATA", ("vdi",), "No record of changed blocks exists for the disk.")
VDI_CONTENT_ID_MISSING = code("VDI_CONTENT_ID_MISSING", (), "It is not known whether both disks have the same content.")
VDI_CONTAINS_METADATA_OF_THIS_POOL = code(
    "VDI_CONTAINS_METADATA_OF_THIS_POOL", ("vdi", "pool"), "The disk holds a copy of this pool's database."
)
OUT_OF_SPACE = code("OUT_OF_SPACE", ("location",), "There is no space left at this place.")

# Storage repositories; for what a driver met, see sr_backend_failure below

SR_HAS_NO_PBDS = code("SR_HAS_NO_PBDS", ("sr",), "No host has a link to this SR; make a PBD and plug it.")
SR_HAS_PBD = code("SR_HAS_PBD", ("sr",), "A PBD of the SR is still plugged; unplug it first.")
SR_HAS_MULTIPLE_PBDS = code(
    "SR_HAS_MULTIPLE_PBDS", ("PBD",), "More than one host has a link to this SR; remove all but one."
)
SR_NOT_ATTACHED = code("SR_NOT_ATTACHED", ("sr",), "The SR is not attached on this host; plug its PBD.")
SR_ATTACHED = code("SR_ATTACHED", ("sr",), "The SR is attached; unplug its PBDs first.")
SR_ATTACH_FAILED = code("SR_ATTACH_FAILED", ("sr",), "The SR could not be attached; see the errors of its PBDs.")
SR_NOT_EMPTY = code("SR_NOT_EMPTY", (), "The SR still holds disks; delete or move them first.")
SR_NOT_SHARED = code("SR_NOT_SHARED", ("sr",), "The SR is not shared, as this would need.")
SR_NOT_SHARABLE = code("SR_NOT_SHARABLE", ("sr", "host"), "An SR of this type belongs to one host.")
SR_FULL = code("SR_FULL", ("requested", "maximum"), "The SR has too little space.")
SR_UNKNOWN_DRIVER = code(
    "SR_UNKNOWN_DRIVER",
    ("driver",),
    "There is no driver for this type of SR; SR.get_supported_types lists those there are.",
)
SR_UUID_EXISTS = code("SR_UUID_EXISTS", ("uuid",), "An SR with this uuid is known already.")
SR_DEVICE_IN_USE = code("SR_DEVICE_IN_USE", (), "Another SR already uses this device.")
SR_OPERATION_NOT_SUPPORTED = code("SR_OPERATION_NOT_SUPPORTED", ("sr",), "The SR's driver cannot do this.")
SR_INDESTRUCTIBLE = code("SR_INDESTRUCTIBLE", ("sr",), "The SR is marked as indestructible in its other_config.")
SR_DOES_NOT_SUPPORT_MIGRATION = code(
    "SR_DOES_NOT_SUPPORT_MIGRATION", ("sr", "capabilities"), "Disks of this SR cannot be moved while they are in use."
)
SR_VDI_LOCKING_FAILED = code("SR_VDI_LOCKING_FAILED", (), "The disk could not be locked in the SR.")
SR_SUSPEND_SPACE_INSUFFICIENT = code(
    "SR_SUSPEND_SPACE_INSUFFICIENT", ("sr",), "The SR has too little space for the VM's memory."
)
SR_SOURCE_SPACE_INSUFFICIENT = code(
    "SR_SOURCE_SPACE_INSUFFICIENT", ("sr",), "The SR has too little space for a snapshot that the move needs."
)
SR_REQUIRES_UPGRADE = code("SR_REQUIRES_UPGRADE", ("SR",), "The SR has an older format and must be upgraded first.")
SR_IS_CACHE_SR = code("SR_IS_CACHE_SR", ("host",), "A host uses this SR as its cache; disable that first.")
SR_BACKEND_FAILURE = code(
    "SR_BACKEND_FAILURE", ("status", "stdout", "stderr"), "The SR's driver failed; its output says why."
)
PBD_EXISTS = code("PBD_EXISTS", ("sr", "host", "pbd"), "This host has a link to this SR already.")
UNIMPLEMENTED_IN_SM_BACKEND = code(
    "UNIMPLEMENTED_IN_SM_BACKEND", ("message",), "The SR's driver does not know this operation."
)
SM_PLUGIN_COMMUNICATION_FAILURE = code(
    "SM_PLUGIN_COMMUNICATION_FAILURE", ("sm",), "The SR's driver did not answer as it should."
)
NO_LOCAL_STORAGE = code("NO_LOCAL_STORAGE", ("host",), "The host has no local SR for this.")

# Failures of storage drivers


class Backend(IntEnum):
    """Numbers of `SR_BACKEND_FAILURE_<n>` that clients know; those of a probe carry what was found as XML."""

    ISCSI_LOGIN = 68
    NFS_VERSION = 72
    NFS_MOUNT = 73
    ISCSI_DISCOVERY = 83
    ISCSI_TARGETS = 96  # a probe's answer: choose one
    ISCSI_NO_INITIATOR_IQN = 97
    NFS_EXPORTS = 101  # a probe's answer: choose one
    NFS_NO_SERVER = 102
    LUNS = 107  # a probe's answer: choose one
    NFS_TARGET = 108
    SMB_MOUNT = 111
    SMB_UNMOUNT = 112
    DNS = 140
    ISCSI_TARGET = 141


def sr_backend_failure(number: int, description: str, detail: str = "") -> ApiError:
    """The failure that a storage driver met; clients read the XML of a probe in `detail`, its third parameter."""
    return ApiError(f"SR_BACKEND_FAILURE_{int(number)}", "", description, detail)


# Storage: what else can go wrong

CANNOT_DESTROY_DISASTER_RECOVERY_TASK = code(
    "CANNOT_DESTROY_DISASTER_RECOVERY_TASK",
    ("reason",),
    "The recovery task cannot be removed now, for the reason given.",
)
CLUSTERED_SR_DEGRADED = code(
    "CLUSTERED_SR_DEGRADED", ("sr",), "A host cannot reach the clustered SR; see its hosts and PBDs."
)
SR_UNHEALTHY = code(
    "SR_UNHEALTHY",
    ("sr", "health", "fix"),
    "The SR's state does not allow this; the last parameter says what mends it.",
)
VDI_IS_ENCRYPTED = code("VDI_IS_ENCRYPTED", ("vdi",), "The disk is encrypted, which does not allow this.")

# XenServer documents no parameters of these.
HOSTS_FAILED_TO_ENABLE_CACHING = code(
    "HOSTS_FAILED_TO_ENABLE_CACHING",
    (),
    "Some hosts could not begin to cache disks; their logs say why.",
    variadic=True,
)
HOSTS_FAILED_TO_DISABLE_CACHING = code(
    "HOSTS_FAILED_TO_DISABLE_CACHING", (), "Some hosts could not stop caching disks; their logs say why.", variadic=True
)
