"""What this host still sends for processes that are gone: TCP connections that nobody holds any more.

A process may be killed with its writes in the send queues of its connections. The kernel goes on sending those, for
minutes when the other end is not reached, and a disk may change long after the guest is no more. Ended here, a
connection loses its queue, and the other end is told by a reset.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_SENDING = frozenset((0x04, 0x09, 0x0B))
"""FIN_WAIT1, LAST_ACK, CLOSING: its process has closed it, and the other end has not confirmed all of it."""
_NETLINK_SOCK_DIAG = 4
_SOCK_DESTROY = 21
_REQUEST, _ACK = 0x1, 0x4
_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_ANY_COOKIE = b"\xff" * 8
_TABLES_OF_THIS_HOST = Path("/proc/self/net")
_TABLES = ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6"))


@dataclass(frozen=True, slots=True)
class Unsent:
    """A connection without a process whose end has not confirmed all that was written to it."""

    family: int
    local: bytes
    local_port: int
    remote: bytes
    remote_port: int

    def __str__(self) -> str:
        return f"{socket.inet_ntop(self.family, self.remote)}:{self.remote_port}"


def list_unsent(tables: Path = _TABLES_OF_THIS_HOST) -> list[Unsent]:
    """The connections that nobody holds and that may still send. OSError when the kernel does not tell."""
    return [row.connection for row in _list_rows(tables) if row.state in _SENDING and row.inode == "0"]


def list_held(pid: int, tables: Path = _TABLES_OF_THIS_HOST) -> list[Unsent]:
    """The connections of a process, of whose writes some may be unsent when it is killed. OSError."""
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it closes some meanwhile
            inodes.add(os.readlink(entry.path).removeprefix("socket:[").rstrip("]"))
    return [row.connection for row in _list_rows(tables) if row.inode in inodes]


def end_unsent(tables: Path = _TABLES_OF_THIS_HOST, *, among: Collection[Unsent] | None = None) -> list[Unsent]:
    """End such connections, all or those named; which there were. What the kernel cannot end is found again."""
    found = [one for one in list_unsent(tables) if among is None or one in among]
    if found:
        try:
            _destroy(found)
        except OSError:
            pass  # a kernel without this, or a host without the right: they are counted, and that is what matters
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    connection: Unsent
    state: int
    inode: str


def _list_rows(tables: Path) -> list[_Row]:
    found: list[_Row] = []
    for family, name in _TABLES:
        try:
            text = (tables / name).read_text()
        except FileNotFoundError:
            if name == "tcp":
                raise  # without IPv6 there is no table of it; this one is always there
            continue
        found += _rows(family, text)
    return found


def _rows(family: int, text: str) -> Iterator[_Row]:
    for line in text.splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        yield _Row(Unsent(family, *_end(local), *_end(remote)), int(state, 16), inode)


def _end(text: str) -> tuple[bytes, int]:
    """An address of the table: words in this machine's byte order, a port as a number."""
    address, _, port = text.partition(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    return struct.pack(f"={len(words)}I", *words), int(port, 16)


def _destroy(connections: list[Unsent]) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.setblocking(False)  # the kernel answers before the sending returns
        for number, each in enumerate(connections, 1):
            ends = struct.pack(">HH", each.local_port, each.remote_port)
            addresses = each.local.ljust(16, b"\0") + each.remote.ljust(16, b"\0")
            which = ends + addresses + bytes(4) + _ANY_COOKIE
            body = struct.pack("=BBBBI", each.family, socket.IPPROTO_TCP, 0, 0, 0xFFFF_FFFF) + which
            header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DESTROY, _REQUEST | _ACK, number, 0)
            diag.send(header + body)
            answer = diag.recv(4096)
            _, kind, *_ = _HEADER.unpack_from(answer)
            (status,) = struct.unpack_from("=i", answer, _HEADER.size)
            if kind == _ERROR and status not in (0, -errno.ENOENT):
                raise OSError(-status, "connections cannot be ended")
