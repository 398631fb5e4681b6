"""After the end of a guest's process: what it had written is not sent any more, or its end is no success."""

import os
import socket
from pathlib import Path

import pytest

from cardume.had.unsent import Unsent
from cardume.hostops.errors import GuestError
from cardume.hostops.guests import qemu_process
from cardume.hostops.guests.qemu_process import find_connections, start_ticks, take_back

TARGET = Unsent(socket.AF_INET, bytes((10, 1, 2, 3)), 40000, bytes((10, 1, 2, 9)), 3260)


def test_it_waits_until_nothing_is_sent_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(([TARGET], [TARGET], []))
    monkeypatch.setattr(qemu_process, "end_unsent", lambda among: next(looks))
    take_back([TARGET], 30)
    assert next(looks, None) is None


def test_what_cannot_be_taken_back_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_process, "end_unsent", lambda among: [TARGET])
    with pytest.raises(GuestError, match=r"10\.1\.2\.9:3260"):
        take_back([TARGET], 0.1)


def test_the_connections_of_a_process_are_found_and_of_one_that_is_gone_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        ours = (client.getsockname()[1], server.getsockname()[1])
        assert ours in {(one.local_port, one.remote_port) for one in find_connections(os.getpid())}
    assert find_connections(1 << 30) == []


def test_a_process_whose_first_thread_has_ended_goes_on(tmp_path: Path) -> None:
    """Another one may be in the middle of an I/O."""
    fields = " ".join(str(number) for number in range(4, 40))
    for name, state in (("stat", "Z"), ("task/7/stat", "Z"), ("task/8/stat", "D")):
        path = tmp_path / "7" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"7 (qemu) {state} {fields}")
    assert start_ticks(7, tmp_path) is not None
    (tmp_path / "7" / "task" / "8" / "stat").write_text(f"8 (qemu) X {fields}")
    assert start_ticks(7, tmp_path) is None
