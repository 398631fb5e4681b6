"""Errors about patches and updates that are given as files."""

from cardume.datamodel.errors.declared import code

APPLY_GUIDANCE_FAILED = code(
    "APPLY_GUIDANCE_FAILED", ("ref",), "What the updates ask for afterwards, such as a restart, could not be done."
)
APPLY_LIVEPATCH_FAILED = code(
    "APPLY_LIVEPATCH_FAILED", ("livepatch",), "The running system could not be patched with this."
)
CANNOT_FETCH_PATCH = code("CANNOT_FETCH_PATCH", ("uuid",), "The patch could not be fetched from the master.")
CANNOT_FIND_PATCH = code("CANNOT_FIND_PATCH", (), "The patch's file is gone; upload it again.")
CANNOT_FIND_UPDATE = code("CANNOT_FIND_UPDATE", (), "The update is gone; upload it again.")
INVALID_PATCH = code("INVALID_PATCH", (), "This file is no patch, or its signature does not fit.")
INVALID_PATCH_WITH_LOG = code("INVALID_PATCH_WITH_LOG", ("log",), "This file is no patch; the log says why.")
INVALID_UPDATE = code("INVALID_UPDATE", ("info",), "This is no update; the text says why.")
PATCH_ALREADY_APPLIED = code("PATCH_ALREADY_APPLIED", ("patch",), "The host has this patch already.")
PATCH_ALREADY_EXISTS = code("PATCH_ALREADY_EXISTS", ("uuid",), "A patch of this uuid was uploaded already.")
PATCH_APPLY_FAILED = code("PATCH_APPLY_FAILED", ("output",), "The patch could not be applied; its output says why.")
PATCH_APPLY_FAILED_BACKUP_FILES_EXIST = code(
    "PATCH_APPLY_FAILED_BACKUP_FILES_EXIST",
    ("output",),
    "Files that an earlier patch put aside are in the way; the output names them.",
)
PATCH_IS_APPLIED = code("PATCH_IS_APPLIED", (), "The patch is applied on a host, so it stays.")
PATCH_PRECHECK_FAILED_ISO_MOUNTED = code(
    "PATCH_PRECHECK_FAILED_ISO_MOUNTED", ("patch",), "The tools' CD is in a VM's drive; eject it first."
)
PATCH_PRECHECK_FAILED_OUT_OF_SPACE = code(
    "PATCH_PRECHECK_FAILED_OUT_OF_SPACE",
    ("patch", "found_space", "required_required"),
    "The host has too little room for the patch.",
)
PATCH_PRECHECK_FAILED_PREREQUISITE_MISSING = code(
    "PATCH_PRECHECK_FAILED_PREREQUISITE_MISSING",
    ("patch", "prerequisite_patch_uuid_list"),
    "The patch needs others that the host does not have.",
)
PATCH_PRECHECK_FAILED_UNKNOWN_ERROR = code(
    "PATCH_PRECHECK_FAILED_UNKNOWN_ERROR", ("patch", "info"), "The patch refused to be applied; the text says why."
)
PATCH_PRECHECK_FAILED_VM_RUNNING = code(
    "PATCH_PRECHECK_FAILED_VM_RUNNING", ("patch",), "The patch needs every VM of the host shut down or elsewhere."
)
PATCH_PRECHECK_FAILED_WRONG_SERVER_BUILD = code(
    "PATCH_PRECHECK_FAILED_WRONG_SERVER_BUILD",
    ("patch", "found_build", "required_build"),
    "The patch is for another build.",
)
PATCH_PRECHECK_FAILED_WRONG_SERVER_VERSION = code(
    "PATCH_PRECHECK_FAILED_WRONG_SERVER_VERSION",
    ("patch", "found_version", "required_version"),
    "The patch is for another version.",
)
UPDATE_ALREADY_APPLIED = code("UPDATE_ALREADY_APPLIED", ("update",), "The host has this update already.")
UPDATE_ALREADY_APPLIED_IN_POOL = code(
    "UPDATE_ALREADY_APPLIED_IN_POOL", ("update",), "Every host has this update already."
)
UPDATE_ALREADY_EXISTS = code("UPDATE_ALREADY_EXISTS", ("uuid",), "An update of this uuid was uploaded already.")
UPDATE_APPLY_FAILED = code("UPDATE_APPLY_FAILED", ("output",), "The update could not be applied; its output says why.")
UPDATE_IS_APPLIED = code("UPDATE_IS_APPLIED", (), "The update is applied on a host, so it stays.")
UPDATE_POOL_APPLY_FAILED = code(
    "UPDATE_POOL_APPLY_FAILED", ("hosts",), "The update could not be applied on these hosts."
)
UPDATE_PRECHECK_FAILED_CONFLICT_PRESENT = code(
    "UPDATE_PRECHECK_FAILED_CONFLICT_PRESENT",
    ("update", "conflict_update"),
    "The host has another update that this one does not go with.",
)
UPDATE_PRECHECK_FAILED_GPGKEY_NOT_IMPORTED = code(
    "UPDATE_PRECHECK_FAILED_GPGKEY_NOT_IMPORTED",
    ("update",),
    "The key that the update is signed with is not installed.",
)
UPDATE_PRECHECK_FAILED_OUT_OF_SPACE = code(
    "UPDATE_PRECHECK_FAILED_OUT_OF_SPACE",
    ("update", "available_space", "required_space "),
    "The host has too little room for the update.",
)
UPDATE_PRECHECK_FAILED_PREREQUISITE_MISSING = code(
    "UPDATE_PRECHECK_FAILED_PREREQUISITE_MISSING",
    ("update", "prerequisite_update"),
    "The update needs another one that the host does not have.",
)
UPDATE_PRECHECK_FAILED_UNKNOWN_ERROR = code(
    "UPDATE_PRECHECK_FAILED_UNKNOWN_ERROR", ("update", "info"), "The update refused to be applied; the text says why."
)
UPDATE_PRECHECK_FAILED_WRONG_SERVER_VERSION = code(
    "UPDATE_PRECHECK_FAILED_WRONG_SERVER_VERSION",
    ("update", "installed_version", "required_version "),
    "The update is for another version.",
)
