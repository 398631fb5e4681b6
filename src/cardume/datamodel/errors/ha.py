"""Errors about high availability."""

from cardume.datamodel.errors.declared import code

# High availability

HA_IS_ENABLED = code("HA_IS_ENABLED", (), "HA is on; switch it off first.")
HA_NOT_ENABLED = code("HA_NOT_ENABLED", (), "HA is off.")
HA_NOT_INSTALLED = code("HA_NOT_INSTALLED", ("host",), "HA's daemon is not installed on this host.")
HA_NO_PLAN = code(
    "HA_NO_PLAN", (), "No plan restarts every protected VM; lower the failures to tolerate or the VMs' priorities."
)
HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN = code(
    "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",
    (),
    "After this, HA could not restart every protected VM; lower the failures to tolerate first.",
)
HA_TOO_FEW_HOSTS = code("HA_TOO_FEW_HOSTS", (), "HA needs more live hosts than there are.")
HA_HOST_IS_ARMED = code("HA_HOST_IS_ARMED", ("host",), "HA is armed on this host; it would restart itself.")
HA_HOST_CANNOT_ACCESS_STATEFILE = code(
    "HA_HOST_CANNOT_ACCESS_STATEFILE", (), "The host cannot reach the HA statefile; check its path to the heartbeat SR."
)
HA_HOST_CANNOT_SEE_PEERS = code(
    "HA_HOST_CANNOT_SEE_PEERS",
    ("host", "all", "subset"),
    "The host does not hear all others; check the management network.",
)
HA_LOST_STATEFILE = code("HA_LOST_STATEFILE", (), "The HA statefile is lost to this host.")
HA_FAILED_TO_FORM_LIVESET = code(
    "HA_FAILED_TO_FORM_LIVESET", (), "The hosts could not agree on who is alive; check network and heartbeat SR."
)
HA_HEARTBEAT_DAEMON_STARTUP_FAILED = code(
    "HA_HEARTBEAT_DAEMON_STARTUP_FAILED", (), "HA's daemon did not start on a host; see its log."
)
HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED = code(
    "HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED", (), "HA is on in the pool and off on this host."
)
HA_SHOULD_BE_FENCED = code(
    "HA_SHOULD_BE_FENCED",
    ("host",),
    "The pool has declared this host dead; it must restart before it takes part again.",
)
HA_ABORT_NEW_MASTER = code("HA_ABORT_NEW_MASTER", ("reason",), "A host refused the new master, for the reason given.")
HA_ENABLE_IN_PROGRESS = code("HA_ENABLE_IN_PROGRESS", (), "HA is just being switched on.")
HA_DISABLE_IN_PROGRESS = code("HA_DISABLE_IN_PROGRESS", (), "HA is just being switched off.")
HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED = code(
    "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED",
    ("SR",),
    "The VM has a disk on an SR that not every host reaches; move it to a shared SR.",
)
HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED = code(
    "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED", ("network",), "The VM is on a network that not every host has."
)
CANNOT_CREATE_STATE_FILE = code(
    "CANNOT_CREATE_STATE_FILE", (), "No SR can hold the HA statefile; name one that is shared and has space."
)
INCOMPATIBLE_STATEFILE_SR = code(
    "INCOMPATIBLE_STATEFILE_SR", ("SR type",), "HA's statefile cannot lie on an SR of this type."
)
INVALID_CLUSTER_STACK = code("INVALID_CLUSTER_STACK", ("cluster_stack",), "There is no such cluster stack.")
VM_IS_PROTECTED = code(
    "VM_IS_PROTECTED", ("vm",), "HA protects this VM and would start it again; lift the protection first."
)
HOST_EVACUATE_VM_NOT_HA_PROTECTED = code(
    "HOST_EVACUATE_VM_NOT_HA_PROTECTED", ("vm",), "A VM that HA does not protect would have to stop."
)

# What else stands in the way of high availability

HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE = code(
    "HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE",
    (),
    "The management interface cannot enter or leave a bond while HA is on.",
)
NO_MORE_REDO_LOGS_ALLOWED = code("NO_MORE_REDO_LOGS_ALLOWED", (), "No further log of database changes can be kept.")
