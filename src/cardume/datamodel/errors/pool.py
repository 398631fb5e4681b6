"""Errors about pools and joining them."""

from cardume.datamodel.errors.declared import code

# Pool

JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS = code(
    "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS", (), "The joining host has a shared SR; detach and forget it first."
)
JOINING_HOST_CANNOT_HAVE_RUNNING_VMS = code(
    "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS", (), "The joining host runs VMs; shut them down first."
)
JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS = code(
    "JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS",
    (),
    "The joining host has running or suspended VMs; shut them down first.",
)
JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS = code(
    "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS",
    (),
    "A VM of the joining host is busy; wait for its operation.",
)
JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS = code(
    "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS", (), "The joining host is master of other hosts; eject them first."
)
JOINING_HOST_CONNECTION_FAILED = code(
    "JOINING_HOST_CONNECTION_FAILED", (), "The master could not be reached at this address."
)
JOINING_HOST_SERVICE_FAILED = code(
    "JOINING_HOST_SERVICE_FAILED", (), "The master was reached, but did not answer as a pool's master does."
)
POOL_JOINING_EXTERNAL_AUTH_MISMATCH = code(
    "POOL_JOINING_EXTERNAL_AUTH_MISMATCH", (), "The joining host uses another user directory than the pool."
)
POOL_JOINING_HOST_HAS_BONDS = code("POOL_JOINING_HOST_HAS_BONDS", (), "The joining host has bonds; remove them first.")
POOL_JOINING_HOST_HAS_TUNNELS = code(
    "POOL_JOINING_HOST_HAS_TUNNELS", (), "The joining host has tunnels; remove them first."
)
POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS = code(
    "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS",
    (),
    "The joining host has VLANs other than for management; remove them first.",
)
POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH = code(
    "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH",
    ("local", "remote"),
    "Host and pool have their management on different VLANs.",
)
POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC = code(
    "POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC",
    (),
    "The joining host's management must be on a physical interface.",
)
POOL_JOINING_HOST_MUST_ONLY_HAVE_PHYSICAL_PIFS = code(
    "POOL_JOINING_HOST_MUST_ONLY_HAVE_PHYSICAL_PIFS", (), "The joining host may have physical interfaces only."
)
POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION = code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION",
    ("host_api_version", "master_api_version"),
    "Host and pool speak different versions of the API; bring both to the same version.",
)
POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA = code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA",
    ("host_db_schema", "master_db_schema"),
    "Host and pool keep different database versions; bring both to the same version.",
)
POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION = code(
    "POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION",
    (),
    "Host and pool have different versions; bring both to the same.",
)
POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH = code(
    "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH",
    (),
    "One of host and pool checks certificates and the other does not.",
)
POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT = code(
    "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT", (), "Host and pool trust different certificates of the same name."
)
POOL_SECRET_ROTATION_PENDING = code(
    "POOL_SECRET_ROTATION_PENDING", (), "A change of the pool's secret is not finished; finish it first."
)
DESIGNATE_NEW_MASTER_IN_PROGRESS = code(
    "DESIGNATE_NEW_MASTER_IN_PROGRESS", (), "The pool is already changing its master."
)
CANNOT_ENABLE_REDO_LOG = code(
    "CANNOT_ENABLE_REDO_LOG", ("reason",), "Database changes cannot be written to a disk, for the reason given."
)
REDO_LOG_IS_ENABLED = code("REDO_LOG_IS_ENABLED", (), "Database changes are already written to a disk.")
COULD_NOT_IMPORT_DATABASE = code(
    "COULD_NOT_IMPORT_DATABASE", ("reason",), "The database copy could not be read, for the reason given."
)
DEFAULT_SR_NOT_FOUND = code("DEFAULT_SR_NOT_FOUND", ("sr",), "The pool's default SR does not exist; choose another.")
SLAVE_REQUIRES_MANAGEMENT_INTERFACE = code(
    "SLAVE_REQUIRES_MANAGEMENT_INTERFACE", (), "A member needs its management interface; it cannot be disabled."
)

# What else keeps a host from joining

POOL_JOINING_HOST_HAS_NETWORK_SRIOVS = code(
    "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS", (), "The host uses SR-IOV networks; remove them before it joins."
)
POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK = code(
    "POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK",
    (),
    "The host needs exactly one address in the network that the cluster uses.",
)
POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT = code(
    "POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT",
    ("ref_in_pool", "ref_on_host"),
    "Pool and host trust different certificates under one name; remove one of them.",
)
POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE = code(
    "POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE",
    ("master_uuid",),
    "The master's certificate is missing among those that the pool handed out.",
)
POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT = code(
    "POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT", ("bundle_path",), "The pool handed out no certificates at all."
)
POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK = code(
    "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK",
    ("vlan",),
    "The cluster's network is a VLAN, which a joining host does not have yet.",
)
POOL_JOINING_SM_FEATURES_INCOMPATIBLE = code(
    "POOL_JOINING_SM_FEATURES_INCOMPATIBLE",
    ("pool_sm_ref", "candidate_sm_ref"),
    "Pool and host have storage drivers of different abilities; bring both to one version.",
)
TOO_MANY_GROUPS = code("TOO_MANY_GROUPS", (), "A VM can be in one group only.")
TELEMETRY_NEXT_COLLECTION_TOO_LATE = code(
    "TELEMETRY_NEXT_COLLECTION_TOO_LATE", ("timestamp",), "The next collection lies too far in the future."
)
