"""A LUN that the kernel shows as a block device: its own initiator, multipath, Fibre Channel; or a loop device."""

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cardume.lun.bounded import BoundedThread
from cardume.lun.errors import LunError, LunNotFound, LunUnreachable
from cardume.lun.identity import scsi_id, serial_number, text
from cardume.lun.interface import LunFacts
from cardume.lun.ranges import assert_inside, pieces

_SIZE, _BLOCK = 0x80081272, 0x1268  # BLKGETSIZE64, BLKSSZGET
_DISCARD, _ZERO = 0x1277, 0x127F  # BLKDISCARD, BLKZEROOUT
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_TRANSFER = 1 << 20
_ZEROS = 256 << 20
_NOT_OFFERED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EINVAL, errno.ENODEV)
_GONE = (errno.ENODEV, errno.ENXIO, errno.ENOLINK, errno.ETIMEDOUT, errno.EIO, errno.EREMOTEIO)
T = TypeVar("T")


class BlockLun:
    """A `Lun` over a block device, past the page cache.

    The kernel may hold a command for as long as it likes, and nothing takes it back. A call that was given up goes on
    below, so every other one is refused until it has ended: a write never overtakes an earlier one.
    """

    def __init__(self, path: Path | str, timeout_s: float = 30) -> None:
        self._path = Path(path)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._thread = BoundedThread(str(path))
        self._is_closed = False
        self._punches = True
        self._descriptor = -1
        self._buffer = mmap.mmap(-1, _TRANSFER)  # the kernel's alignment for reads and writes past its cache
        try:
            self._facts = self._bounded(self._open)
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int:
        return self._facts.size_bytes

    @property
    def block_bytes(self) -> int:
        return self._facts.block_bytes

    @property
    def facts(self) -> LunFacts:
        return self._facts

    def read(self, offset: int, length: int) -> bytes:
        self._assert_inside(offset, length)
        with self._lock:
            return b"".join(self._bounded(self._read, *piece) for piece in pieces(offset, length, _TRANSFER))

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        self._assert_inside(offset, len(data))
        with self._lock:
            whole = memoryview(data)
            for start, length in pieces(offset, len(data), _TRANSFER):
                piece = bytes(whole[start - offset : start - offset + length])
                self._bounded(self._write, start, piece, os.RWF_DSYNC if fua else 0)

    def write_zeros(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        with self._lock:
            for piece in pieces(offset, length, _ZEROS):
                self._bounded(self._write_zeros, *piece)

    def unmap(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        with self._lock:
            for piece in pieces(offset, length, _ZEROS):
                self._bounded(self._discard, *piece)

    def flush(self) -> None:
        with self._lock:
            self._bounded(lambda: os.fdatasync(self._descriptor))

    def refresh(self) -> None:
        with self._lock:
            self._facts = self._bounded(self._look)

    def close(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._thread.end(self._end)

    # In the thread

    def _open(self) -> LunFacts:
        if not stat.S_ISBLK(os.stat(self._path).st_mode):
            raise LunError(f"{self._path} is no block device")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        return self._look()

    def _look(self) -> LunFacts:
        (size_bytes,) = struct.unpack("Q", fcntl.ioctl(self._descriptor, _SIZE, bytes(8)))
        (block_bytes,) = struct.unpack("i", fcntl.ioctl(self._descriptor, _BLOCK, bytes(4)))
        number = os.fstat(self._descriptor).st_rdev
        return facts_in(Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"), size_bytes, block_bytes)

    def _read(self, offset: int, length: int) -> bytes:
        view = memoryview(self._buffer)[:length]
        done = 0
        while done < length:
            count = os.preadv(self._descriptor, [view[done:]], offset + done)
            if count == 0:
                raise LunError(f"{self._path} ends before byte {offset + length}")
            done += count
        return bytes(view)

    def _write(self, offset: int, data: bytes, flags: int) -> None:
        view = memoryview(self._buffer)[: len(data)]
        view[:] = data
        done = 0
        while done < len(data):
            done += os.pwritev(self._descriptor, [view[done:]], offset + done, flags)

    def _write_zeros(self, offset: int, length: int) -> None:
        if self._punches and not self._punch(offset, length):
            self._punches = False  # the kernel would only write zeros, which it does for the other call as well
        if not self._punches:
            fcntl.ioctl(self._descriptor, _ZERO, struct.pack("QQ", offset, length))

    def _punch(self, offset: int, length: int) -> bool:
        """Whether the device could give the range back so that it reads as zeros."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if libc.fallocate(self._descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0:
            return True
        if (code := ctypes.get_errno()) in _NOT_OFFERED:
            return False
        raise OSError(code, os.strerror(code))

    def _discard(self, offset: int, length: int) -> None:
        try:
            fcntl.ioctl(self._descriptor, _DISCARD, struct.pack("QQ", offset, length))
        except OSError as error:
            if error.errno not in _NOT_OFFERED:  # only a hint
                raise

    def _end(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._buffer.close()

    # Around it

    def _bounded(self, work: Callable[..., T], *arguments: object) -> T:
        if self._is_closed:
            raise LunError(f"{self._path} was closed")
        try:
            return self._thread.run(lambda: work(*arguments), self._timeout_s)
        except FileNotFoundError:
            raise LunNotFound(f"{self._path} is not there") from None
        except OSError as error:
            kind = LunUnreachable if error.errno in _GONE else LunError
            raise kind(f"{self._path}: {error.strerror}") from error

    def _assert_inside(self, offset: int, length: int) -> None:
        assert_inside(offset, length, self.size_bytes, self.block_bytes)


def facts_in(folder: Path, size_bytes: int, block_bytes: int) -> LunFacts:
    """What the kernel knows of a block device, from its folder below /sys; for one that is no SCSI disk little."""
    vendor, model = _file(folder, "device/vendor"), _file(folder, "device/model")
    names, serial = _file(folder, "device/vpd_pg83"), _file(folder, "device/vpd_pg80")
    return LunFacts(
        vendor=text(vendor),
        product=text(model),
        revision=text(_file(folder, "device/rev")),
        serial=serial_number(serial),
        scsi_id=scsi_id(vendor.rstrip(b"\n"), model.rstrip(b"\n"), names, serial) if model else "",
        size_bytes=size_bytes,
        block_bytes=block_bytes,
        is_thin=int(_file(folder, "queue/discard_max_bytes") or b"0") > 0,
    )


def _file(folder: Path, name: str) -> bytes:
    """What is in a file of the kernel's; nothing when it has none."""
    try:
        return (folder / name).read_bytes()
    except OSError:
        return b""
