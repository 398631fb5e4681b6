"""Errors about licences, workload balancing and provisioning services: kept for clients that know them."""

from cardume.datamodel.errors.declared import code

LICENSE_EXPIRED = code("LICENSE_EXPIRED", (), "The licence has expired.")
LICENSE_PROCESSING_ERROR = code("LICENSE_PROCESSING_ERROR", (), "The licence could not be read.")
INVALID_EDITION = code("INVALID_EDITION", ("edition",), "There is no such edition.")
WLB_NOT_INITIALIZED = code("WLB_NOT_INITIALIZED", (), "The pool is not connected to a workload balancer.")
WLB_DISABLED = code("WLB_DISABLED", (), "The workload balancer is not asked; enable it first.")
LICENSE_CANNOT_DOWNGRADE_WHILE_IN_POOL = code(
    "LICENSE_CANNOT_DOWNGRADE_WHILE_IN_POOL", (), "A host in a pool cannot go to a lesser edition."
)
LICENSE_CHECKOUT_ERROR = code(
    "LICENSE_CHECKOUT_ERROR", ("code", "message"), "The licence server gave no licence; the message says why."
)
LICENSE_DOES_NOT_SUPPORT_POOLING = code("LICENSE_DOES_NOT_SUPPORT_POOLING", (), "The licence does not allow pools.")
LICENSE_DOES_NOT_SUPPORT_XHA = code("LICENSE_DOES_NOT_SUPPORT_XHA", (), "The licence does not allow HA.")
LICENSE_FILE_DEPRECATED = code("LICENSE_FILE_DEPRECATED", (), "Licences are no longer given as files.")
LICENSE_HOST_POOL_MISMATCH = code(
    "LICENSE_HOST_POOL_MISMATCH", (), "Host and pool have licences of different editions."
)
MISSING_CONNECTION_DETAILS = code(
    "MISSING_CONNECTION_DETAILS", (), "Say which licence server to ask: address and port."
)
V6D_FAILURE = code("V6D_FAILURE", (), "The licence service failed; see the log.")
PVS_CACHE_STORAGE_ALREADY_PRESENT = code(
    "PVS_CACHE_STORAGE_ALREADY_PRESENT", ("site", "host"), "The host has a cache for this provisioning site already."
)
PVS_CACHE_STORAGE_IS_IN_USE = code(
    "PVS_CACHE_STORAGE_IS_IN_USE", ("PVS_cache_storage",), "Running guests use this cache; shut them down first."
)
PVS_PROXY_ALREADY_PRESENT = code(
    "PVS_PROXY_ALREADY_PRESENT", ("proxies",), "The interface is cached for provisioning already."
)
PVS_PROXY_PRESENT_ON_HIGHER_VIF_DEVICE = code(
    "PVS_PROXY_PRESENT_ON_HIGHER_VIF_DEVICE",
    ("device",),
    "An interface after this one is cached for provisioning; only the first may be.",
)
PVS_SERVER_ADDRESS_IN_USE = code(
    "PVS_SERVER_ADDRESS_IN_USE", ("address",), "Another provisioning server has this address."
)
PVS_SITE_CONTAINS_RUNNING_PROXIES = code(
    "PVS_SITE_CONTAINS_RUNNING_PROXIES",
    ("proxies",),
    "Running guests are cached for this provisioning site; shut them down first.",
)
PVS_SITE_CONTAINS_SERVERS = code(
    "PVS_SITE_CONTAINS_SERVERS", ("servers",), "The provisioning site still has servers; forget them first."
)
PVS_VIF_MUST_BE_FIRST_DEVICE = code(
    "PVS_VIF_MUST_BE_FIRST_DEVICE", (), "Only a VM's first interface can be cached for provisioning."
)
WLB_AUTHENTICATION_FAILED = code(
    "WLB_AUTHENTICATION_FAILED", (), "The workload balancer does not accept this user name and password."
)
WLB_CONNECTION_REFUSED = code(
    "WLB_CONNECTION_REFUSED", (), "The workload balancer refused the connection; check its address and port."
)
WLB_CONNECTION_RESET = code("WLB_CONNECTION_RESET", (), "The workload balancer broke off the connection.")
WLB_INTERNAL_ERROR = code("WLB_INTERNAL_ERROR", (), "The workload balancer failed inside.")
WLB_MALFORMED_REQUEST = code("WLB_MALFORMED_REQUEST", (), "The workload balancer did not understand the request.")
WLB_MALFORMED_RESPONSE = code(
    "WLB_MALFORMED_RESPONSE",
    ("method", "reason", "response"),
    "The workload balancer's answer could not be understood.",
)
WLB_TIMEOUT = code("WLB_TIMEOUT", ("configured_timeout",), "The workload balancer did not answer in time.")
WLB_UNKNOWN_HOST = code("WLB_UNKNOWN_HOST", (), "The workload balancer's name could not be found.")
WLB_URL_INVALID = code("WLB_URL_INVALID", ("url",), "This address cannot be a workload balancer's.")
WLB_XENSERVER_AUTHENTICATION_FAILED = code(
    "WLB_XENSERVER_AUTHENTICATION_FAILED", (), "The workload balancer could not log in to this pool."
)
WLB_XENSERVER_CONNECTION_REFUSED = code(
    "WLB_XENSERVER_CONNECTION_REFUSED", (), "This pool refused the workload balancer's connection."
)
WLB_XENSERVER_MALFORMED_RESPONSE = code(
    "WLB_XENSERVER_MALFORMED_RESPONSE", (), "The workload balancer did not understand this pool's answer."
)
WLB_XENSERVER_TIMEOUT = code("WLB_XENSERVER_TIMEOUT", (), "This pool did not answer the workload balancer in time.")
WLB_XENSERVER_UNKNOWN_HOST = code(
    "WLB_XENSERVER_UNKNOWN_HOST", (), "The workload balancer could not find this pool by its name."
)
