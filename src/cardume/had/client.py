"""Asking the daemon of this host a question, from a program or by hand."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cardume.had.places import SOCKET


class HadError(Exception):
    """The daemon does not answer, or refuses; the sentence says which."""


def ask(question: Mapping[str, Any], path: Path = SOCKET, timeout_s: float = 5.0) -> dict[str, Any]:
    """The answer; HadError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("r") as lines:
                line = lines.readline()
        except OSError as error:
            raise HadError(f"the HA daemon does not answer: {error}") from None
    if not line:
        raise HadError("the HA daemon went away")
    answer: dict[str, Any] = json.loads(line)
    if not answer.pop("ok", False):
        raise HadError(str(answer.get("error")))
    return answer
