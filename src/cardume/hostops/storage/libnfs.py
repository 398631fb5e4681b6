"""The binding of the library libnfs, as far as `nfs_session.py` uses it.

Only calls that do not wait are declared: their names and the structures that they fill are the same from 4.0 on. What
6.0 changed is the order of a read's and a write's arguments, where a read puts its data, and what begins a COMMIT; the
methods of `Library` know both.
"""

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_long, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any

from cardume.hostops.errors import StorageError

OLD_SONAMES = ("libnfs.so.13", "libnfs.so.14")
"""4.0 and 5.0: offset and length come first, and what was read is handed to the callback."""
NEW_SONAMES = ("libnfs.so.16",)
"""6.0: the buffer comes first, and what was read is put into it."""

RPC_SUCCESS = 0
REGULAR_FILE, FOLDER = 1, 2


class Time(ctypes.Structure):
    """`struct timeval`."""

    _fields_ = (("seconds", c_long), ("microseconds", c_long))


class DirEntry(ctypes.Structure):
    """The beginning of `struct nfsdirent`, as far as it is the same everywhere."""


DirEntry._fields_ = (
    ("next", POINTER(DirEntry)),
    ("name", c_char_p),
    ("inode", c_uint64),
    ("type", c_uint32),
    ("mode", c_uint32),
    ("size", c_uint64),
    ("atime", Time),
    ("mtime", Time),
    ("ctime", Time),
    ("uid", c_uint32),
    ("gid", c_uint32),
    ("nlink", c_uint32),
    ("dev", c_uint64),
    ("rdev", c_uint64),
    ("blksize", c_uint64),
    ("blocks", c_uint64),
    ("used", c_uint64),
)


def _words(*names: str) -> tuple[tuple[str, Any], ...]:
    return tuple((name, c_uint64) for name in names)


class Stat(ctypes.Structure):
    """`struct nfs_stat_64`."""

    _fields_ = (
        *_words("dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blksize", "blocks"),
        *_words("atime", "mtime", "ctime", "atime_nsec", "mtime_nsec", "ctime_nsec", "used"),
    )


class FileSystem(ctypes.Structure):
    """The beginning of `struct nfs_statvfs_64`."""

    _fields_ = _words("bsize", "frsize", "blocks", "bfree", "bavail")


class GroupNode(ctypes.Structure):
    """`struct groupnode`: one of those that a folder is exported to."""


class ExportNode(ctypes.Structure):
    """`struct exportnode`: one of the folders that a server exports."""


GroupNode._fields_ = (("name", c_char_p), ("next", POINTER(GroupNode)))
ExportNode._fields_ = (("path", c_char_p), ("groups", POINTER(GroupNode)), ("next", POINTER(ExportNode)))


class FileHandle(ctypes.Structure):
    """`struct nfs_fh`."""

    _fields_ = (("length", c_int), ("value", c_void_p))


class CommitArguments(ctypes.Structure):
    """`struct COMMIT3args`; an offset and a count of 0 mean the whole file."""

    _fields_ = (("length", c_uint32), ("value", c_void_p), ("offset", c_uint64), ("count", c_uint32))


class _Attributes(ctypes.Structure):
    """`struct fattr3`."""

    _fields_ = (
        *((name, c_uint32) for name in ("type", "mode", "nlink", "uid", "gid")),
        *_words("size", "used"),
        ("rdev", c_uint32 * 2),
        *_words("fsid", "fileid"),
        ("times", c_uint32 * 6),
    )


class _SizeAndTimes(ctypes.Structure):
    """`struct wcc_attr`."""

    _fields_ = (("size", c_uint64), ("times", c_uint32 * 4))


class _Before(ctypes.Structure):
    """`struct pre_op_attr`."""

    _fields_ = (("is_there", c_uint32), ("attributes", _SizeAndTimes))


class _After(ctypes.Structure):
    """`struct post_op_attr`."""

    _fields_ = (("is_there", c_uint32), ("attributes", _Attributes))


class _Both(ctypes.Structure):
    """`struct wcc_data`."""

    _fields_ = (("before", _Before), ("after", _After))


class _Committed(ctypes.Structure):
    """`struct COMMIT3resok`."""

    _fields_ = (("attributes", _Both), ("verifier", ctypes.c_ubyte * 8))


class CommitResult(ctypes.Structure):
    """`struct COMMIT3res`, when it went well."""

    _fields_ = (("status", c_int), ("committed", _Committed))


Callback = CFUNCTYPE(None, c_int, c_void_p, c_void_p, c_void_p)
"""Called with the result or a negative errno, the context, what came of it, and the private pointer."""
RpcCallback = CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_void_p)
"""Called with the context, a status, what came of it, and the private pointer."""

