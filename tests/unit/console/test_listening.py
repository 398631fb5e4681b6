"""The socket that the console serves on."""

import socket

import pytest
import typer

from cardume.console.command import address_of, bound


def test_who_connects_before_the_server_has_started_waits_for_it() -> None:
    with bound("127.0.0.1", 0) as listening:
        assert address_of(listening) == f"127.0.0.1:{listening.getsockname()[1]}"
        with socket.create_connection(listening.getsockname(), timeout=10.0):
            pass


def test_a_port_that_is_taken_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(typer.Exit):
            bound("127.0.0.1", port)
    assert f"127.0.0.1:{port} cannot be listened on" in capsys.readouterr().err
