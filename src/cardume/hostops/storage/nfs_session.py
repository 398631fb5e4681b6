"""One session with an NFS server, of version 3: blocking calls on the files of one folder, each with an end.

libnfs's own waits are not used, for they have no end: they reconnect for ever, and a connection that is being made has
no limit at all. Its calls that do not wait are, and the loop that waits for the socket is here. A session is opened for
a call or for a short batch. What fails on the way ends it; what the server refuses is an OSError with its number.
"""

import ctypes
import errno
import os
import re
import stat
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER
from dataclasses import dataclass
from typing import Any, TypeVar

from cardume.hostops.errors import Cause, StorageUnreachable
from cardume.hostops.storage import libnfs
from cardume.hostops.storage.found import FoundExport
from cardume.hostops.storage.nfs import NfsFolder
from cardume.hostops.storage.nfs_files import NfsEntry, NfsFiles
from cardume.hostops.storage.nfs_loop import Loop
from cardume.lun.errors import AddressUnknown
from cardume.lun.login import Portal
from cardume.lun.session import resolve

SILENCE_S = 10.0
"""After so long without an answer a server is taken for lost."""
AT_ONCE = 32
"""Files that are read at a time: each takes four answers, and the server is free to give them in any order."""
_MODE, _FOLDER_MODE = 0o600, 0o700
_WRITE = 2  # W_OK, as access(2) has it
_GONE = (errno.ENOENT, errno.ESTALE)  # the second: another host removed it between two questions about it
_LOST = (errno.EINTR, errno.ETIMEDOUT)  # what libnfs calls an answer that will not come
_ONLY_WORDS = (errno.EFAULT, errno.ERANGE)

_NFS_ERROR = re.compile(r"NFS3ERR_\w+\(-(\d+)\)$")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ask:
    """One call: how it is begun, given a callback and a number for it, and what is taken from what comes of it."""

    begin: Callable[[Any, int], int]
    take: Callable[[int, Any], Any] = lambda result, _: result


_Steps = Generator[_Ask, Any, T]
"""Calls one after another; each `yield` gives what came of the call, or raises its OSError."""


@contextmanager
def nfs_session(folder: NfsFolder, *, silence_s: float = SILENCE_S) -> Iterator[NfsFiles]:
    """A folder that a server exports, or one below it. StorageUnreachable when it is not to be had."""
    session = NfsSession(folder, silence_s)
    try:
        session.mount()
        yield session
    finally:
        session.end()


