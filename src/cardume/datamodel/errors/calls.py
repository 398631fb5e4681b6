"""Errors about calls, values, operations and tasks."""

from cardume.datamodel.errors.declared import code

# Calls and values

HANDLE_INVALID = code("HANDLE_INVALID", ("class", "handle"), "No object has this reference; it may have been deleted.")
UUID_INVALID = code("UUID_INVALID", ("type", "uuid"), "No object of this class has this uuid.")
INTERNAL_ERROR = code("INTERNAL_ERROR", ("message",), "The server failed in a way it does not know; see its log.")
NOT_IMPLEMENTED = code("NOT_IMPLEMENTED", ("function",), "This message is declared and not implemented yet.")
MESSAGE_METHOD_UNKNOWN = code(
    "MESSAGE_METHOD_UNKNOWN", ("method",), "There is no such method; check the spelling and the case of its name."
)
MESSAGE_PARAMETER_COUNT_MISMATCH = code(
    "MESSAGE_PARAMETER_COUNT_MISMATCH",
    ("method", "expected", "received"),
    "The method takes another number of parameters.",
)
MESSAGE_REMOVED = code("MESSAGE_REMOVED", (), "This method existed once and is gone.")
MESSAGE_DEPRECATED = code("MESSAGE_DEPRECATED", (), "This method must not be used any more.")
FIELD_TYPE_ERROR = code("FIELD_TYPE_ERROR", ("field",), "The value given for this field does not have its type.")
INVALID_VALUE = code("INVALID_VALUE", ("field", "value"), "This field cannot have this value.")
VALUE_NOT_SUPPORTED = code(
    "VALUE_NOT_SUPPORTED",
    ("field", "value", "reason"),
    "The value is well-formed, but cannot be used here for the reason given.",
)
MAP_DUPLICATE_KEY = code(
    "MAP_DUPLICATE_KEY", ("type", "param_name", "uuid", "key"), "The map has this key already; remove it first."
)
XMLRPC_UNMARSHAL_FAILURE = code(
    "XMLRPC_UNMARSHAL_FAILURE", ("expected", "received"), "A parameter could not be read as the type that was expected."
)
DB_UNIQUENESS_CONSTRAINT_VIOLATION = code(
    "DB_UNIQUENESS_CONSTRAINT_VIOLATION",
    ("table", "field", "value"),
    "Another object has this value already, and it must be unique.",
)
LOCATION_NOT_UNIQUE = code("LOCATION_NOT_UNIQUE", ("SR", "location"), "The SR has another disk at this location.")
OBJECT_NOLONGER_EXISTS = code("OBJECT_NOLONGER_EXISTS", (), "The object was deleted while the operation ran.")
FEATURE_RESTRICTED = code("FEATURE_RESTRICTED", (), "This feature is not allowed here.")
LICENCE_RESTRICTION = code("LICENCE_RESTRICTION", ("feature",), "The licence does not allow this feature.")
INVALID_FEATURE_STRING = code(
    "INVALID_FEATURE_STRING", ("details",), "The set of processor features could not be read."
)
CHANGE_PASSWORD_REJECTED = code(
    "CHANGE_PASSWORD_REJECTED", ("msg",), "The new password was refused for the reason given."
)
PERMISSION_DENIED = code("PERMISSION_DENIED", ("message",), "You may not do this.")
TOO_BUSY = code("TOO_BUSY", (), "The server has too much to do; try again in a moment.")
TOO_MANY_PENDING_TASKS = code(
    "TOO_MANY_PENDING_TASKS", (), "Too many tasks wait already; try again when some have ended."
)
CLIENT_ERROR = code("CLIENT_ERROR", ("message",), "The request is wrong in the way the message says.")

# Operations, tasks and events

OPERATION_NOT_ALLOWED = code("OPERATION_NOT_ALLOWED", ("reason",), "This cannot be done now, for the reason given.")
OPERATION_BLOCKED = code(
    "OPERATION_BLOCKED",
    ("ref", "code"),
    "Somebody has blocked this operation on the object; its blocked_operations say why.",
)
OPERATION_PARTIALLY_FAILED = code(
    "OPERATION_PARTIALLY_FAILED", ("operation",), "Some parts of the operation failed; check the objects it touched."
)
OTHER_OPERATION_IN_PROGRESS = code(
    "OTHER_OPERATION_IN_PROGRESS",
    ("class", "object", "operation_type", "operation_ref"),
    "The object is busy with another operation; try again when that has ended.",
)
TASK_CANCELLED = code("TASK_CANCELLED", ("task",), "The task was cancelled.")
EVENTS_LOST = code(
    "EVENTS_LOST", (), "Events came faster than they were fetched; read everything anew and register again."
)
EVENT_SUBSCRIPTION_PARSE_FAILURE = code(
    "EVENT_SUBSCRIPTION_PARSE_FAILURE",
    ("subscription",),
    "This subscription is neither a class, a class with a reference, nor an asterisk.",
)
EVENT_FROM_TOKEN_PARSE_FAILURE = code(
    "EVENT_FROM_TOKEN_PARSE_FAILURE", ("token",), "The token was not made by this server; begin with an empty one."
)

# Plug-ins

XENAPI_MISSING_PLUGIN = code("XENAPI_MISSING_PLUGIN", ("name",), "The host has no plug-in of this name.")
XENAPI_PLUGIN_FAILURE = code(
    "XENAPI_PLUGIN_FAILURE", ("status", "stdout", "stderr"), "The plug-in failed; its output says why."
)
XAPI_HOOK_FAILED = code(
    "XAPI_HOOK_FAILED", ("hook_name", "reason", "stdout", "exit_code"), "A hook script failed; its output says why."
)

# XenServer documents no parameters of this.
EXTENSION_PROTOCOL_FAILURE = code(
    "EXTENSION_PROTOCOL_FAILURE",
    (),
    "A program that extends the API answered in a way that cannot be read.",
    variadic=True,
)
