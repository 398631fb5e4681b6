"""A loop device over an open file, which is gone when its last user is: also when that user was killed."""

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cardume.hostops.errors import StorageError

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_AUTOCLEAR = 4
_CONFIGURATION = struct.Struct("<II 5Q 4I 64s 64s 32s 2Q 8Q")  # struct loop_config with its loop_info64
_TRY_S = 2.0
_PAUSE_S = 0.02


@contextmanager
def loop_over(file: int, block_bytes: int, name: str) -> Iterator[str]:
    """The path of a loop device over the file, as long as the block lasts; `name` is what `losetup` shows."""
    path, device = _attach(file, block_bytes, name)
    try:
        yield path
    finally:
        os.close(device)


def _attach(file: int, block_bytes: int, name: str) -> tuple[str, int]:
    deadline = time.monotonic() + _TRY_S
    while True:
        number = _free_number()
        path = f"/dev/loop{number}"
        try:
            device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            # udev looks at no device that somebody has locked so. It would find the shadow's label, which is the
            # LUN's too, and LVM on this host would complain of a physical volume that is there twice.
            fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.ioctl(device, _LOOP_CONFIGURE, _configuration(file, block_bytes, name))
            return path, device
        except OSError as error:
            os.close(device)
            if error.errno not in (errno.EBUSY, errno.EAGAIN) or time.monotonic() > deadline:
                raise StorageError(f"{path} cannot be made a loop device: {error.strerror}") from error
        time.sleep(_PAUSE_S)  # another took it between the two calls


def _free_number() -> int:
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(
            f"this host has no loop devices ({error.strerror}): is the kernel's module `loop` loaded?"
        ) from error
    try:
        return fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
    except OSError as error:
        raise StorageError(f"there is no free loop device: {error.strerror}") from error
    finally:
        os.close(control)


def _configuration(file: int, block_bytes: int, name: str) -> bytes:
    no_key = (0, 0, 0)
    return _CONFIGURATION.pack(
        *(file, block_bytes),
        *(0, 0, 0, 0, 0),
        *(*no_key, _AUTOCLEAR),
        *(name.encode()[:63], b"", b""),
        *(0, 0),
        *(0,) * 8,
    )
