"""Errors about repositories of updates."""

from cardume.datamodel.errors.declared import code

APPLY_UPDATES_FAILED = code("APPLY_UPDATES_FAILED", ("ref",), "The host could not be updated; see its log.")
APPLY_UPDATES_IN_PROGRESS = code(
    "APPLY_UPDATES_IN_PROGRESS", (), "A host is being updated; try again when that has ended."
)
BLOCKED_REPO_URL = code("BLOCKED_REPO_URL", ("url",), "Repositories may not lie at this address.")
BUNDLE_REPOSITORY_ALREADY_EXISTS = code(
    "BUNDLE_REPOSITORY_ALREADY_EXISTS", ("ref",), "The pool has a repository for uploaded bundles already."
)
BUNDLE_REPO_NOT_ENABLED = code("BUNDLE_REPO_NOT_ENABLED", (), "No repository for uploaded bundles is enabled.")
BUNDLE_SYNC_FAILED = code("BUNDLE_SYNC_FAILED", (), "The uploaded bundle could not be taken over; see the log.")
BUNDLE_UNPACK_FAILED = code(
    "BUNDLE_UNPACK_FAILED", ("error",), "The uploaded bundle could not be unpacked; the text says why."
)
CAN_NOT_PERIODIC_SYNC_UPDATES = code(
    "CAN_NOT_PERIODIC_SYNC_UPDATES", (), "What is enabled now cannot be fetched regularly."
)
CAN_NOT_SYNC_UPDATES = code("CAN_NOT_SYNC_UPDATES", (), "What is enabled now cannot be fetched.")
CONFIGURE_REPOSITORIES_IN_PROGRESS = code(
    "CONFIGURE_REPOSITORIES_IN_PROGRESS", (), "Repositories are being changed; try again when that has ended."
)
GET_HOST_UPDATES_FAILED = code(
    "GET_HOST_UPDATES_FAILED", ("ref",), "The host could not tell which updates it lacks; see its log."
)
GET_UPDATES_FAILED = code("GET_UPDATES_FAILED", (), "The list of updates could not be made; see the log.")
HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY = code(
    "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ("host",),
    "The host must first do what earlier updates ask for, such as a restart.",
)
INVALID_BASE_URL = code("INVALID_BASE_URL", ("url",), "This address cannot be a repository's.")
INVALID_GPGKEY_PATH = code("INVALID_GPGKEY_PATH", ("gpgkey_path",), "There is no key at this path.")
INVALID_REPOMD_XML = code("INVALID_REPOMD_XML", (), "The repository's index cannot be read.")
INVALID_REPOSITORY_DOMAIN_ALLOWLIST = code(
    "INVALID_REPOSITORY_DOMAIN_ALLOWLIST", ("domains",), "These names cannot be a list of allowed domains."
)
INVALID_REPOSITORY_PROXY_CREDENTIAL = code(
    "INVALID_REPOSITORY_PROXY_CREDENTIAL", (), "The proxy's user name or password cannot be used as they are."
)
INVALID_REPOSITORY_PROXY_URL = code("INVALID_REPOSITORY_PROXY_URL", ("url",), "This address cannot be a proxy's.")
INVALID_UPDATEINFO_XML = code("INVALID_UPDATEINFO_XML", (), "The repository's description of updates cannot be read.")
INVALID_UPDATE_SYNC_DAY = code("INVALID_UPDATE_SYNC_DAY", ("day",), "This is no day on which updates could be fetched.")
MULTIPLE_UPDATE_REPOSITORIES_ENABLED = code(
    "MULTIPLE_UPDATE_REPOSITORIES_ENABLED", (), "More than one repository of updates is enabled; leave one."
)
NO_REPOSITORIES_CONFIGURED = code(
    "NO_REPOSITORIES_CONFIGURED", (), "The pool knows no repository; introduce one first."
)
NO_REPOSITORY_ENABLED = code("NO_REPOSITORY_ENABLED", (), "No repository is enabled; enable one first.")
REPOSITORY_ALREADY_EXISTS = code("REPOSITORY_ALREADY_EXISTS", ("ref",), "The pool knows this repository already.")
REPOSITORY_CLEANUP_FAILED = code(
    "REPOSITORY_CLEANUP_FAILED", (), "What was fetched from the repository could not be removed from the master's disk."
)
REPOSITORY_IS_IN_USE = code("REPOSITORY_IS_IN_USE", (), "The repository is enabled; disable it first.")
REPOSYNC_FAILED = code("REPOSYNC_FAILED", (), "The repository could not be fetched; see the log.")
REPO_SHOULD_BE_SINGLE_ONE_ENABLED = code(
    "REPO_SHOULD_BE_SINGLE_ONE_ENABLED", (), "Exactly one repository must be enabled for this."
)
SYNC_BUNDLE_IN_PROGRESS = code(
    "SYNC_BUNDLE_IN_PROGRESS", (), "A bundle is being taken over; try again when that has ended."
)
SYNC_UPDATES_IN_PROGRESS = code(
    "SYNC_UPDATES_IN_PROGRESS", (), "Updates are being fetched; try again when that has ended."
)
UPDATEINFO_HASH_MISMATCH = code(
    "UPDATEINFO_HASH_MISMATCH", (), "The updates were fetched anew meanwhile; look at them again."
)
UPDATE_SYNCING_REMOTE_POOL_COORDINATOR_CONNECTION_FAILED = code(
    "UPDATE_SYNCING_REMOTE_POOL_COORDINATOR_CONNECTION_FAILED",
    (),
    "The pool that updates are copied from cannot be reached.",
)
UPDATE_SYNCING_REMOTE_POOL_COORDINATOR_SERVICE_FAILED = code(
    "UPDATE_SYNCING_REMOTE_POOL_COORDINATOR_SERVICE_FAILED",
    (),
    "The pool that updates are copied from did not serve them; see its log.",
)

# XenServer documents no parameters of these.
CREATEREPO_FAILED = code(
    "CREATEREPO_FAILED", (), "The index of a repository of updates could not be made.", variadic=True
)
GET_UPDATES_IN_PROGRESS = code(
    "GET_UPDATES_IN_PROGRESS", (), "Updates are being looked up; try again when that is done.", variadic=True
)
