"""Errors about hosts."""

from cardume.datamodel.errors.declared import code

# Hosts

HOST_DISABLED = code("HOST_DISABLED", ("host",), "The host takes no new guests; enable it first.")
HOST_DISABLED_UNTIL_REBOOT = code(
    "HOST_DISABLED_UNTIL_REBOOT", ("host",), "The host takes no new guests until it has been restarted."
)
HOST_DISABLED_INDEFINITELY = code(
    "HOST_DISABLED_INDEFINITELY", ("host",), "The host stays disabled until somebody enables it."
)
HOST_NOT_DISABLED = code("HOST_NOT_DISABLED", (), "The host must be disabled first.")
HOST_NOT_LIVE = code("HOST_NOT_LIVE", (), "The host does not answer; see whether it is on and reachable.")
HOST_IS_LIVE = code("HOST_IS_LIVE", ("host",), "The host still answers, so it is not dead.")
HOST_OFFLINE = code("HOST_OFFLINE", ("host",), "The host is off or cannot be reached.")
HOST_STILL_BOOTING = code("HOST_STILL_BOOTING", (), "The host is still starting; try again in a moment.")
HOST_HAS_RESIDENT_VMS = code(
    "HOST_HAS_RESIDENT_VMS", ("host",), "VMs run on the host; migrate them away or shut them down first."
)
HOST_IN_USE = code("HOST_IN_USE", ("host", "type", "ref"), "Something still uses the host; remove that first.")
HOST_CANNOT_DESTROY_SELF = code("HOST_CANNOT_DESTROY_SELF", ("host",), "A host cannot forget itself; ask another one.")
HOST_CANNOT_ATTACH_NETWORK = code(
    "HOST_CANNOT_ATTACH_NETWORK",
    ("host", "network"),
    "The host cannot reach this network; see its PIFs and their cables.",
)
HOST_CANNOT_SEE_SR = code("HOST_CANNOT_SEE_SR", ("host", "sr"), "The host has no plugged PBD for this SR.")
HOST_NAME_INVALID = code("HOST_NAME_INVALID", ("reason",), "This is no valid host name, for the reason given.")
HOST_NOT_ENOUGH_FREE_MEMORY = code(
    "HOST_NOT_ENOUGH_FREE_MEMORY",
    ("needed", "available"),
    "The host has too little free memory; free some or choose another host.",
)
HOST_NOT_ENOUGH_PCPUS = code(
    "HOST_NOT_ENOUGH_PCPUS", ("vcpus", "pcpus"), "The VM has more VCPUs than the host has processors."
)
HOST_IN_EMERGENCY_MODE = code(
    "HOST_IN_EMERGENCY_MODE", (), "The host cannot reach its master; most calls work again when it can."
)
NOT_IN_EMERGENCY_MODE = code("NOT_IN_EMERGENCY_MODE", (), "This works only on a host that has lost its master.")
HOST_HAS_NO_MANAGEMENT_IP = code("HOST_HAS_NO_MANAGEMENT_IP", (), "The host's management interface has no address.")
HOST_IS_SLAVE = code(
    "HOST_IS_SLAVE", ("Master IP address",), "Only the master answers this; connect to the address given."
)
HOST_ITS_OWN_SLAVE = code("HOST_ITS_OWN_SLAVE", (), "The host takes itself for its master; name the real one.")
HOST_UNKNOWN_TO_MASTER = code(
    "HOST_UNKNOWN_TO_MASTER", ("host",), "The master does not know this host; it may have been ejected."
)
HOST_MASTER_CANNOT_TALK_BACK = code(
    "HOST_MASTER_CANNOT_TALK_BACK",
    ("ip",),
    "The master cannot reach this host; check network and firewall between them.",
)
HOST_BROKEN = code("HOST_BROKEN", (), "The host failed while it started; see its log.")
HOST_POWER_ON_MODE_DISABLED = code(
    "HOST_POWER_ON_MODE_DISABLED", (), "This host has no way to be switched on from afar; set its power_on_mode."
)
HOST_EVACUATE_IN_PROGRESS = code("HOST_EVACUATE_IN_PROGRESS", ("host",), "The host is being evacuated.")
HOST_EVACUATION_IS_REQUIRED = code("HOST_EVACUATION_IS_REQUIRED", ("host",), "The host must be evacuated first.")
HOST_CD_DRIVE_EMPTY = code("HOST_CD_DRIVE_EMPTY", (), "The host's drive holds no disc.")
HOST_CANNOT_READ_METRICS = code("HOST_CANNOT_READ_METRICS", (), "The host's measurements could not be read.")
CANNOT_EVACUATE_HOST = code(
    "CANNOT_EVACUATE_HOST", ("errors",), "Some VMs could not be migrated away, for the reasons listed."
)
CANNOT_CONTACT_HOST = code(
    "CANNOT_CONTACT_HOST", ("host",), "The host could not be reached; check that it is on and connected."
)
NO_HOSTS_AVAILABLE = code("NO_HOSTS_AVAILABLE", (), "No host can run this; see which are enabled and what each lacks.")
HOSTS_NOT_COMPATIBLE = code("HOSTS_NOT_COMPATIBLE", (), "The hosts' processors differ too much.")
HOSTS_NOT_HOMOGENEOUS = code("HOSTS_NOT_HOMOGENEOUS", ("reason",), "The hosts differ, in the way named.")
NOT_SUPPORTED_DURING_UPGRADE = code(
    "NOT_SUPPORTED_DURING_UPGRADE", (), "This must wait until every host has the same version."
)
SYSTEM_STATUS_RETRIEVAL_FAILED = code(
    "SYSTEM_STATUS_RETRIEVAL_FAILED", ("reason",), "The status report could not be made, for the reason given."
)
INVALID_NTP_CONFIG = code(
    "INVALID_NTP_CONFIG", ("reason",), "The time servers' settings are wrong, for the reason given."
)
NOT_ALLOWED_WHEN_NTP_IS_ENABLED = code(
    "NOT_ALLOWED_WHEN_NTP_IS_ENABLED", ("host",), "The clock follows time servers; switch that off first."
)

