"""Errors about sessions, roles and user directories."""

from cardume.datamodel.errors.declared import code

# Sessions and roles

SESSION_INVALID = code("SESSION_INVALID", ("handle",), "The session has ended or never existed; log in again.")
SESSION_NOT_REGISTERED = code(
    "SESSION_NOT_REGISTERED", ("handle",), "The session has not registered for events; call event.register first."
)
# XenServer documents none, and sends the user name and a message.
SESSION_AUTHENTICATION_FAILED = code(
    "SESSION_AUTHENTICATION_FAILED", (), "The user name or the password is wrong.", variadic=True
)
SESSION_AUTHORIZATION_FAILED = code(
    "SESSION_AUTHORIZATION_FAILED",
    ("username", "msg"),
    "The user is known, but has no role in this pool; an administrator must give one.",
)
RBAC_PERMISSION_DENIED = code(
    "RBAC_PERMISSION_DENIED", ("permission", "message"), "Your role does not allow this; ask for one that does."
)
USER_IS_NOT_LOCAL_SUPERUSER = code(
    "USER_IS_NOT_LOCAL_SUPERUSER", ("msg",), "Only the host's own root user may do this."
)
ROLE_NOT_FOUND = code("ROLE_NOT_FOUND", (), "There is no such role.")
ROLE_ALREADY_EXISTS = code("ROLE_ALREADY_EXISTS", (), "The subject has this role already.")
SUBJECT_CANNOT_BE_RESOLVED = code(
    "SUBJECT_CANNOT_BE_RESOLVED", (), "The user directory does not know this user or group."
)
SUBJECT_ALREADY_EXISTS = code("SUBJECT_ALREADY_EXISTS", (), "This user or group has been added already.")
AUTH_ALREADY_ENABLED = code(
    "AUTH_ALREADY_ENABLED",
    ("current auth_type", "current service_name"),
    "The host already uses a user directory; disable it first.",
)
AUTH_IS_DISABLED = code("AUTH_IS_DISABLED", (), "The host uses no user directory.")
AUTH_UNKNOWN_TYPE = code("AUTH_UNKNOWN_TYPE", ("type",), "This kind of user directory is not supported.")
AUTH_SERVICE_ERROR = code("AUTH_SERVICE_ERROR", ("message",), "The user directory did not answer as it should.")
AUTH_ENABLE_FAILED = code(
    "AUTH_ENABLE_FAILED", ("message",), "The user directory could not be enabled; the message says why."
)
AUTH_DISABLE_FAILED = code(
    "AUTH_DISABLE_FAILED", ("message",), "The user directory could not be disabled; the message says why."
)
POOL_AUTH_ALREADY_ENABLED = code(
    "POOL_AUTH_ALREADY_ENABLED", ("host",), "A host of the pool already uses a user directory; disable it there first."
)
POOL_AUTH_ENABLE_FAILED = code(
    "POOL_AUTH_ENABLE_FAILED", ("host", "message"), "The user directory could not be enabled on this host."
)
POOL_AUTH_DISABLE_FAILED = code(
    "POOL_AUTH_DISABLE_FAILED", ("host", "message"), "The user directory could not be disabled on this host."
)

# Joining and leaving user directories

