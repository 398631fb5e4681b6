"""What QEMU, which runs as a user of its own, needs of the files and sockets behind a guest's disks."""

import os
from collections.abc import Iterable

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.guest import Disk, FileSource, NBDSource
from cardume.hostops.o_direct import has_o_direct


def prepare_sources(disks: Iterable[Disk], owner: tuple[int, int] | None) -> frozenset[str]:
    """Let QEMU's user at the sockets behind these disks; returns the disks whose files have no O_DIRECT.

    Those go through the page cache instead. A guest's flushes still reach the disk, so nothing acknowledged is lost,
    but memory is used twice, and such a disk cannot follow a live migration. Blocking: opens files.
    """
    without = set()
    for disk in disks:
        match disk.source:
            case NBDSource(socket) if owner is not None:
                _give(socket, owner[0])
            case FileSource(path) if not disk.is_cdrom and not _has_o_direct(path):
                without.add(disk.device)
            case _:
                pass
    return frozenset(without)


def _give(socket: str, user: int) -> None:
    # libvirt hands files over to QEMU's user by itself, but not sockets. The server that made the socket stays its
    # master: it holds the listening end, whoever owns the name.
    try:
        os.chown(socket, user, -1)
    except OSError as error:
        raise GuestError(f"the socket {socket} of a disk cannot be given to QEMU: {error.strerror}") from error


def _has_o_direct(path: str) -> bool:
    try:
        return has_o_direct(path)
    except FileNotFoundError as error:
        raise GuestError(f"there is no file {path} for a disk") from error