class NfsSession:
    """See NfsFiles; use `nfs_session`."""

    def __init__(self, folder: NfsFolder, silence_s: float) -> None:
        self._place = folder.url
        self._folder, self._silence_s = folder, silence_s
        self._library = libnfs.library()
        self._lib = self._library.functions
        self._loop = Loop(self._lib, "nfs", self._lib.nfs_init_context(), folder.url, silence_s)
        self._callback = libnfs.Callback(self._ended)
        self._rpc_callback = libnfs.RpcCallback(self._rpc_ended)
        self._takes: dict[int, Callable[[int, Any], Any]] = {}
        self._came: dict[int, Any] = {}
        self._asked = 0
        self._lib.nfs_set_autoreconnect(self._context, 0)
        self._lib.nfs_set_dircache(self._context, 0)

    @property
    def _context(self) -> Any:
        return self._loop.context

    def mount(self) -> None:
        server = resolved(self._folder.server, self._silence_s).encode()
        path = self._folder.path.encode()
        try:
            self._do(self._call(self._lib.nfs_mount_async, server, path))
        except OSError as refusal:
            why = f"the server does not give {self._folder.path}: it is not exported to this host, or not there"
            raise StorageUnreachable(f"{self._place}: {why} ({refusal.strerror})", Cause.MOUNT) from None
        self._loop.what_is_lost = "has closed the connection"

    def end(self) -> None:
        self._loop.end(self._lib.nfs_destroy_context)

    # Calls

    def list_entries(self, name: str = "") -> tuple[NfsEntry, ...]:
        entries = self._do(self._call(self._lib.nfs_opendir_async, _path(name), take=self._entries_of))
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def get_entry(self, name: str) -> NfsEntry:
        try:
            return self._do(self._call(self._lib.nfs_lstat64_async, _path(name), take=lambda _, at: _entry(name, at)))
        except OSError as refusal:
            if refusal.errno in _GONE:
                raise FileNotFoundError(errno.ENOENT, refusal.strerror) from None
            raise

    def read(self, names: Sequence[str], limit_bytes: int) -> tuple[bytes | None, ...]:
        return tuple(self._do_all([self._read_steps(name, limit_bytes) for name in names]))

    def create(self, name: str, data: bytes = b"") -> None:
        self._do(self._create_steps(name, data))

    def resize(self, name: str, size_bytes: int) -> None:
        def steps(file: Any) -> _Steps[None]:
            yield from self._call(self._lib.nfs_ftruncate_async, file, size_bytes)

        self._do(self._open_steps(name, os.O_WRONLY, steps))

    def sync(self, name: str) -> None:
        def steps(file: Any) -> _Steps[None]:
            yield from self._call(self._lib.nfs_fsync_async, file)

        self._do(self._open_steps(name, os.O_WRONLY, steps))

    def verifier(self, name: str) -> bytes:
        commit = self._library.begin_commit

        def steps(file: Any) -> _Steps[bytes]:
            verifier: bytes = yield _Ask(
                lambda _, private: commit(self._context, file, self._rpc_callback, private), _verifier_of
            )
            return verifier

        return self._do(self._open_steps(name, os.O_WRONLY, steps))

    def rename(self, name: str, new_name: str) -> None:
        self._do(self._call(self._lib.nfs_rename_async, _path(name), _path(new_name)))

    def remove(self, name: str) -> bool:
        try:
            self._do(self._call(self._lib.nfs_unlink_async, _path(name)))
        except FileNotFoundError:
            return False
        return True

    def make_folder(self, name: str) -> None:
        self._do(self._call(self._lib.nfs_mkdir2_async, _path(name), _FOLDER_MODE))

    def remove_folder(self, name: str) -> None:
        self._do(self._call(self._lib.nfs_rmdir_async, _path(name)))

    def may_write(self) -> bool:
        return bool(self._do(self._call(self._lib.nfs_access2_async, _path(""))) & _WRITE)

    def space(self) -> tuple[int, int]:
        return self._do(self._call(self._lib.nfs_statvfs64_async, _path(""), take=_space_of))

    # Steps

    def _call(self, function: Any, *arguments: Any, take: Callable[[int, Any], T] | None = None) -> _Steps[T]:
        def begin(ended: Any, private: int) -> int:
            return int(function(self._context, *arguments, ended, private))

        taken: T = yield _Ask(begin, take) if take else _Ask(begin)
        return taken

    def _open_steps(self, name: str, flags: int, work: Callable[[Any], _Steps[T]], *, mode: int = _MODE) -> _Steps[T]:
        file = yield from self._call(self._lib.nfs_open2_async, _path(name), flags, mode, take=lambda _, at: at)
        try:
            done = yield from work(file)
        except OSError:
            yield from self._call(self._lib.nfs_close_async, file)
            raise
        yield from self._call(self._lib.nfs_close_async, file)  # its failure is one of a write before it
        return done

    def _read_steps(self, name: str, limit_bytes: int) -> _Steps[bytes | None]:
        buffer = ctypes.create_string_buffer(limit_bytes)

        def take(count: int, at: Any) -> bytes:
            return buffer.raw[:count] if self._library.buffer_first else ctypes.string_at(at, count)

        def steps(file: Any) -> _Steps[bytes]:
            read = self._library.begin_read
            data: bytes = yield _Ask(lambda ended, private: read(self._context, file, 0, buffer, ended, private), take)
            return data

        try:
            return (yield from self._open_steps(name, os.O_RDONLY, steps))
        except OSError as refusal:
            if refusal.errno in _GONE:
                return None
            raise

    def _create_steps(self, name: str, data: bytes) -> _Steps[None]:
        def steps(file: Any) -> _Steps[None]:
            write = self._library.begin_write
            if data:
                count = yield _Ask(lambda ended, private: write(self._context, file, 0, data, ended, private))
                if count != len(data):
                    raise OSError(errno.EIO, f"{count} of {len(data)} bytes were written", name)
            yield from self._call(self._lib.nfs_fsync_async, file)

        yield from self._open_steps(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, steps)

    # Waiting

    def _do(self, steps: _Steps[T]) -> T:
        return self._do_all([steps])[0]

    def _do_all(self, all_steps: Sequence[_Steps[T]]) -> list[T]:
        """What comes of each, some of them under way at a time; the first refusal, when all that were have ended."""
        done: dict[int, T] = {}
        refusals: list[OSError] = []
        left = list(enumerate(all_steps))[::-1]
        waiting: dict[int, tuple[int, _Steps[T]]] = {}

        def go_on(index: int, steps: _Steps[T], came: Any) -> None:
            try:
                ask = steps.throw(came) if isinstance(came, OSError) else steps.send(came)
            except StopIteration as end:
                done[index] = end.value
            except OSError as refusal:
                refusals.append(refusal)
                left.clear()
            else:
                waiting[self._begin(ask)] = (index, steps)

        try:
            while waiting or left:
                while left and len(waiting) < AT_ONCE:
                    go_on(*left.pop(), None)
                while waiting and not self._came:
                    self._loop.turn()
                for asked in list(self._came):
                    self._loop.heard()
                    go_on(*waiting.pop(asked), self._came.pop(asked))
        except BaseException:
            self.end()  # while what was asked still has its buffers: libnfs would write into them
            raise
        if refusals:
            raise refusals[0]
        return [done[index] for index in range(len(all_steps))]

    def _begin(self, ask: _Ask) -> int:
        self._asked += 1
        self._takes[self._asked] = ask.take
        self._loop.begin()
        if ask.begin(self._callback, self._asked) != 0:
            raise self._loop.lost()
        return self._asked

    def _ended(self, result: int, _context: Any, at: Any, private: int) -> None:
        take = self._takes.pop(private, None)
        if take is None or self._context is None:
            return
        try:
            self._came[private] = self._refusal(-result) if result < 0 else take(result, at)
        except Exception as error:  # out of a callback nothing can be raised
            self._loop.fault = self._loop.fault or error

    def _refusal(self, number: int) -> OSError:
        """What the server refused; StorageUnreachable when it is not that.

        A read and a write that were refused have no number of their own in libnfs 4.0, and opening a file that is not
        there has a wrong one in 6.0: the words tell. That no connection was lost is looked at in `turn`.
        """
        words = self._loop.told()
        found = _NFS_ERROR.search(words) if number in _ONLY_WORDS else None
        if found is not None:
            return OSError(int(found[1]), words)
        if number in (*_LOST, *_ONLY_WORDS):
            raise self._loop.lost()
        return OSError(number, words)

    def _rpc_ended(self, _rpc: Any, status: int, at: Any, private: int) -> None:
        self._ended(0 if status == libnfs.RPC_SUCCESS else -errno.EFAULT, None, at, private)

    def _entries_of(self, _: int, folder: Any) -> list[NfsEntry]:
        entries = []
        try:
            while entry := self._lib.nfs_readdir(self._context, folder):
                of = entry.contents
                kinds = {"is_file": of.type == libnfs.REGULAR_FILE, "is_folder": of.type == libnfs.FOLDER}
                name = os.fsdecode(of.name)
                if name not in (".", ".."):
                    entries.append(
                        NfsEntry(name, **kinds, size_bytes=of.size, used_bytes=of.used, mtime_s=of.mtime.seconds)
                    )
        finally:
            self._lib.nfs_closedir(self._context, folder)
        return entries


