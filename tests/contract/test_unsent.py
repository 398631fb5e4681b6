"""What a killed process has written and the other end has not taken: on Linux, in a network namespace of its own."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cardume.had.unsent import end_unsent, list_held, list_unsent

ADDRESSES = ("127.0.0.1", *(("::1",) if Path("/proc/self/net/tcp6").exists() else ()))
WRITER = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.setblocking(False)
written = 0
try:
    while True:
        written += connection.send(bytes(65536))
except BlockingIOError:
    print(written, flush=True)
time.sleep(600)
"""


@contextmanager
def killed_writer(address: str) -> Iterator[tuple[socket.socket, int]]:
    """What is left of a process that wrote as much as a connection holds: the other end of it, and how much it was."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=30)
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        command = [sys.executable, "-c", WRITER, address, str(listener.getsockname()[1])]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            written = int(writer.stdout.readline())
            accepted, _ = listener.accept()
            assert list_unsent() == []  # its process still holds it
            (held,) = list_held(writer.pid)
            others = [replace(held, local_port=1)]
            writer.kill()
        with accepted:
            accepted.settimeout(30)
            assert end_unsent(among=others) == []
            assert list_unsent() == [held]
            yield accepted, written


def taken(connection: socket.socket) -> int:
    """How much arrives until the connection ends, in whatever way."""
    got = 0
    try:
        while data := connection.recv(1 << 20):
            got += len(data)
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.usefixtures("own_network")
def test_a_killed_process_s_writes_still_arrive_unless_the_connection_is_ended(address: str) -> None:
    with killed_writer(address) as (connection, written):
        assert len(list_unsent()) == 1
        assert taken(connection) == written  # all of it, long after the process is gone
    with killed_writer(address) as (connection, written):
        assert len(end_unsent()) == 1
        assert list_unsent() == []
        assert taken(connection) < written