_ENDED = (Callback, c_void_p)
_PATH = (c_void_p, c_char_p)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "nfs_init_context": (c_void_p, ()),
    "nfs_destroy_context": (None, (c_void_p,)),
    "nfs_get_error": (c_char_p, (c_void_p,)),
    "nfs_get_fd": (c_int, (c_void_p,)),
    "nfs_which_events": (c_int, (c_void_p,)),
    "nfs_service": (c_int, (c_void_p, c_int)),
    "nfs_set_autoreconnect": (None, (c_void_p, c_int)),
    "nfs_set_dircache": (None, (c_void_p, c_int)),
    "nfs_mount_async": (c_int, (*_PATH, c_char_p, *_ENDED)),
    "nfs_access2_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_opendir_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_readdir": (POINTER(DirEntry), (c_void_p, c_void_p)),
    "nfs_closedir": (None, (c_void_p, c_void_p)),
    "nfs_lstat64_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_statvfs64_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_open2_async": (c_int, (*_PATH, c_int, c_int, *_ENDED)),
    "nfs_close_async": (c_int, (c_void_p, c_void_p, *_ENDED)),
    "nfs_fsync_async": (c_int, (c_void_p, c_void_p, *_ENDED)),
    "nfs_ftruncate_async": (c_int, (c_void_p, c_void_p, c_uint64, *_ENDED)),
    "nfs_rename_async": (c_int, (*_PATH, c_char_p, *_ENDED)),
    "nfs_unlink_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_mkdir2_async": (c_int, (*_PATH, c_int, *_ENDED)),
    "nfs_rmdir_async": (c_int, (*_PATH, *_ENDED)),
    "nfs_get_rpc_context": (c_void_p, (c_void_p,)),
    "nfs_get_fh": (POINTER(FileHandle), (c_void_p,)),
    "rpc_init_context": (c_void_p, ()),
    "rpc_destroy_context": (None, (c_void_p,)),
    "rpc_get_error": (c_char_p, (c_void_p,)),
    "rpc_get_fd": (c_int, (c_void_p,)),
    "rpc_which_events": (c_int, (c_void_p,)),
    "rpc_service": (c_int, (c_void_p, c_int)),
    "mount_getexports_async": (c_int, (c_void_p, c_char_p, RpcCallback, c_void_p)),
}
_COMMIT = (c_void_p, RpcCallback, POINTER(CommitArguments), c_void_p)
_OLD_ORDER: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "nfs_pread_async": (c_int, (c_void_p, c_void_p, c_uint64, c_uint64, *_ENDED)),
    "nfs_pwrite_async": (c_int, (c_void_p, c_void_p, c_uint64, c_uint64, c_char_p, *_ENDED)),
    "rpc_nfs3_commit_async": (c_int, _COMMIT),
}
_NEW_ORDER: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "nfs_pread_async": (c_int, (c_void_p, c_void_p, c_void_p, c_size_t, c_uint64, *_ENDED)),
    "nfs_pwrite_async": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_uint64, *_ENDED)),
    "rpc_nfs3_commit_task": (c_void_p, _COMMIT),
}


class Library:
    """The functions of the library by their names, and the three that differ between its versions."""

    def __init__(self, functions: Any, *, buffer_first: bool) -> None:
        self.functions = functions
        self.buffer_first = buffer_first
        order = _NEW_ORDER if buffer_first else _OLD_ORDER
        for name, (result, arguments) in {**_SIGNATURES, **order}.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments

    def begin_read(self, context: Any, file: Any, offset: int, buffer: Any, ended: Any, private: int) -> int:
        """Ask for as much as the buffer holds."""
        size = len(buffer)
        which = (buffer, size, offset) if self.buffer_first else (offset, size)
        return int(self.functions.nfs_pread_async(context, file, *which, ended, private))

    def begin_write(self, context: Any, file: Any, offset: int, data: bytes, ended: Any, private: int) -> int:
        """Send the bytes, which must live until the answer is there."""
        which = (data, len(data), offset) if self.buffer_first else (offset, len(data), data)
        return int(self.functions.nfs_pwrite_async(context, file, *which, ended, private))

    def begin_commit(self, context: Any, file: Any, ended: Any, private: int) -> int:
        """Ask the server to sync the file, and for its verifier."""
        handle = self.functions.nfs_get_fh(file).contents
        arguments = CommitArguments(handle.length, handle.value, 0, 0)
        rpc = self.functions.nfs_get_rpc_context(context)
        if self.buffer_first:
            return 0 if self.functions.rpc_nfs3_commit_task(rpc, ended, arguments, private) else -1
        return int(self.functions.rpc_nfs3_commit_async(rpc, ended, arguments, private))


@cache
def library() -> Library:
    """The library, its functions declared; StorageError when this host has none that is known."""
    return load(ctypes.CDLL)


def load(open_library: Callable[[str], Any]) -> Library:
    """The first library that can be opened by one of the known names."""
    for name in (*OLD_SONAMES, *NEW_SONAMES):
        try:
            return Library(open_library(name), buffer_first=name in NEW_SONAMES)
        except OSError:
            continue
    names = ", ".join((*OLD_SONAMES, *NEW_SONAMES))
    raise StorageError(f"NFS needs the library libnfs (Debian's package libnfs13): none of {names} is here")
