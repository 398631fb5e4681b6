"""The binding of the library libiscsi, as far as `session.py` uses it.

The same declarations hold for libiscsi 1.19 and 1.20: of `struct scsi_task` only the part is declared that both begin
with, and data goes through buffers of ours. 1.20 has a longer `struct scsi_sense`, so what follows it lies elsewhere.
"""

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_size_t, c_ubyte, c_uint32, c_void_p
from functools import cache
from typing import Any

from cardume.lun.errors import LunError

SONAMES = ("libiscsi.so.7", "libiscsi.so.9", "libiscsi.so.10")
"""Debian's name of 1.19, upstream's of 1.19, and of 1.20."""

SESSION_DISCOVERY, SESSION_NORMAL = 1, 2
DIGEST_NONE_FIRST = 1

GOOD, CHECK_CONDITION, BUSY, RESERVATION_CONFLICT, TASK_SET_FULL = 0x00, 0x02, 0x08, 0x18, 0x28
CANCELLED, ERROR, TIMED_OUT = 0x0F000000, 0x0F000001, 0x0F000002

NO_DATA, TO_INITIATOR, TO_TARGET = 0, 1, 2
NO_RESIDUAL, UNDERFLOW, OVERFLOW = 0, 1, 2


class Task(ctypes.Structure):
    """The beginning of `struct scsi_task`, to its sense code. `ascq` holds both bytes: asc, ascq."""

    _fields_ = (
        ("status", c_int),
        ("cdb_size", c_int),
        ("direction", c_int),
        ("expected_bytes", c_int),
        ("cdb", c_ubyte * 16),
        ("residual_status", c_int),
        ("residual", c_size_t),
        ("sense_type", c_ubyte),
        ("sense_key", c_int),
        ("sense_ascq", c_int),
    )


class Data(ctypes.Structure):
    """`struct iscsi_data`: what a command sends. It is read until the command has ended."""

    _fields_ = (("size", c_size_t), ("data", c_void_p))


class PortalNode(ctypes.Structure):
    """`struct iscsi_target_portal`: one of a list."""


class TargetNode(ctypes.Structure):
    """`struct iscsi_discovery_address`: one of a list, the last found first."""


PortalNode._fields_ = (("next", POINTER(PortalNode)), ("portal", c_char_p))
TargetNode._fields_ = (("next", POINTER(TargetNode)), ("name", c_char_p), ("portals", POINTER(PortalNode)))

Callback = CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_void_p)
"""Called with the context, the status, what came of it, and the private pointer, out of `iscsi_service`."""

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "iscsi_create_context": (c_void_p, (c_char_p,)),
    "iscsi_destroy_context": (c_int, (c_void_p,)),
    "iscsi_get_error": (c_char_p, (c_void_p,)),
    "iscsi_get_fd": (c_int, (c_void_p,)),
    "iscsi_which_events": (c_int, (c_void_p,)),
    "iscsi_service": (c_int, (c_void_p, c_int)),
    "iscsi_set_targetname": (c_int, (c_void_p, c_char_p)),
    "iscsi_set_session_type": (c_int, (c_void_p, c_int)),
    "iscsi_set_header_digest": (c_int, (c_void_p, c_int)),
    "iscsi_set_initiator_username_pwd": (c_int, (c_void_p, c_char_p, c_char_p)),
    "iscsi_set_target_username_pwd": (c_int, (c_void_p, c_char_p, c_char_p)),
    "iscsi_set_isid_random": (c_int, (c_void_p, c_uint32, c_uint32)),
    "iscsi_set_noautoreconnect": (None, (c_void_p, c_int)),
    "iscsi_full_connect_async": (c_int, (c_void_p, c_char_p, c_int, Callback, c_void_p)),
    "iscsi_logout_async": (c_int, (c_void_p, Callback, c_void_p)),
    "iscsi_discovery_async": (c_int, (c_void_p, Callback, c_void_p)),
    "iscsi_scsi_command_async": (c_int, (c_void_p, c_int, POINTER(Task), Callback, POINTER(Data), c_void_p)),
    "scsi_create_task": (POINTER(Task), (c_int, c_char_p, c_int, c_int)),
    "scsi_task_add_data_in_buffer": (c_int, (POINTER(Task), c_int, c_void_p)),
    "scsi_free_scsi_task": (None, (POINTER(Task),)),
}


@cache
def library() -> Any:
    """The library, its functions declared; LunError when this host has none that is known."""
    loaded = _load(ctypes.CDLL)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def _load(load: Callable[[str], ctypes.CDLL]) -> ctypes.CDLL:
    for name in SONAMES:
        try:
            return load(name)
        except OSError:
            continue
    raise LunError(
        f"iSCSI needs the library libiscsi (Debian's package libiscsi7): none of {', '.join(SONAMES)} is here"
    )
