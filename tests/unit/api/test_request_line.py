"""The first line of a connection, on its way to HTTP."""

import pytest

from cardume.api.tunnel import RequestLine

CONNECT = b"CONNECT /console?ref=OpaqueRef:1&session_id=OpaqueRef:2 HTTP/1.1\r\nHost: a:443\r\n\r\nRFB:"
QUOTED = b"CONNECT /console?ref=OpaqueRef%3A1&session_id=OpaqueRef%3A2 HTTP/1.1\r\nHost: a:443\r\n\r\nRFB:"


def passed(*pieces: bytes, most_bytes: int = 8192) -> list[bytes]:
    line = RequestLine(most_bytes)
    return [line.pass_on(piece) for piece in pieces]


def test_the_path_of_a_connect_is_put_so_that_it_is_no_host() -> None:
    assert passed(CONNECT) == [QUOTED]


@pytest.mark.parametrize("cut", range(1, len(CONNECT)))
def test_it_may_come_in_pieces(cut: int) -> None:
    assert b"".join(passed(CONNECT[:cut], CONNECT[cut:])) == QUOTED


@pytest.mark.parametrize(
    "other",
    [b"POST / HTTP/1.1\r\n", b"CONNECT host:443 HTTP/1.1\r\n", b"C\n", b"\r\n", b"\x16\x03", b"CONNECT /\n", b"P"],
)
def test_anything_else_goes_on_as_it_is(other: bytes) -> None:
    assert passed(other, b"CONNECT /a:b HTTP/1.1\r\n") == [other, b"CONNECT /a:b HTTP/1.1\r\n"]


def test_a_line_that_is_too_long_is_not_held_for_ever() -> None:
    assert passed(b"CONNECT /", b"x" * 100, b"y", most_bytes=64) == [b"", b"CONNECT /" + b"x" * 100, b"y"]