AUTH_DISABLE_FAILED_PERMISSION_DENIED = code(
    "AUTH_DISABLE_FAILED_PERMISSION_DENIED",
    ("message",),
    "The user directory could not be left: the account given may not do that.",
)
AUTH_DISABLE_FAILED_WRONG_CREDENTIALS = code(
    "AUTH_DISABLE_FAILED_WRONG_CREDENTIALS",
    ("message",),
    "The user directory could not be left: user name or password are wrong.",
)
AUTH_ENABLE_FAILED_DOMAIN_LOOKUP_FAILED = code(
    "AUTH_ENABLE_FAILED_DOMAIN_LOOKUP_FAILED",
    ("message",),
    "The user directory could not be joined: its domain was not found; check the host's name servers.",
)
AUTH_ENABLE_FAILED_INVALID_ACCOUNT = code(
    "AUTH_ENABLE_FAILED_INVALID_ACCOUNT",
    ("message",),
    "The user directory could not be joined: the account given is not valid.",
)
AUTH_ENABLE_FAILED_INVALID_OU = code(
    "AUTH_ENABLE_FAILED_INVALID_OU",
    ("message",),
    "The user directory could not be joined: it has no such organisational unit.",
)
AUTH_ENABLE_FAILED_INVALID_TRUSTED_CERTS = code(
    "AUTH_ENABLE_FAILED_INVALID_TRUSTED_CERTS",
    ("message",),
    "The user directory could not be joined: an installed certificate that should vouch for it is not valid.",
)
AUTH_ENABLE_FAILED_NO_TRUSTED_CERTS = code(
    "AUTH_ENABLE_FAILED_NO_TRUSTED_CERTS",
    ("message",),
    "The user directory could not be joined: no installed certificate vouches for it.",
)
AUTH_ENABLE_FAILED_PERMISSION_DENIED = code(
    "AUTH_ENABLE_FAILED_PERMISSION_DENIED",
    ("message",),
    "The user directory could not be joined: the account given may not do that.",
)
AUTH_ENABLE_FAILED_UNAVAILABLE = code(
    "AUTH_ENABLE_FAILED_UNAVAILABLE", ("message",), "The user directory could not be joined: it does not answer."
)
AUTH_ENABLE_FAILED_WRONG_CREDENTIALS = code(
    "AUTH_ENABLE_FAILED_WRONG_CREDENTIALS",
    ("message",),
    "The user directory could not be joined: user name or password are wrong.",
)
AUTH_INVALID_TRUSTED_CERTS = code(
    "AUTH_INVALID_TRUSTED_CERTS",
    ("message",),
    "An installed certificate that should vouch for the user directory is not valid.",
)
AUTH_NO_TRUSTED_CERTS = code(
    "AUTH_NO_TRUSTED_CERTS", ("message",), "No installed certificate vouches for the user directory."
)
AUTH_SETUP_TLS_CONNECTION = code(
    "AUTH_SETUP_TLS_CONNECTION", ("message",), "No TLS connection to the user directory could be made."
)
AUTH_SET_LDAPS_FAILED = code(
    "AUTH_SET_LDAPS_FAILED",
    ("host", "message"),
    "This host could not change whether it asks the user directory over TLS.",
)
POOL_AUTH_DISABLE_FAILED_INVALID_ACCOUNT = code(
    "POOL_AUTH_DISABLE_FAILED_INVALID_ACCOUNT",
    ("host", "message"),
    "This host could not leave the user directory: the account given is not valid.",
)
POOL_AUTH_DISABLE_FAILED_PERMISSION_DENIED = code(
    "POOL_AUTH_DISABLE_FAILED_PERMISSION_DENIED",
    ("host", "message"),
    "This host could not leave the user directory: the account given may not do that.",
)
POOL_AUTH_DISABLE_FAILED_WRONG_CREDENTIALS = code(
    "POOL_AUTH_DISABLE_FAILED_WRONG_CREDENTIALS",
    ("host", "message"),
    "This host could not leave the user directory: user name or password are wrong.",
)
POOL_AUTH_ENABLE_FAILED_DOMAIN_LOOKUP_FAILED = code(
    "POOL_AUTH_ENABLE_FAILED_DOMAIN_LOOKUP_FAILED",
    ("host", "message"),
    "This host could not join the user directory: it did not find the domain; check its name servers.",
)
POOL_AUTH_ENABLE_FAILED_DUPLICATE_HOSTNAME = code(
    "POOL_AUTH_ENABLE_FAILED_DUPLICATE_HOSTNAME",
    ("host", "message"),
    "This host could not join the user directory: another machine there has its name.",
)
POOL_AUTH_ENABLE_FAILED_INVALID_ACCOUNT = code(
    "POOL_AUTH_ENABLE_FAILED_INVALID_ACCOUNT",
    ("host", "message"),
    "This host could not join the user directory: the account given is not valid.",
)
POOL_AUTH_ENABLE_FAILED_INVALID_OU = code(
    "POOL_AUTH_ENABLE_FAILED_INVALID_OU",
    ("host", "message"),
    "This host could not join the user directory: there is no such organisational unit.",
)
POOL_AUTH_ENABLE_FAILED_INVALID_TRUSTED_CERTS = code(
    "POOL_AUTH_ENABLE_FAILED_INVALID_TRUSTED_CERTS",
    ("host", "message"),
    "This host could not join the user directory: the certificate that should vouch for it is not valid.",
)
POOL_AUTH_ENABLE_FAILED_NO_SUPPORT_ENCRYPT_TYPE = code(
    "POOL_AUTH_ENABLE_FAILED_NO_SUPPORT_ENCRYPT_TYPE",
    ("host", "message"),
    "This host could not join the user directory: both know no cipher in common.",
)
POOL_AUTH_ENABLE_FAILED_NO_TRUSTED_CERTS = code(
    "POOL_AUTH_ENABLE_FAILED_NO_TRUSTED_CERTS",
    ("host", "message"),
    "This host could not join the user directory: no installed certificate vouches for it.",
)
POOL_AUTH_ENABLE_FAILED_PERMISSION_DENIED = code(
    "POOL_AUTH_ENABLE_FAILED_PERMISSION_DENIED",
    ("host", "message"),
    "This host could not join the user directory: the account given may not do that.",
)
POOL_AUTH_ENABLE_FAILED_SETUP_TLS_CONNECTION = code(
    "POOL_AUTH_ENABLE_FAILED_SETUP_TLS_CONNECTION",
    ("host", "message"),
    "This host could not join the user directory: no TLS connection could be made.",
)
POOL_AUTH_ENABLE_FAILED_UNAVAILABLE = code(
    "POOL_AUTH_ENABLE_FAILED_UNAVAILABLE",
    ("host", "message"),
    "This host could not join the user directory: it does not answer.",
)
POOL_AUTH_ENABLE_FAILED_WRONG_CREDENTIALS = code(
    "POOL_AUTH_ENABLE_FAILED_WRONG_CREDENTIALS",
    ("host", "message"),
    "This host could not join the user directory: user name or password are wrong.",
)
