"""JSON-RPC: both versions, what is read and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from tests.unit.api.test_xmlrpc import NoObjects, typed

from cardume.api import jsonrpc as wire
from cardume.api.encode import Encoder
from cardume.api.rpc import Malformed, Request
from cardume.datamodel.values import from_plain
from cardume.datamodel.wiretypes import Prim


def body(**members: Any) -> bytes:
    return json.dumps(members).encode()


def test_version_two_is_known_by_its_member() -> None:
    asked = wire.parse_request(body(jsonrpc="2.0", method="VM.start", params=["a", 1, 5.001, None], id="x"))
    assert asked == wire.JsonRequest(Request("VM.start", ("a", 1, 5.001, None)), "x", True)


def test_version_one_has_no_version() -> None:
    asked = wire.parse_request(body(method="m", params=[], id=3))
    assert asked == wire.JsonRequest(Request("m", ()), 3, False)


@pytest.mark.parametrize(
    "given_body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        body(jsonrpc="2.0", method="m", params=[]),
        body(jsonrpc="2.0", method="m", params=[], id=None),
        body(jsonrpc="2.0", method="m", params=[], id=True),
        body(jsonrpc="3.0", method="m", params=[], id=1),
        body(jsonrpc="2.0", method="m", params={"a": 1}, id=1),
        body(jsonrpc="2.0", method="", params=[], id=1),
        body(jsonrpc="2.0", params=[], id=1),
        b'{"jsonrpc":"2.0","method":"m","params":[NaN],"id":1}',
    ],
    ids=lambda given_body: given_body[:60].decode("latin-1"),
)
def test_what_is_no_request_is_refused(given_body: Any) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(given_body)


def test_answers_of_version_two() -> None:
    asked = wire.parse_request(body(jsonrpc="2.0", method="m", params=[], id=0))
    assert wire.around_value(asked) == ('{"jsonrpc":"2.0","id":0,"result":', "}")
    assert wire.failure(asked, ["SESSION_INVALID", "x"]) == (
        '{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"SESSION_INVALID","data":["x"]}}'
    )


def test_answers_of_version_one() -> None:
    asked = wire.parse_request(body(method="m", params=[], id="a"))
    assert wire.around_value(asked) == ('{"result":', ',"error":null,"id":"a"}')
    assert wire.failure(asked, ["EVENTS_LOST"]) == '{"result":null,"error":["EVENTS_LOST"],"id":"a"}'


def test_numbers_that_json_lacks_are_texts() -> None:
    encoder = Encoder(wire.JSON, NoObjects())
    assert [encoder.encode(x, Prim.FLOAT) for x in (float("nan"), float("inf"), -float("inf"))] == [
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
    ]


@given(typed)
def test_a_value_written_is_read_back(pair: Any) -> None:
    of, value = pair
    assert from_plain(json.loads(Encoder(wire.JSON, NoObjects()).encode(value, of)), of) == value
