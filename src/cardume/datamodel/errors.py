"""XenAPI's errors, each declared once: code, names of its parameters, and the sentence a person reads.

`raise errors.VM_BAD_POWER_STATE(vm, "Halted", "Running")`. Only `api/` turns an ApiError into a failure on the wire.
"""

from dataclasses import dataclass
from enum import IntEnum


class ApiError(Exception):
    """A refusal or failure that a caller of XenAPI is told, as `[code, parameter…]`."""

    def __init__(self, code: str, *params: object) -> None:
        self.code = code
        self.params = tuple(str(param) for param in params)
        super().__init__(code, *self.params)

    @property
    def description(self) -> list[str]:
        """`[code, parameter…]`, as the wire carries it."""
        return [self.code, *self.params]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A declared error; calling it with its parameters builds the exception."""

    code: str
    params: tuple[str, ...]
    doc: str
    variadic: bool = False  # the last parameter may be repeated or left out

    def __call__(self, *params: object) -> ApiError:
        assert len(params) == len(self.params) or self.variadic, f"{self.code} takes {self.params}"
        return ApiError(self.code, *params)


CODES: dict[str, ErrorCode] = {}


def _code(code: str, params: tuple[str, ...], doc: str, *, variadic: bool = False) -> ErrorCode:
    CODES[code] = ErrorCode(code, params, doc, variadic)
    return CODES[code]


# Calls and values

HANDLE_INVALID = _code("HANDLE_INVALID", ("class", "handle"), "No object has this reference; it may have been deleted.")
UUID_INVALID = _code("UUID_INVALID", ("type", "uuid"), "No object of this class has this uuid.")
INTERNAL_ERROR = _code("INTERNAL_ERROR", ("message",), "The server failed in a way it does not know; see its log.")
NOT_IMPLEMENTED = _code("NOT_IMPLEMENTED", ("function",), "This message is declared and not implemented yet.")
MESSAGE_METHOD_UNKNOWN = _code(
    "MESSAGE_METHOD_UNKNOWN", ("method",), "There is no such method; check the spelling and the case of its name."
)
MESSAGE_PARAMETER_COUNT_MISMATCH = _code(
    "MESSAGE_PARAMETER_COUNT_MISMATCH",
    ("method", "expected", "received"),
    "The method takes another number of parameters.",
)
MESSAGE_REMOVED = _code("MESSAGE_REMOVED", (), "This method existed once and is gone.")
MESSAGE_DEPRECATED = _code("MESSAGE_DEPRECATED", (), "This method must not be used any more.")
FIELD_TYPE_ERROR = _code("FIELD_TYPE_ERROR", ("field",), "The value given for this field does not have its type.")
INVALID_VALUE = _code("INVALID_VALUE", ("field", "value"), "This field cannot have this value.")
VALUE_NOT_SUPPORTED = _code(
    "VALUE_NOT_SUPPORTED",
    ("field", "value", "reason"),
    "The value is well-formed, but cannot be used here for the reason given.",
)
MAP_DUPLICATE_KEY = _code(
    "MAP_DUPLICATE_KEY", ("type", "param_name", "uuid", "key"), "The map has this key already; remove it first."
)
XMLRPC_UNMARSHAL_FAILURE = _code(
    "XMLRPC_UNMARSHAL_FAILURE", ("expected", "received"), "A parameter could not be read as the type that was expected."
)
DB_UNIQUENESS_CONSTRAINT_VIOLATION = _code(
    "DB_UNIQUENESS_CONSTRAINT_VIOLATION",
    ("table", "field", "value"),
    "Another object has this value already, and it must be unique.",
)
LOCATION_NOT_UNIQUE = _code("LOCATION_NOT_UNIQUE", ("SR", "location"), "The SR has another disk at this location.")
OBJECT_NOLONGER_EXISTS = _code("OBJECT_NOLONGER_EXISTS", (), "The object was deleted while the operation ran.")
FEATURE_RESTRICTED = _code("FEATURE_RESTRICTED", (), "This feature is not allowed here.")
LICENCE_RESTRICTION = _code("LICENCE_RESTRICTION", ("feature",), "The licence does not allow this feature.")
INVALID_FEATURE_STRING = _code(
    "INVALID_FEATURE_STRING", ("details",), "The set of processor features could not be read."
)
CHANGE_PASSWORD_REJECTED = _code(
    "CHANGE_PASSWORD_REJECTED", ("msg",), "The new password was refused for the reason given."
)
PERMISSION_DENIED = _code("PERMISSION_DENIED", ("message",), "You may not do this.")
TOO_BUSY = _code("TOO_BUSY", (), "The server has too much to do; try again in a moment.")
TOO_MANY_PENDING_TASKS = _code(
    "TOO_MANY_PENDING_TASKS", (), "Too many tasks wait already; try again when some have ended."
)
CLIENT_ERROR = _code("CLIENT_ERROR", ("message",), "The request is wrong in the way the message says.")

# Sessions and roles

SESSION_INVALID = _code("SESSION_INVALID", ("handle",), "The session has ended or never existed; log in again.")
SESSION_NOT_REGISTERED = _code(
    "SESSION_NOT_REGISTERED", ("handle",), "The session has not registered for events; call event.register first."
)
# XenServer documents none, and sends the user name and a message.
SESSION_AUTHENTICATION_FAILED = _code(
    "SESSION_AUTHENTICATION_FAILED", (), "The user name or the password is wrong.", variadic=True
)
SESSION_AUTHORIZATION_FAILED = _code(
    "SESSION_AUTHORIZATION_FAILED",
    ("username", "msg"),
    "The user is known, but has no role in this pool; an administrator must give one.",
)
RBAC_PERMISSION_DENIED = _code(
    "RBAC_PERMISSION_DENIED", ("permission", "message"), "Your role does not allow this; ask for one that does."
)
USER_IS_NOT_LOCAL_SUPERUSER = _code(
    "USER_IS_NOT_LOCAL_SUPERUSER", ("msg",), "Only the host's own root user may do this."
)
ROLE_NOT_FOUND = _code("ROLE_NOT_FOUND", (), "There is no such role.")
ROLE_ALREADY_EXISTS = _code("ROLE_ALREADY_EXISTS", (), "The subject has this role already.")
SUBJECT_CANNOT_BE_RESOLVED = _code(
    "SUBJECT_CANNOT_BE_RESOLVED", (), "The user directory does not know this user or group."
)
SUBJECT_ALREADY_EXISTS = _code("SUBJECT_ALREADY_EXISTS", (), "This user or group has been added already.")
AUTH_ALREADY_ENABLED = _code(
    "AUTH_ALREADY_ENABLED",
    ("current auth_type", "current service_name"),
    "The host already uses a user directory; disable it first.",
)
AUTH_IS_DISABLED = _code("AUTH_IS_DISABLED", (), "The host uses no user directory.")
AUTH_UNKNOWN_TYPE = _code("AUTH_UNKNOWN_TYPE", ("type",), "This kind of user directory is not supported.")
AUTH_SERVICE_ERROR = _code("AUTH_SERVICE_ERROR", ("message",), "The user directory did not answer as it should.")
AUTH_ENABLE_FAILED = _code(
    "AUTH_ENABLE_FAILED", ("message",), "The user directory could not be enabled; the message says why."
)
AUTH_DISABLE_FAILED = _code(
    "AUTH_DISABLE_FAILED", ("message",), "The user directory could not be disabled; the message says why."
)
POOL_AUTH_ALREADY_ENABLED = _code(
    "POOL_AUTH_ALREADY_ENABLED", ("host",), "A host of the pool already uses a user directory; disable it there first."
)
POOL_AUTH_ENABLE_FAILED = _code(
    "POOL_AUTH_ENABLE_FAILED", ("host", "message"), "The user directory could not be enabled on this host."
)
POOL_AUTH_DISABLE_FAILED = _code(
    "POOL_AUTH_DISABLE_FAILED", ("host", "message"), "The user directory could not be disabled on this host."
)

# Operations, tasks and events

OPERATION_NOT_ALLOWED = _code("OPERATION_NOT_ALLOWED", ("reason",), "This cannot be done now, for the reason given.")
OPERATION_BLOCKED = _code(
    "OPERATION_BLOCKED",
    ("ref", "code"),
    "Somebody has blocked this operation on the object; its blocked_operations say why.",
)
OPERATION_PARTIALLY_FAILED = _code(
    "OPERATION_PARTIALLY_FAILED", ("operation",), "Some parts of the operation failed; check the objects it touched."
)
OTHER_OPERATION_IN_PROGRESS = _code(
    "OTHER_OPERATION_IN_PROGRESS",
    ("class", "object", "operation_type", "operation_ref"),
    "The object is busy with another operation; try again when that has ended.",
)
TASK_CANCELLED = _code("TASK_CANCELLED", ("task",), "The task was cancelled.")
EVENTS_LOST = _code(
    "EVENTS_LOST", (), "Events came faster than they were fetched; read everything anew and register again."
)
EVENT_SUBSCRIPTION_PARSE_FAILURE = _code(
    "EVENT_SUBSCRIPTION_PARSE_FAILURE",
    ("subscription",),
    "This subscription is neither a class, a class with a reference, nor an asterisk.",
)
EVENT_FROM_TOKEN_PARSE_FAILURE = _code(
    "EVENT_FROM_TOKEN_PARSE_FAILURE", ("token",), "The token was not made by this server; begin with an empty one."
)

# Hosts

HOST_DISABLED = _code("HOST_DISABLED", ("host",), "The host takes no new guests; enable it first.")
HOST_DISABLED_UNTIL_REBOOT = _code(
    "HOST_DISABLED_UNTIL_REBOOT", ("host",), "The host takes no new guests until it has been restarted."
)
HOST_DISABLED_INDEFINITELY = _code(
    "HOST_DISABLED_INDEFINITELY", ("host",), "The host stays disabled until somebody enables it."
)
HOST_NOT_DISABLED = _code("HOST_NOT_DISABLED", (), "The host must be disabled first.")
HOST_NOT_LIVE = _code("HOST_NOT_LIVE", (), "The host does not answer; see whether it is on and reachable.")
HOST_IS_LIVE = _code("HOST_IS_LIVE", ("host",), "The host still answers, so it is not dead.")
HOST_OFFLINE = _code("HOST_OFFLINE", ("host",), "The host is off or cannot be reached.")
HOST_STILL_BOOTING = _code("HOST_STILL_BOOTING", (), "The host is still starting; try again in a moment.")
HOST_HAS_RESIDENT_VMS = _code(
    "HOST_HAS_RESIDENT_VMS", ("host",), "VMs run on the host; migrate them away or shut them down first."
)
HOST_IN_USE = _code("HOST_IN_USE", ("host", "type", "ref"), "Something still uses the host; remove that first.")
HOST_CANNOT_DESTROY_SELF = _code("HOST_CANNOT_DESTROY_SELF", ("host",), "A host cannot forget itself; ask another one.")
HOST_CANNOT_ATTACH_NETWORK = _code(
    "HOST_CANNOT_ATTACH_NETWORK",
    ("host", "network"),
    "The host cannot reach this network; see its PIFs and their cables.",
)
HOST_CANNOT_SEE_SR = _code("HOST_CANNOT_SEE_SR", ("host", "sr"), "The host has no plugged PBD for this SR.")
HOST_NAME_INVALID = _code("HOST_NAME_INVALID", ("reason",), "This is no valid host name, for the reason given.")
HOST_NOT_ENOUGH_FREE_MEMORY = _code(
    "HOST_NOT_ENOUGH_FREE_MEMORY",
    ("needed", "available"),
    "The host has too little free memory; free some or choose another host.",
)
HOST_NOT_ENOUGH_PCPUS = _code(
    "HOST_NOT_ENOUGH_PCPUS", ("vcpus", "pcpus"), "The VM has more VCPUs than the host has processors."
)
HOST_IN_EMERGENCY_MODE = _code(
    "HOST_IN_EMERGENCY_MODE", (), "The host cannot reach its master; most calls work again when it can."
)
NOT_IN_EMERGENCY_MODE = _code("NOT_IN_EMERGENCY_MODE", (), "This works only on a host that has lost its master.")
HOST_HAS_NO_MANAGEMENT_IP = _code("HOST_HAS_NO_MANAGEMENT_IP", (), "The host's management interface has no address.")
HOST_IS_SLAVE = _code(
    "HOST_IS_SLAVE", ("Master IP address",), "Only the master answers this; connect to the address given."
)
HOST_ITS_OWN_SLAVE = _code("HOST_ITS_OWN_SLAVE", (), "The host takes itself for its master; name the real one.")
HOST_UNKNOWN_TO_MASTER = _code(
    "HOST_UNKNOWN_TO_MASTER", ("host",), "The master does not know this host; it may have been ejected."
)
HOST_MASTER_CANNOT_TALK_BACK = _code(
    "HOST_MASTER_CANNOT_TALK_BACK",
    ("ip",),
    "The master cannot reach this host; check network and firewall between them.",
)
HOST_BROKEN = _code("HOST_BROKEN", (), "The host failed while it started; see its log.")
HOST_POWER_ON_MODE_DISABLED = _code(
    "HOST_POWER_ON_MODE_DISABLED", (), "This host has no way to be switched on from afar; set its power_on_mode."
)
HOST_EVACUATE_IN_PROGRESS = _code("HOST_EVACUATE_IN_PROGRESS", ("host",), "The host is being evacuated.")
HOST_EVACUATION_IS_REQUIRED = _code("HOST_EVACUATION_IS_REQUIRED", ("host",), "The host must be evacuated first.")
HOST_CD_DRIVE_EMPTY = _code("HOST_CD_DRIVE_EMPTY", (), "The host's drive holds no disc.")
HOST_CANNOT_READ_METRICS = _code("HOST_CANNOT_READ_METRICS", (), "The host's measurements could not be read.")
CANNOT_EVACUATE_HOST = _code(
    "CANNOT_EVACUATE_HOST", ("errors",), "Some VMs could not be migrated away, for the reasons listed."
)
CANNOT_CONTACT_HOST = _code(
    "CANNOT_CONTACT_HOST", ("host",), "The host could not be reached; check that it is on and connected."
)
NO_HOSTS_AVAILABLE = _code("NO_HOSTS_AVAILABLE", (), "No host can run this; see which are enabled and what each lacks.")
HOSTS_NOT_COMPATIBLE = _code("HOSTS_NOT_COMPATIBLE", (), "The hosts' processors differ too much.")
HOSTS_NOT_HOMOGENEOUS = _code("HOSTS_NOT_HOMOGENEOUS", ("reason",), "The hosts differ, in the way named.")
NOT_SUPPORTED_DURING_UPGRADE = _code(
    "NOT_SUPPORTED_DURING_UPGRADE", (), "This must wait until every host has the same version."
)
SYSTEM_STATUS_RETRIEVAL_FAILED = _code(
    "SYSTEM_STATUS_RETRIEVAL_FAILED", ("reason",), "The status report could not be made, for the reason given."
)
INVALID_NTP_CONFIG = _code(
    "INVALID_NTP_CONFIG", ("reason",), "The time servers' settings are wrong, for the reason given."
)
NOT_ALLOWED_WHEN_NTP_IS_ENABLED = _code(
    "NOT_ALLOWED_WHEN_NTP_IS_ENABLED", ("host",), "The clock follows time servers; switch that off first."
)

# Pool

JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS = _code(
    "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS", (), "The joining host has a shared SR; detach and forget it first."
)
JOINING_HOST_CANNOT_HAVE_RUNNING_VMS = _code(
    "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS", (), "The joining host runs VMs; shut them down first."
)
JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS = _code(
    "JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS",
    (),
    "The joining host has running or suspended VMs; shut them down first.",
)
JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS = _code(
    "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS",
    (),
    "A VM of the joining host is busy; wait for its operation.",
)
JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS = _code(
    "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS", (), "The joining host is master of other hosts; eject them first."
)
JOINING_HOST_CONNECTION_FAILED = _code(
    "JOINING_HOST_CONNECTION_FAILED", (), "The master could not be reached at this address."
)
JOINING_HOST_SERVICE_FAILED = _code(
    "JOINING_HOST_SERVICE_FAILED", (), "The master was reached, but did not answer as a pool's master does."
)
POOL_JOINING_EXTERNAL_AUTH_MISMATCH = _code(
    "POOL_JOINING_EXTERNAL_AUTH_MISMATCH", (), "The joining host uses another user directory than the pool."
)
POOL_JOINING_HOST_HAS_BONDS = _code("POOL_JOINING_HOST_HAS_BONDS", (), "The joining host has bonds; remove them first.")
POOL_JOINING_HOST_HAS_TUNNELS = _code(
    "POOL_JOINING_HOST_HAS_TUNNELS", (), "The joining host has tunnels; remove them first."
)
POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS = _code(
    "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS",
    (),
    "The joining host has VLANs other than for management; remove them first.",
)
POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH = _code(
    "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH",
    ("local", "remote"),
    "Host and pool have their management on different VLANs.",
)
POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC = _code(
    "POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC",
    (),
    "The joining host's management must be on a physical interface.",
)
POOL_JOINING_HOST_MUST_ONLY_HAVE_PHYSICAL_PIFS = _code(
    "POOL_JOINING_HOST_MUST_ONLY_HAVE_PHYSICAL_PIFS", (), "The joining host may have physical interfaces only."
)
POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION = _code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION",
    ("host_api_version", "master_api_version"),
    "Host and pool speak different versions of the API; bring both to the same version.",
)
POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA = _code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA",
    ("host_db_schema", "master_db_schema"),
    "Host and pool keep different database versions; bring both to the same version.",
)
POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION = _code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION",
    (),
    "Host and pool have different versions; bring both to the same.",
)
POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH = _code(
    "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH",
    (),
    "One of host and pool checks certificates and the other does not.",
)
POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT = _code(
    "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT", (), "Host and pool trust different certificates of the same name."
)
POOL_SECRET_ROTATION_PENDING = _code(
    "POOL_SECRET_ROTATION_PENDING", (), "A change of the pool's secret is not finished; finish it first."
)
DESIGNATE_NEW_MASTER_IN_PROGRESS = _code(
    "DESIGNATE_NEW_MASTER_IN_PROGRESS", (), "The pool is already changing its master."
)
CANNOT_ENABLE_REDO_LOG = _code(
    "CANNOT_ENABLE_REDO_LOG", ("reason",), "Database changes cannot be written to a disk, for the reason given."
)
REDO_LOG_IS_ENABLED = _code("REDO_LOG_IS_ENABLED", (), "Database changes are already written to a disk.")
COULD_NOT_IMPORT_DATABASE = _code(
    "COULD_NOT_IMPORT_DATABASE", ("reason",), "The database copy could not be read, for the reason given."
)
DEFAULT_SR_NOT_FOUND = _code("DEFAULT_SR_NOT_FOUND", ("sr",), "The pool's default SR does not exist; choose another.")
SLAVE_REQUIRES_MANAGEMENT_INTERFACE = _code(
    "SLAVE_REQUIRES_MANAGEMENT_INTERFACE", (), "A member needs its management interface; it cannot be disabled."
)

# High availability

HA_IS_ENABLED = _code("HA_IS_ENABLED", (), "HA is on; switch it off first.")
HA_NOT_ENABLED = _code("HA_NOT_ENABLED", (), "HA is off.")
HA_NOT_INSTALLED = _code("HA_NOT_INSTALLED", ("host",), "HA's daemon is not installed on this host.")
HA_NO_PLAN = _code(
    "HA_NO_PLAN", (), "No plan restarts every protected VM; lower the failures to tolerate or the VMs' priorities."
)
HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN = _code(
    "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",
    (),
    "After this, HA could not restart every protected VM; lower the failures to tolerate first.",
)
HA_TOO_FEW_HOSTS = _code("HA_TOO_FEW_HOSTS", (), "HA needs more live hosts than there are.")
HA_HOST_IS_ARMED = _code("HA_HOST_IS_ARMED", ("host",), "HA is armed on this host; it would restart itself.")
HA_HOST_CANNOT_ACCESS_STATEFILE = _code(
    "HA_HOST_CANNOT_ACCESS_STATEFILE", (), "The host cannot reach the HA statefile; check its path to the heartbeat SR."
)
HA_HOST_CANNOT_SEE_PEERS = _code(
    "HA_HOST_CANNOT_SEE_PEERS",
    ("host", "all", "subset"),
    "The host does not hear all others; check the management network.",
)
HA_LOST_STATEFILE = _code("HA_LOST_STATEFILE", (), "The HA statefile is lost to this host.")
HA_FAILED_TO_FORM_LIVESET = _code(
    "HA_FAILED_TO_FORM_LIVESET", (), "The hosts could not agree on who is alive; check network and heartbeat SR."
)
HA_HEARTBEAT_DAEMON_STARTUP_FAILED = _code(
    "HA_HEARTBEAT_DAEMON_STARTUP_FAILED", (), "HA's daemon did not start on a host; see its log."
)
HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED = _code(
    "HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED", (), "HA is on in the pool and off on this host."
)
HA_SHOULD_BE_FENCED = _code(
    "HA_SHOULD_BE_FENCED",
    ("host",),
    "The pool has declared this host dead; it must restart before it takes part again.",
)
HA_ABORT_NEW_MASTER = _code("HA_ABORT_NEW_MASTER", ("reason",), "A host refused the new master, for the reason given.")
HA_ENABLE_IN_PROGRESS = _code("HA_ENABLE_IN_PROGRESS", (), "HA is just being switched on.")
HA_DISABLE_IN_PROGRESS = _code("HA_DISABLE_IN_PROGRESS", (), "HA is just being switched off.")
HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED = _code(
    "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED",
    ("SR",),
    "The VM has a disk on an SR that not every host reaches; move it to a shared SR.",
)
HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED = _code(
    "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED", ("network",), "The VM is on a network that not every host has."
)
CANNOT_CREATE_STATE_FILE = _code(
    "CANNOT_CREATE_STATE_FILE", (), "No SR can hold the HA statefile; name one that is shared and has space."
)
INCOMPATIBLE_STATEFILE_SR = _code(
    "INCOMPATIBLE_STATEFILE_SR", ("SR type",), "HA's statefile cannot lie on an SR of this type."
)
INVALID_CLUSTER_STACK = _code("INVALID_CLUSTER_STACK", ("cluster_stack",), "There is no such cluster stack.")
VM_IS_PROTECTED = _code(
    "VM_IS_PROTECTED", ("vm",), "HA protects this VM and would start it again; lift the protection first."
)
HOST_EVACUATE_VM_NOT_HA_PROTECTED = _code(
    "HOST_EVACUATE_VM_NOT_HA_PROTECTED", ("vm",), "A VM that HA does not protect would have to stop."
)

# VMs: state and life

VM_BAD_POWER_STATE = _code(
    "VM_BAD_POWER_STATE", ("vm", "expected", "actual"), "The VM is not in the power state that this needs."
)
VM_HALTED = _code("VM_HALTED", ("vm",), "The VM stopped while the operation ran.")
VM_REBOOTED = _code("VM_REBOOTED", ("vm",), "The VM restarted while the operation ran.")
VM_CRASHED = _code("VM_CRASHED", ("vm",), "The VM crashed while the operation ran.")
VM_IS_TEMPLATE = _code("VM_IS_TEMPLATE", ("vm",), "This is a template; make a VM from it first.")
VM_IS_SNAPSHOT = _code("VM_IS_SNAPSHOT", ("vm",), "This is a snapshot; make a VM from it first.")
VM_CANNOT_DELETE_DEFAULT_TEMPLATE = _code(
    "VM_CANNOT_DELETE_DEFAULT_TEMPLATE", ("vm",), "Templates that come with the product cannot be deleted."
)
PROVISION_ONLY_ALLOWED_ON_TEMPLATE = _code(
    "PROVISION_ONLY_ALLOWED_ON_TEMPLATE", (), "Only a template can be provisioned."
)
PROVISION_FAILED_OUT_OF_SPACE = _code(
    "PROVISION_FAILED_OUT_OF_SPACE", (), "There is too little space for the disks of the template."
)
DUPLICATE_VM = _code("DUPLICATE_VM", ("vm",), "A VM with this uuid exists already.")
VM_BIOS_STRINGS_ALREADY_SET = _code(
    "VM_BIOS_STRINGS_ALREADY_SET", (), "The VM's BIOS strings cannot be changed once set."
)
VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT = _code(
    "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT",
    ("vm",),
    "The guest did not react to the request to shut down; use a hard shutdown.",
)
VM_SHUTDOWN_TIMEOUT = _code(
    "VM_SHUTDOWN_TIMEOUT", ("vm", "timeout"), "The guest did not shut down in time; use a hard shutdown."
)
VM_FAILED_SUSPEND_ACKNOWLEDGMENT = _code(
    "VM_FAILED_SUSPEND_ACKNOWLEDGMENT", ("vm",), "The guest did not react to the request to suspend."
)
VM_SUSPEND_TIMEOUT = _code("VM_SUSPEND_TIMEOUT", ("vm", "timeout"), "The guest did not suspend in time.")
VM_MISSING_PV_DRIVERS = _code(
    "VM_MISSING_PV_DRIVERS", ("vm",), "The guest's agent and drivers are needed for this; install the guest tools."
)
VM_OLD_PV_DRIVERS = _code(
    "VM_OLD_PV_DRIVERS", ("vm", "major", "minor"), "The guest's tools are too old for this; update them."
)
VM_LACKS_FEATURE = _code("VM_LACKS_FEATURE", ("vm",), "The guest does not support this.")
VM_NON_SUSPENDABLE = _code("VM_NON_SUSPENDABLE", ("vm", "reason"), "The VM cannot be suspended, for the reason given.")
VM_HAS_NO_SUSPEND_VDI = _code("VM_HAS_NO_SUSPEND_VDI", ("vm",), "The VM's saved memory is gone; it can only be halted.")
VM_NO_SUSPEND_SR = _code(
    "VM_NO_SUSPEND_SR", ("vm",), "There is no SR for the VM's memory; set one on the VM, host or pool."
)
SUSPEND_IMAGE_NOT_ACCESSIBLE = _code(
    "SUSPEND_IMAGE_NOT_ACCESSIBLE", ("vdi",), "The VM's saved memory cannot be reached from this host."
)
VM_HVM_REQUIRED = _code("VM_HVM_REQUIRED", ("vm",), "Only a fully virtualised VM can do this.")
VM_UNSAFE_BOOT = _code(
    "VM_UNSAFE_BOOT", ("vm",), "It is not known that the VM is stopped on its former host; make sure, then force it."
)
VM_SNAPSHOT_FAILED = _code("VM_SNAPSHOT_FAILED", ("vm",), "The snapshot could not be taken.")
VM_REVERT_FAILED = _code("VM_REVERT_FAILED", ("vm", "snapshot"), "The VM could not be brought back to the snapshot.")
REVERT_ONLY_ALLOWED_ON_SNAPSHOT = _code("REVERT_ONLY_ALLOWED_ON_SNAPSHOT", (), "Only a snapshot can be reverted to.")
VM_HAS_TOO_MANY_SNAPSHOTS = _code(
    "VM_HAS_TOO_MANY_SNAPSHOTS", ("vm",), "The VM has as many snapshots as it may; delete one."
)
VM_HAS_CHECKPOINT = _code("VM_HAS_CHECKPOINT", ("vm",), "The VM has a snapshot with memory, which prevents this.")
VM_CHECKPOINT_SUSPEND_FAILED = _code(
    "VM_CHECKPOINT_SUSPEND_FAILED", ("vm",), "The VM could not be suspended for its snapshot with memory."
)
VM_CHECKPOINT_RESUME_FAILED = _code(
    "VM_CHECKPOINT_RESUME_FAILED", ("vm",), "The VM could not be resumed after its snapshot with memory."
)
VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED = _code(
    "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
    ("vm", "error"),
    "The guest cannot hold still for a snapshot; take an ordinary one.",
)
VM_IS_PART_OF_AN_APPLIANCE = _code(
    "VM_IS_PART_OF_AN_APPLIANCE", ("vm", "appliance"), "The VM belongs to an appliance, which prevents this."
)
DOMAIN_EXISTS = _code("DOMAIN_EXISTS", ("vm", "domid"), "The guest still exists on the host.")
DOMAIN_BUILDER_ERROR = _code(
    "DOMAIN_BUILDER_ERROR", ("function", "code", "message"), "The guest could not be built; the message says why."
)
BOOTLOADER_FAILED = _code("BOOTLOADER_FAILED", ("vm", "msg"), "The bootloader failed; the message says why.")
UNKNOWN_BOOTLOADER = _code(
    "UNKNOWN_BOOTLOADER", ("vm", "bootloader"), "This bootloader is not known; boot from firmware instead."
)
FAILED_TO_START_EMULATOR = _code(
    "FAILED_TO_START_EMULATOR", ("vm", "name", "msg"), "The guest's QEMU did not start; the message says why."
)
NOT_SYSTEM_DOMAIN = _code("NOT_SYSTEM_DOMAIN", ("vm",), "This VM is not one of the system's own.")
CANNOT_RESET_CONTROL_DOMAIN = _code(
    "CANNOT_RESET_CONTROL_DOMAIN", ("vm",), "The VM that stands for a host cannot be reset."
)
VM_CALL_PLUGIN_RATE_LIMIT = _code(
    "VM_CALL_PLUGIN_RATE_LIMIT",
    ("VM", "interval", "wait"),
    "The guest has been called too often; wait as long as said.",
)

# VMs: memory and processors

MEMORY_CONSTRAINT_VIOLATION = _code(
    "MEMORY_CONSTRAINT_VIOLATION", ("constraint",), "The memory limits break the rule named."
)
MEMORY_CONSTRAINT_VIOLATION_ORDER = _code(
    "MEMORY_CONSTRAINT_VIOLATION_ORDER",
    (),
    "Memory must keep to: static min, dynamic min, dynamic max, static max, none above the next.",
)
MEMORY_CONSTRAINT_VIOLATION_MAXPIN = _code(
    "MEMORY_CONSTRAINT_VIOLATION_MAXPIN",
    ("reason",),
    "Both dynamic limits must equal the static maximum, for the reason given.",
)
VM_MEMORY_SIZE_TOO_LOW = _code(
    "VM_MEMORY_SIZE_TOO_LOW", ("vm",), "The VM has too little memory to start; raise its maximum."
)
VM_MEMORY_TARGET_WAIT_TIMEOUT = _code(
    "VM_MEMORY_TARGET_WAIT_TIMEOUT", ("vm",), "The guest did not reach its memory target in time."
)
BALLOONING_DISABLED = _code("BALLOONING_DISABLED", (), "The VM's memory cannot be changed while it runs.")
VM_TOO_MANY_VCPUS = _code("VM_TOO_MANY_VCPUS", ("vm",), "The VM has more VCPUs than it may.")
VM_NO_VCPUS = _code("VM_NO_VCPUS", ("vm",), "The VM has no VCPU; give it one.")
VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE = _code(
    "VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE",
    ("vcpu_max", "cores_per_socket"),
    "The number of VCPUs must be a multiple of the cores per socket.",
)

# VMs: where they can run

VM_REQUIRES_SR = _code(
    "VM_REQUIRES_SR",
    ("vm", "sr"),
    "The VM needs an SR that the host does not reach; plug its PBD there or move the disk.",
)
VM_REQUIRES_VDI = _code("VM_REQUIRES_VDI", ("vm", "vdi"), "The VM needs a disk that cannot be reached.")
VM_REQUIRES_NETWORK = _code(
    "VM_REQUIRES_NETWORK", ("vm", "network"), "The VM needs a network that the host does not have."
)
VM_REQUIRES_GPU = _code(
    "VM_REQUIRES_GPU", ("vm", "GPU_group"), "The VM needs a graphics processor of a group that the host does not have."
)
VM_REQUIRES_VGPU = _code(
    "VM_REQUIRES_VGPU",
    ("vm", "GPU_group", "vGPU_type"),
    "The VM needs a virtual graphics processor that the host cannot give.",
)
VM_REQUIRES_IOMMU = _code(
    "VM_REQUIRES_IOMMU", ("host",), "The VM gets a device of the host, whose IOMMU is off; enable it in the firmware."
)
VM_HAS_PCI_ATTACHED = _code(
    "VM_HAS_PCI_ATTACHED", ("vm",), "A device of the host is attached to the VM; detach it first."
)
VM_HAS_VUSBS = _code("VM_HAS_VUSBS", ("VM",), "A USB device of the host is attached to the VM; detach it first.")
VM_IS_IMMOBILE = _code("VM_IS_IMMOBILE", ("VM",), "The VM is bound to its host.")
VM_IS_USING_NESTED_VIRT = _code(
    "VM_IS_USING_NESTED_VIRT", ("VM",), "The guest runs guests of its own, so it cannot move."
)
VM_NOT_RESIDENT_HERE = _code("VM_NOT_RESIDENT_HERE", ("vm", "host"), "The VM does not run on this host.")
VM_INCOMPATIBLE_WITH_THIS_HOST = _code(
    "VM_INCOMPATIBLE_WITH_THIS_HOST", ("vm", "host", "reason"), "The VM cannot run on this host, for the reason given."
)
VM_HOST_INCOMPATIBLE_VERSION = _code(
    "VM_HOST_INCOMPATIBLE_VERSION", ("host", "vm"), "The host's version is too old for this VM."
)
VM_HOST_INCOMPATIBLE_VERSION_MIGRATE = _code(
    "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", ("host", "vm"), "The VM cannot move to a host with an older version."
)
VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION = _code(
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
    ("host", "host_versions", "vm", "vm_version"),
    "The host cannot give the virtual hardware that the VM was made for.",
)
VM_MIGRATE_FAILED = _code(
    "VM_MIGRATE_FAILED",
    ("vm", "source", "destination", "msg"),
    "The VM could not be migrated and goes on where it was; the message says why.",
)
VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED = _code(
    "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED", (), "The receiving host could not be reached."
)
VMS_FAILED_TO_COOPERATE = _code("VMS_FAILED_TO_COOPERATE", (), "Guests did not give memory back in time.")
TOO_MANY_STORAGE_MIGRATES = _code(
    "TOO_MANY_STORAGE_MIGRATES", ("number",), "Too many disks are being moved; wait for one."
)
MIRROR_FAILED = _code(
    "MIRROR_FAILED", ("vdi",), "The disk could not be kept in step while it was moved; the source is intact."
)
VDI_NOT_IN_MAP = _code("VDI_NOT_IN_MAP", ("vdi",), "It is not said where this disk should go.")
VIF_NOT_IN_MAP = _code("VIF_NOT_IN_MAP", ("vif",), "It is not said on which network this interface should go.")

# Devices of VMs

DEVICE_ALREADY_EXISTS = _code(
    "DEVICE_ALREADY_EXISTS", ("device",), "The VM has a device with this number already; choose another."
)
DEVICE_ALREADY_ATTACHED = _code("DEVICE_ALREADY_ATTACHED", ("device",), "The device is plugged already.")
DEVICE_ALREADY_DETACHED = _code("DEVICE_ALREADY_DETACHED", ("device",), "The device is not plugged.")
DEVICE_NOT_ATTACHED = _code("DEVICE_NOT_ATTACHED", ("VBD",), "The device is not plugged.")
DEVICE_ATTACH_TIMEOUT = _code("DEVICE_ATTACH_TIMEOUT", ("type", "ref"), "The guest did not take the device in time.")
DEVICE_DETACH_TIMEOUT = _code(
    "DEVICE_DETACH_TIMEOUT",
    ("type", "ref"),
    "The guest did not release the device in time; unmount it in the guest, then try again.",
)
DEVICE_DETACH_REJECTED = _code(
    "DEVICE_DETACH_REJECTED",
    ("type", "ref", "msg"),
    "The guest refuses to release the device; unmount it in the guest first.",
)
INVALID_DEVICE = _code(
    "INVALID_DEVICE", ("device",), "This is no valid device name; use a number such as 0, or autodetect."
)
ILLEGAL_VBD_DEVICE = _code("ILLEGAL_VBD_DEVICE", ("vbd", "device"), "A disk cannot have this device name.")
VM_DUPLICATE_VBD_DEVICE = _code(
    "VM_DUPLICATE_VBD_DEVICE", ("vm", "vbd", "device"), "Two of the VM's disks have the same device name."
)
DISK_VBD_MUST_BE_READWRITE_FOR_HVM = _code(
    "DISK_VBD_MUST_BE_READWRITE_FOR_HVM",
    ("vbd",),
    "This VM can write to all its disks; a disk cannot be attached read-only.",
)
VBD_CDS_MUST_BE_READONLY = _code("VBD_CDS_MUST_BE_READONLY", (), "A CD drive is read-only; set the mode to RO.")
VBD_IS_EMPTY = _code("VBD_IS_EMPTY", ("vbd",), "The drive is empty; insert a disc first.")
VBD_NOT_EMPTY = _code("VBD_NOT_EMPTY", ("vbd",), "The drive holds a disc; eject it first.")
VBD_NOT_REMOVABLE_MEDIA = _code("VBD_NOT_REMOVABLE_MEDIA", ("vbd",), "Only a drive with removable discs can do this.")
VBD_NOT_UNPLUGGABLE = _code("VBD_NOT_UNPLUGGABLE", ("vbd",), "This disk cannot be unplugged while the VM runs.")
VBD_TRAY_LOCKED = _code("VBD_TRAY_LOCKED", ("vbd",), "The guest has locked the drive; eject the disc in the guest.")
VBD_MISSING = _code("VBD_MISSING", ("vm", "device"), "The VM has no disk under this device name.")
VM_NO_EMPTY_CD_VBD = _code("VM_NO_EMPTY_CD_VBD", ("vm",), "The VM has no empty CD drive.")
CANNOT_PLUG_VIF = _code("CANNOT_PLUG_VIF", ("VIF",), "The interface cannot be plugged while the VM runs.")
VIF_IN_USE = _code("VIF_IN_USE", ("network", "VIF"), "A VM's interface uses this network.")
MAC_INVALID = _code("MAC_INVALID", ("MAC",), "This is no valid hardware address of a single interface.")
MAC_DOES_NOT_EXIST = _code("MAC_DOES_NOT_EXIST", ("MAC",), "The host has no interface with this hardware address.")
MAC_STILL_EXISTS = _code("MAC_STILL_EXISTS", ("MAC",), "The interface is still in the host.")
DUPLICATE_MAC_SEED = _code("DUPLICATE_MAC_SEED", ("seed",), "Another VM has the same seed for its hardware addresses.")
ADDRESS_VIOLATES_LOCKING_CONSTRAINT = _code(
    "ADDRESS_VIOLATES_LOCKING_CONSTRAINT", ("address",), "The interface is locked to other addresses."
)

# Disks

VDI_IN_USE = _code("VDI_IN_USE", ("vdi", "operation"), "The disk is in use; stop the VM or unplug the disk first.")
VDI_READONLY = _code("VDI_READONLY", ("vdi",), "The disk is read-only.")
VDI_MISSING = _code("VDI_MISSING", ("sr", "vdi"), "The disk is gone from its SR; scan the SR.")
VDI_LOCATION_MISSING = _code("VDI_LOCATION_MISSING", ("sr", "location"), "Nothing lies at this location in the SR.")
VDI_NOT_AVAILABLE = _code("VDI_NOT_AVAILABLE", ("vdi",), "The disk cannot be reached now; see its SR.")
VDI_NOT_MANAGED = _code(
    "VDI_NOT_MANAGED", ("vdi",), "The disk belongs to the SR's inner workings and cannot be used as such."
)
VDI_IS_NOT_ISO = _code("VDI_IS_NOT_ISO", ("vdi", "type"), "This disk is no CD image.")
VDI_IS_A_PHYSICAL_DEVICE = _code(
    "VDI_IS_A_PHYSICAL_DEVICE", ("vdi",), "This disk is a device of the host; it has no content to handle."
)
VDI_IS_SHARABLE = _code("VDI_IS_SHARABLE", ("vdi",), "Several VMs may write to this disk, which prevents this.")
VDI_INCOMPATIBLE_TYPE = _code("VDI_INCOMPATIBLE_TYPE", ("vdi", "type"), "This cannot be done with a disk of this type.")
VDI_NOT_SPARSE = _code("VDI_NOT_SPARSE", ("vdi",), "The disk is not sparse, as this would need.")
VDI_TOO_SMALL = _code("VDI_TOO_SMALL", ("vdi", "minimum size"), "The disk must be at least this large.")
VDI_TOO_LARGE = _code("VDI_TOO_LARGE", ("vdi", "maximum size"), "The disk may be at most this large.")
VDI_COPY_FAILED = _code("VDI_COPY_FAILED", (), "The disk could not be copied; the source is intact.")
VDI_IO_ERROR = _code("VDI_IO_ERROR", ("device",), "Reading or writing the disk failed; check its storage.")
VDI_HAS_RRDS = _code("VDI_HAS_RRDS", ("vdi",), "The disk holds measurements, which prevents this.")
VDI_NEEDS_VM_FOR_MIGRATE = _code(
    "VDI_NEEDS_VM_FOR_MIGRATE", ("vdi",), "A disk can move only while a running VM uses it."
)
VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION = _code(
    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
    (),
    "The disk begins anew at each start of its VM, which prevents this.",
)
VDI_CBT_ENABLED = _code("VDI_CBT_ENABLED", ("vdi",), "Changed blocks of the disk are recorded, which prevents this.")
VDI_NO_CBT_METADATA = _code("VDI_NO_CBT_METADATA", ("vdi",), "No record of changed blocks exists for the disk.")
VDI_CONTENT_ID_MISSING = _code(
    "VDI_CONTENT_ID_MISSING", (), "It is not known whether both disks have the same content."
)
VDI_CONTAINS_METADATA_OF_THIS_POOL = _code(
    "VDI_CONTAINS_METADATA_OF_THIS_POOL", ("vdi", "pool"), "The disk holds a copy of this pool's database."
)
OUT_OF_SPACE = _code("OUT_OF_SPACE", ("location",), "There is no space left at this place.")

# Storage repositories; for what a driver met, see sr_backend_failure below

SR_HAS_NO_PBDS = _code("SR_HAS_NO_PBDS", ("sr",), "No host has a link to this SR; make a PBD and plug it.")
SR_HAS_PBD = _code("SR_HAS_PBD", ("sr",), "A PBD of the SR is still plugged; unplug it first.")
SR_HAS_MULTIPLE_PBDS = _code(
    "SR_HAS_MULTIPLE_PBDS", ("PBD",), "More than one host has a link to this SR; remove all but one."
)
SR_NOT_ATTACHED = _code("SR_NOT_ATTACHED", ("sr",), "The SR is not attached on this host; plug its PBD.")
SR_ATTACHED = _code("SR_ATTACHED", ("sr",), "The SR is attached; unplug its PBDs first.")
SR_ATTACH_FAILED = _code("SR_ATTACH_FAILED", ("sr",), "The SR could not be attached; see the errors of its PBDs.")
SR_NOT_EMPTY = _code("SR_NOT_EMPTY", (), "The SR still holds disks; delete or move them first.")
SR_NOT_SHARED = _code("SR_NOT_SHARED", ("sr",), "The SR is not shared, as this would need.")
SR_NOT_SHARABLE = _code("SR_NOT_SHARABLE", ("sr", "host"), "An SR of this type belongs to one host.")
SR_FULL = _code("SR_FULL", ("requested", "maximum"), "The SR has too little space.")
SR_UNKNOWN_DRIVER = _code(
    "SR_UNKNOWN_DRIVER",
    ("driver",),
    "There is no driver for this type of SR; SR.get_supported_types lists those there are.",
)
SR_UUID_EXISTS = _code("SR_UUID_EXISTS", ("uuid",), "An SR with this uuid is known already.")
SR_DEVICE_IN_USE = _code("SR_DEVICE_IN_USE", (), "Another SR already uses this device.")
SR_OPERATION_NOT_SUPPORTED = _code("SR_OPERATION_NOT_SUPPORTED", ("sr",), "The SR's driver cannot do this.")
SR_INDESTRUCTIBLE = _code("SR_INDESTRUCTIBLE", ("sr",), "The SR is marked as indestructible in its other_config.")
SR_DOES_NOT_SUPPORT_MIGRATION = _code(
    "SR_DOES_NOT_SUPPORT_MIGRATION", ("sr", "capabilities"), "Disks of this SR cannot be moved while they are in use."
)
SR_VDI_LOCKING_FAILED = _code("SR_VDI_LOCKING_FAILED", (), "The disk could not be locked in the SR.")
SR_SUSPEND_SPACE_INSUFFICIENT = _code(
    "SR_SUSPEND_SPACE_INSUFFICIENT", ("sr",), "The SR has too little space for the VM's memory."
)
SR_SOURCE_SPACE_INSUFFICIENT = _code(
    "SR_SOURCE_SPACE_INSUFFICIENT", ("sr",), "The SR has too little space for a snapshot that the move needs."
)
SR_REQUIRES_UPGRADE = _code("SR_REQUIRES_UPGRADE", ("SR",), "The SR has an older format and must be upgraded first.")
SR_IS_CACHE_SR = _code("SR_IS_CACHE_SR", ("host",), "A host uses this SR as its cache; disable that first.")
SR_BACKEND_FAILURE = _code(
    "SR_BACKEND_FAILURE", ("status", "stdout", "stderr"), "The SR's driver failed; its output says why."
)
PBD_EXISTS = _code("PBD_EXISTS", ("sr", "host", "pbd"), "This host has a link to this SR already.")
UNIMPLEMENTED_IN_SM_BACKEND = _code(
    "UNIMPLEMENTED_IN_SM_BACKEND", ("message",), "The SR's driver does not know this operation."
)
SM_PLUGIN_COMMUNICATION_FAILURE = _code(
    "SM_PLUGIN_COMMUNICATION_FAILURE", ("sm",), "The SR's driver did not answer as it should."
)
NO_LOCAL_STORAGE = _code("NO_LOCAL_STORAGE", ("host",), "The host has no local SR for this.")

# Networks and interfaces

NETWORK_ALREADY_CONNECTED = _code(
    "NETWORK_ALREADY_CONNECTED",
    ("network", "connected PIF"),
    "The host is connected to this network by another interface.",
)
NETWORK_CONTAINS_VIF = _code(
    "NETWORK_CONTAINS_VIF", ("vifs",), "VMs have interfaces on this network; remove them first."
)
NETWORK_CONTAINS_PIF = _code(
    "NETWORK_CONTAINS_PIF", ("pifs",), "Hosts have interfaces on this network; remove them first."
)
NETWORK_UNMANAGED = _code("NETWORK_UNMANAGED", ("network",), "The pool does not manage this network.")
NETWORK_INCOMPATIBLE_PURPOSES = _code(
    "NETWORK_INCOMPATIBLE_PURPOSES",
    ("new_purpose", "conflicting_purpose"),
    "These two purposes exclude each other on a network.",
)
NETWORK_INCOMPATIBLE_WITH_BOND = _code(
    "NETWORK_INCOMPATIBLE_WITH_BOND", ("network",), "The network cannot be used for a bond."
)
NETWORK_INCOMPATIBLE_WITH_TUNNEL = _code(
    "NETWORK_INCOMPATIBLE_WITH_TUNNEL", ("network",), "The network cannot be used for a tunnel."
)
NETWORK_INCOMPATIBLE_WITH_VLAN_ON_BRIDGE = _code(
    "NETWORK_INCOMPATIBLE_WITH_VLAN_ON_BRIDGE", ("network",), "The network cannot be used for a VLAN on a bridge."
)
CANNOT_DESTROY_SYSTEM_NETWORK = _code("CANNOT_DESTROY_SYSTEM_NETWORK", ("network",), "The system needs this network.")
NETWORK_SRIOV_INSUFFICIENT_CAPACITY = _code(
    "NETWORK_SRIOV_INSUFFICIENT_CAPACITY", ("network",), "The network has no virtual function left on this host."
)
BRIDGE_NAME_EXISTS = _code("BRIDGE_NAME_EXISTS", ("bridge",), "Another network uses this bridge name.")
BRIDGE_NOT_AVAILABLE = _code("BRIDGE_NOT_AVAILABLE", ("bridge",), "There is no such bridge on the host.")
OPENVSWITCH_NOT_ACTIVE = _code("OPENVSWITCH_NOT_ACTIVE", (), "This needs Open vSwitch, which is not in use.")
INVALID_IP_ADDRESS_SPECIFIED = _code("INVALID_IP_ADDRESS_SPECIFIED", ("parameter",), "This is no valid IP address.")
INVALID_CIDR_ADDRESS_SPECIFIED = _code(
    "INVALID_CIDR_ADDRESS_SPECIFIED", ("parameter",), "This is no valid address with its prefix length."
)
INTERFACE_HAS_NO_IP = _code("INTERFACE_HAS_NO_IP", ("interface",), "The interface has no IP address.")
PIF_IS_PHYSICAL = _code("PIF_IS_PHYSICAL", ("PIF",), "This is a physical interface; use PIF.forget.")
PIF_IS_NOT_PHYSICAL = _code("PIF_IS_NOT_PHYSICAL", ("PIF",), "This is no physical interface.")
PIF_IS_VLAN = _code("PIF_IS_VLAN", ("PIF",), "This interface is a VLAN, which prevents this.")
PIF_IS_MANAGEMENT_INTERFACE = _code(
    "PIF_IS_MANAGEMENT_INTERFACE", ("PIF",), "The interface carries management traffic; move that first."
)
PIF_VLAN_EXISTS = _code("PIF_VLAN_EXISTS", ("PIF",), "The interface has a VLAN with this tag already.")
PIF_VLAN_STILL_EXISTS = _code("PIF_VLAN_STILL_EXISTS", ("PIF",), "A VLAN is still on the interface; remove it first.")
PIF_TUNNEL_STILL_EXISTS = _code(
    "PIF_TUNNEL_STILL_EXISTS", ("PIF",), "A tunnel is still on the interface; remove it first."
)
PIF_ALREADY_BONDED = _code("PIF_ALREADY_BONDED", ("PIF",), "The interface is a member of a bond already.")
PIF_CANNOT_BOND_CROSS_HOST = _code("PIF_CANNOT_BOND_CROSS_HOST", (), "All members of a bond must be in one host.")
PIF_BOND_NEEDS_MORE_MEMBERS = _code("PIF_BOND_NEEDS_MORE_MEMBERS", (), "A bond needs more members.")
PIF_BOND_MORE_THAN_ONE_IP = _code("PIF_BOND_MORE_THAN_ONE_IP", (), "At most one member of a bond may have an address.")
PIF_CONFIGURATION_ERROR = _code(
    "PIF_CONFIGURATION_ERROR", ("PIF", "msg"), "The interface could not be set up; the message says why."
)
PIF_DEVICE_NOT_FOUND = _code("PIF_DEVICE_NOT_FOUND", (), "The host has no such device.")
PIF_DOES_NOT_ALLOW_UNPLUG = _code(
    "PIF_DOES_NOT_ALLOW_UNPLUG", ("PIF",), "The interface must stay up; see disallow_unplug."
)
PIF_ALLOWS_UNPLUG = _code(
    "PIF_ALLOWS_UNPLUG",
    ("PIF",),
    "The interface may be taken down, and this needs one that may not; set disallow_unplug.",
)
PIF_HAS_NO_NETWORK_CONFIGURATION = _code(
    "PIF_HAS_NO_NETWORK_CONFIGURATION", ("PIF",), "The interface has no IPv4 address set up."
)
PIF_HAS_NO_V6_NETWORK_CONFIGURATION = _code(
    "PIF_HAS_NO_V6_NETWORK_CONFIGURATION", ("PIF",), "The interface has no IPv6 address set up."
)
PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE = _code(
    "PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE", ("PIF",), "The interface has no address of the pool's main kind."
)
PIF_NOT_PRESENT = _code("PIF_NOT_PRESENT", ("host", "network"), "The host has no interface on this network.")
PIF_NOT_ATTACHED_TO_HOST = _code("PIF_NOT_ATTACHED_TO_HOST", ("pif", "host"), "The interface belongs to another host.")
PIF_UNMANAGED = _code("PIF_UNMANAGED", ("PIF",), "The pool does not manage this interface; set it up on the host.")
REQUIRED_PIF_IS_UNPLUGGED = _code(
    "REQUIRED_PIF_IS_UNPLUGGED", ("PIF",), "The interface is needed and down; plug it first."
)
CANNOT_PLUG_BOND_SLAVE = _code(
    "CANNOT_PLUG_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; plug the bond."
)
CANNOT_ADD_VLAN_TO_BOND_SLAVE = _code(
    "CANNOT_ADD_VLAN_TO_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; make the VLAN on the bond."
)
CANNOT_ADD_TUNNEL_TO_BOND_SLAVE = _code(
    "CANNOT_ADD_TUNNEL_TO_BOND_SLAVE", ("PIF",), "The interface is a member of a bond; make the tunnel on the bond."
)
CANNOT_CHANGE_PIF_PROPERTIES = _code(
    "CANNOT_CHANGE_PIF_PROPERTIES", ("PIF",), "The settings of this interface cannot be changed."
)
DUPLICATE_PIF_DEVICE_NAME = _code(
    "DUPLICATE_PIF_DEVICE_NAME", ("device",), "Another interface of the host has this device name."
)
TRANSPORT_PIF_NOT_CONFIGURED = _code(
    "TRANSPORT_PIF_NOT_CONFIGURED", ("PIF",), "The interface under the tunnel has no address."
)
IS_TUNNEL_ACCESS_PIF = _code(
    "IS_TUNNEL_ACCESS_PIF", ("PIF",), "The interface is a tunnel's inner end and cannot carry another tunnel."
)
COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS = _code(
    "COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
    ("device", "mac"),
    "The host has no interface with this name and hardware address.",
)
VLAN_TAG_INVALID = _code("VLAN_TAG_INVALID", ("VLAN",), "A VLAN tag is a number from 0 to 4094.")
VLAN_IN_USE = _code("VLAN_IN_USE", ("device", "vlan"), "The device has a VLAN with this tag already.")
CLUSTERING_ENABLED = _code("CLUSTERING_ENABLED", ("cluster_host",), "Clustering uses this interface; disable it first.")
PIF_HAS_FCOE_SR_IN_USE = _code(
    "PIF_HAS_FCOE_SR_IN_USE", ("PIF", "SR"), "An SR is reached through this interface; unplug it first."
)

# Import and export

IMPORT_ERROR = _code("IMPORT_ERROR", ("msg",), "The import failed; the message says why.")
IMPORT_ERROR_PREMATURE_EOF = _code("IMPORT_ERROR_PREMATURE_EOF", (), "The data ended too early; the file is not whole.")
IMPORT_ERROR_SOME_CHECKSUMS_FAILED = _code(
    "IMPORT_ERROR_SOME_CHECKSUMS_FAILED", (), "Parts of the data are damaged; nothing was kept."
)
IMPORT_ERROR_CANNOT_HANDLE_CHUNKED = _code(
    "IMPORT_ERROR_CANNOT_HANDLE_CHUNKED",
    (),
    "The request used chunked encoding; send its length, or end the connection after the data.",
)
IMPORT_ERROR_FAILED_TO_FIND_OBJECT = _code(
    "IMPORT_ERROR_FAILED_TO_FIND_OBJECT", ("id",), "The file names an object that it does not contain."
)
IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND = _code(
    "IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND", (), "A disk of the VM could not be found."
)
IMPORT_ERROR_UNEXPECTED_FILE = _code(
    "IMPORT_ERROR_UNEXPECTED_FILE",
    ("filename_expected", "filename_found"),
    "The archive holds another file than expected at this place.",
)
IMPORT_INCOMPATIBLE_VERSION = _code("IMPORT_INCOMPATIBLE_VERSION", (), "The file was made by a newer version.")
VM_TO_IMPORT_IS_NOT_NEWER_VERSION = _code(
    "VM_TO_IMPORT_IS_NOT_NEWER_VERSION",
    ("vm", "existing_version", "version_to_import"),
    "The VM here is as new as the one in the file.",
)

# Certificates and connections

SSL_VERIFY_ERROR = _code(
    "SSL_VERIFY_ERROR", ("reason",), "The peer's certificate is not trusted, for the reason given."
)
TLS_CONNECTION_FAILED = _code(
    "TLS_CONNECTION_FAILED", ("address", "port"), "No TLS connection could be made to this address and port."
)
TLS_VERIFICATION_NOT_ENABLED_IN_POOL = _code(
    "TLS_VERIFICATION_NOT_ENABLED_IN_POOL", (), "The pool does not check certificates."
)
CERTIFICATE_ALREADY_EXISTS = _code(
    "CERTIFICATE_ALREADY_EXISTS", ("name",), "A certificate of this name is installed already."
)
CERTIFICATE_DOES_NOT_EXIST = _code("CERTIFICATE_DOES_NOT_EXIST", ("name",), "No certificate of this name is installed.")
CERTIFICATE_CORRUPT = _code("CERTIFICATE_CORRUPT", ("name",), "The certificate cannot be read.")
CERTIFICATE_NAME_INVALID = _code("CERTIFICATE_NAME_INVALID", ("name",), "A certificate cannot have this name.")
CRL_ALREADY_EXISTS = _code("CRL_ALREADY_EXISTS", ("name",), "A revocation list of this name is installed already.")
CRL_DOES_NOT_EXIST = _code("CRL_DOES_NOT_EXIST", ("name",), "No revocation list of this name is installed.")
CRL_CORRUPT = _code("CRL_CORRUPT", ("name",), "The revocation list cannot be read.")
CRL_NAME_INVALID = _code("CRL_NAME_INVALID", ("name",), "A revocation list cannot have this name.")
SERVER_CERTIFICATE_INVALID = _code("SERVER_CERTIFICATE_INVALID", (), "The certificate cannot be read; give it as PEM.")
SERVER_CERTIFICATE_CHAIN_INVALID = _code(
    "SERVER_CERTIFICATE_CHAIN_INVALID", (), "The certificates of the chain cannot be read; give them as PEM."
)
SERVER_CERTIFICATE_EXPIRED = _code("SERVER_CERTIFICATE_EXPIRED", ("now", "not_after"), "The certificate has expired.")
SERVER_CERTIFICATE_NOT_VALID_YET = _code(
    "SERVER_CERTIFICATE_NOT_VALID_YET",
    ("now", "not_before"),
    "The certificate is not valid yet; check the host's clock.",
)
SERVER_CERTIFICATE_KEY_INVALID = _code("SERVER_CERTIFICATE_KEY_INVALID", (), "The key cannot be read; give it as PEM.")
SERVER_CERTIFICATE_KEY_MISMATCH = _code(
    "SERVER_CERTIFICATE_KEY_MISMATCH", (), "The key does not belong to the certificate."
)
SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED = _code(
    "SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED", ("algorithm_oid",), "The key has another algorithm than RSA."
)
SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED = _code(
    "SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED", ("length",), "The key's length is not supported."
)
SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED = _code(
    "SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED", (), "The certificate must be signed with SHA-256 or SHA-512."
)

# Plug-ins, licences, load balancing

XENAPI_MISSING_PLUGIN = _code("XENAPI_MISSING_PLUGIN", ("name",), "The host has no plug-in of this name.")
XENAPI_PLUGIN_FAILURE = _code(
    "XENAPI_PLUGIN_FAILURE", ("status", "stdout", "stderr"), "The plug-in failed; its output says why."
)
XAPI_HOOK_FAILED = _code(
    "XAPI_HOOK_FAILED", ("hook_name", "reason", "stdout", "exit_code"), "A hook script failed; its output says why."
)
LICENSE_EXPIRED = _code("LICENSE_EXPIRED", (), "The licence has expired.")
LICENSE_PROCESSING_ERROR = _code("LICENSE_PROCESSING_ERROR", (), "The licence could not be read.")
INVALID_EDITION = _code("INVALID_EDITION", ("edition",), "There is no such edition.")
WLB_NOT_INITIALIZED = _code("WLB_NOT_INITIALIZED", (), "The pool is not connected to a workload balancer.")
WLB_DISABLED = _code("WLB_DISABLED", (), "The workload balancer is not asked; enable it first.")


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
