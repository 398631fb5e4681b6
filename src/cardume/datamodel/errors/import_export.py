"""Errors about import and export."""

from cardume.datamodel.errors.declared import code

# Import and export

IMPORT_ERROR = code("IMPORT_ERROR", ("msg",), "The import failed; the message says why.")
IMPORT_ERROR_PREMATURE_EOF = code("IMPORT_ERROR_PREMATURE_EOF", (), "The data ended too early; the file is not whole.")
IMPORT_ERROR_SOME_CHECKSUMS_FAILED = code(
    "IMPORT_ERROR_SOME_CHECKSUMS_FAILED", (), "Parts of the data are damaged; nothing was kept."
)
IMPORT_ERROR_CANNOT_HANDLE_CHUNKED = code(
    "IMPORT_ERROR_CANNOT_HANDLE_CHUNKED",
    (),
    "The request used chunked encoding; send its length, or end the connection after the data.",
)
IMPORT_ERROR_FAILED_TO_FIND_OBJECT = code(
    "IMPORT_ERROR_FAILED_TO_FIND_OBJECT", ("id",), "The file names an object that it does not contain."
)
IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND = code(
    "IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND", (), "A disk of the VM could not be found."
)
IMPORT_ERROR_UNEXPECTED_FILE = code(
    "IMPORT_ERROR_UNEXPECTED_FILE",
    ("filename_expected", "filename_found"),
    "The archive holds another file than expected at this place.",
)
IMPORT_INCOMPATIBLE_VERSION = code("IMPORT_INCOMPATIBLE_VERSION", (), "The file was made by a newer version.")
VM_TO_IMPORT_IS_NOT_NEWER_VERSION = code(
    "VM_TO_IMPORT_IS_NOT_NEWER_VERSION",
    ("vm", "existing_version", "version_to_import"),
    "The VM here is as new as the one in the file.",
)