def list_exports(server: str, *, silence_s: float = SILENCE_S) -> tuple[FoundExport, ...]:
    """What a server exports, by path. StorageUnreachable when it does not say so."""
    lib = libnfs.library().functions
    loop = Loop(lib, "rpc", lib.rpc_init_context(), f"nfs://{server}", silence_s)
    came: list[tuple[FoundExport, ...]] = []

    def ended(_context: Any, status: int, at: Any, _private: Any) -> None:
        if loop.context is None:
            return
        if status != libnfs.RPC_SUCCESS:
            loop.fault = loop.fault or loop.lost()
            return
        came.append(tuple(_exports(server, ctypes.cast(at, POINTER(POINTER(libnfs.ExportNode))).contents)))

    callback = libnfs.RpcCallback(ended)
    try:
        address = resolved(server, silence_s).encode()
        if lib.mount_getexports_async(loop.context, address, callback, None) != 0:
            raise loop.lost()
        while not came:
            loop.turn()
    finally:
        loop.end(lib.rpc_destroy_context)
    return tuple(sorted(came[0], key=lambda export: export.path))


def _exports(server: str, node: Any) -> Iterator[FoundExport]:
    while node:
        groups, group = [], node.contents.groups
        while group:
            groups.append(os.fsdecode(group.contents.name))
            group = group.contents.next
        yield FoundExport(server, os.fsdecode(node.contents.path), ",".join(groups) or "*")
        node = node.contents.next


def resolved(server: str, timeout_s: float) -> str:
    """The number of a server's address: libnfs would look it up without an end."""
    try:
        return resolve(Portal(server, 0), time.monotonic() + timeout_s)
    except AddressUnknown as error:
        raise StorageUnreachable(str(error), Cause.NAME) from None


def _path(name: str) -> bytes:
    return os.fsencode(f"/{name}")


def _entry(name: str, at: Any) -> NfsEntry:
    of = ctypes.cast(at, POINTER(libnfs.Stat)).contents
    return NfsEntry(name, stat.S_ISREG(of.mode), stat.S_ISDIR(of.mode), of.size, of.used, of.mtime)


def _verifier_of(_: int, at: Any) -> bytes:
    result = ctypes.cast(at, POINTER(libnfs.CommitResult)).contents
    if result.status != 0:
        raise StorageUnreachable(f"the server cannot sync a file: NFS error {result.status}", Cause.SERVER)
    return bytes(result.committed.verifier)


def _space_of(_: int, at: Any) -> tuple[int, int]:
    of = ctypes.cast(at, POINTER(libnfs.FileSystem)).contents
    return of.blocks * of.frsize, of.bavail * of.frsize