# Backup, drivers and remote shells of hosts

BACKUP_SCRIPT_FAILED = code("BACKUP_SCRIPT_FAILED", ("log",), "The host could not be backed up; the log says why.")
RESTORE_INCOMPATIBLE_VERSION = code(
    "RESTORE_INCOMPATIBLE_VERSION", (), "The backup was made by another version, so it cannot be restored here."
)
RESTORE_SCRIPT_FAILED = code("RESTORE_SCRIPT_FAILED", ("log",), "The host could not be restored; the log says why.")
RESTORE_TARGET_MGMT_IF_NOT_IN_BACKUP = code(
    "RESTORE_TARGET_MGMT_IF_NOT_IN_BACKUP",
    (),
    "The backup does not know the interface that this host is managed through.",
)
RESTORE_TARGET_MISSING_DEVICE = code(
    "RESTORE_TARGET_MISSING_DEVICE", ("device",), "The backup needs a device that this host does not have."
)
CANNOT_FIND_OEM_BACKUP_PARTITION = code(
    "CANNOT_FIND_OEM_BACKUP_PARTITION", (), "The host has no partition for backups."
)
CANNOT_FIND_STATE_PARTITION = code("CANNOT_FIND_STATE_PARTITION", (), "The host has no partition for its state.")
NOT_ALLOWED_ON_OEM_EDITION = code(
    "NOT_ALLOWED_ON_OEM_EDITION", ("command",), "Editions that come with the hardware do not have this command."
)
ONLY_ALLOWED_ON_OEM_EDITION = code(
    "ONLY_ALLOWED_ON_OEM_EDITION", ("command",), "Only editions that come with the hardware have this command."
)
SYSTEM_STATUS_MUST_USE_TAR_ON_OEM = code(
    "SYSTEM_STATUS_MUST_USE_TAR_ON_OEM", (), "This edition gives its status report as a tar archive only; ask for that."
)
CPU_FEATURE_MASKING_NOT_SUPPORTED = code(
    "CPU_FEATURE_MASKING_NOT_SUPPORTED", ("details",), "The host's processors cannot hide features from guests."
)
XEN_INCOMPATIBLE = code("XEN_INCOMPATIBLE", (), "The host's hypervisor is too different from what this needs.")
HOST_DRIVER_NO_HARDWARE = code(
    "HOST_DRIVER_NO_HARDWARE", ("driver variant",), "The host has no device that this driver serves."
)
HOST_XAPI_VERSION_HIGHER_THAN_COORDINATOR = code(
    "HOST_XAPI_VERSION_HIGHER_THAN_COORDINATOR",
    ("host_xapi_version",),
    "The host's software is newer than the master's; update the master first.",
)
BOOT_DEVICE_PASSTHROUGH_DISALLOWED = code(
    "BOOT_DEVICE_PASSTHROUGH_DISALLOWED", ("device",), "The host starts from this device, so no guest may have it."
)
ENABLE_SSH_FAILED = code("ENABLE_SSH_FAILED", ("host",), "SSH could not be opened on this host.")
ENABLE_SSH_PARTIALLY_FAILED = code("ENABLE_SSH_PARTIALLY_FAILED", ("hosts",), "SSH could not be opened on these hosts.")
DISABLE_SSH_FAILED = code("DISABLE_SSH_FAILED", ("host",), "SSH could not be closed on this host.")
DISABLE_SSH_PARTIALLY_FAILED = code(
    "DISABLE_SSH_PARTIALLY_FAILED", ("hosts",), "SSH could not be closed on these hosts."
)
SET_SSH_TIMEOUT_PARTIALLY_FAILED = code(
    "SET_SSH_TIMEOUT_PARTIALLY_FAILED", ("hosts",), "How long SSH stays open could not be changed on these hosts."
)
SET_SSH_AUTO_MODE_PARTIALLY_FAILED = code(
    "SET_SSH_AUTO_MODE_PARTIALLY_FAILED", ("hosts",), "Whether SSH opens by itself could not be changed on these hosts."
)
SET_CONSOLE_TIMEOUT_PARTIALLY_FAILED = code(
    "SET_CONSOLE_TIMEOUT_PARTIALLY_FAILED", ("hosts",), "When idle consoles close could not be changed on these hosts."
)
