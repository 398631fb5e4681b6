"""XML-RPC: what is read, what is refused, and the exact bytes that are written."""

import xmlrpc.client
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.api import xmlrpc as wire
from cardume.api.encode import Encoder
from cardume.api.rpc import Malformed, Request
from cardume.datamodel.refs import Ref
from cardume.datamodel.values import from_plain
from cardume.datamodel.wiretypes import MapType, OptionType, Prim, SetType, WireType


class NoObjects:
    def cached(self, ref: Ref[Any], key: str, build: Any) -> str:
        raise AssertionError("no objects here")


def call(inside: str) -> bytes:
    return f"<methodCall><methodName>m</methodName><params>{inside}</params></methodCall>".encode()


def test_values_of_every_kind_are_read() -> None:
    body = xmlrpc.client.dumps(
        ("text", 7, True, 0.5, {"a": {"b": ["c", []]}}, xmlrpc.client.DateTime("20260102T03:04:05")), "VM.start"
    ).encode()
    params = ("text", 7, True, 0.5, {"a": {"b": ["c", []]}}, "20260102T03:04:05")
    assert wire.parse_request(body) == Request("VM.start", params)


def test_a_bare_value_is_text_and_keeps_its_blanks() -> None:
    assert wire.parse_request(call("<param><value> 5 </value></param>")).params == (" 5 ",)


def test_an_integer_comes_in_any_of_its_tags() -> None:
    body = call("".join(f"<param><value><{tag}>-12</{tag}></value></param>" for tag in ("int", "i4", "i8")))
    assert wire.parse_request(body).params == (-12, -12, -12)


def test_base64_is_text() -> None:
    assert wire.parse_request(call("<param><value><base64>b2kh</base64></value></param>")).params == ("oi!",)


def test_base64_of_no_text_stays_bytes_which_no_type_takes() -> None:
    assert wire.parse_request(call("<param><value><base64>/w==</base64></value></param>")).params == (b"\xff",)


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        ("", ""),
        ("<string></string>", ""),
        ("<string/>", ""),
        (" a\tb\n ", " a\tb\n "),
        ("\n <string> x </string>\n ", " x "),
        ("<![CDATA[<a> & b]]>", "<a> & b"),
        ("a<![CDATA[]]>b<!-- c -->c", "abc"),
        ("&lt;&#65;&#x42;&amp;&apos;&quot;&gt;", "<AB&'\">"),
        ("&#13;&#10;", "\r\n"),
        ("&#x1F41F;", "\U0001f41f"),
        ("<int> 7\n</int>", 7),
        ("<i8>9223372036854775807</i8>", 2**63 - 1),
        ("<i4>+3</i4>", 3),
        ("<double> -1e3 </double>", -1000.0),
        ("<boolean> 1 </boolean>", True),
        ("<dateTime.iso8601> 2026-01-02T03:04:05Z </dateTime.iso8601>", "2026-01-02T03:04:05Z"),
        ("<struct/>", {}),
        ("<struct></struct>", {}),
        ("<array><data/></array>", []),
        ("<array></array>", []),
        (
            "<struct><member><name>a</name><value><struct/></value></member>"
            "<member><name/><value><array><data><value><struct/></value></data></array></value></member></struct>",
            {"a": {}, "": [{}]},
        ),
    ],
    ids=lambda part: str(part)[:40],
)
def test_the_corners_of_values(inside: str, value: Any) -> None:
    assert wire.parse_request(call(f"<param>\n<value>{inside}</value> </param>")).params == (value,)


@pytest.mark.parametrize("reference", ["&nbsp;", "&unknown;", "&#0;", "&#xD800;", "&;", "&"])
def test_references_to_nothing_are_refused(reference: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(call(f"<param><value>{reference}</value></param>"))


def test_nil_is_a_value_that_no_type_takes() -> None:
    assert wire.parse_request(call("<param><value><nil/></value></param>")).params == (None,)


def test_another_encoding_is_understood() -> None:
    body = "<?xml version='1.0' encoding='iso-8859-1'?><methodCall><methodName>é</methodName></methodCall>"
    assert wire.parse_request(body.encode("latin-1")).method == "é"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<methodCall>",
        b"<methodCall></methodCall>",
        b"<methodCall><methodName></methodName></methodCall>",
        b"<other/>",
        call("<value>x</value>"),
        call("<param></param>"),
        call("<param><value><int>five</int></value></param>"),
        call("<param><value><int>5</int><int>6</int></value></param>"),
        call("<param><value><int><int>5</int></int></value></param>"),
        call("<param><value><boolean>maybe</boolean></value></param>"),
        call("<param><value><double>much</double></value></param>"),
        call("<param><value><base64>/w=</base64></value></param>"),
        call("<param><value><struct><member><name>a</name></member></struct></value></param>"),
        call("<param><value><struct><member><value>a</value></member></struct></value></param>"),
        b"<?xml version='1.0' encoding='nonsense'?><methodCall><methodName>m</methodName></methodCall>",
        b"<!DOCTYPE m><methodCall><methodName>m</methodName></methodCall>",
        b'<!DOCTYPE m [<!ENTITY e "x">]><methodCall><methodName>&e;</methodName></methodCall>',
        call("<param>" + "<value><array><data>" * 40 + "</data></array></value>" * 40 + "</param>"),
        call("<param><value><array><data>" + "<value/>" * 500_001 + "</data></array></value></param>"),
    ],
    ids=lambda body: body[:60].decode(),
)
def test_what_is_no_request_is_refused(body: Any) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(body)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_be_refused(body: Any) -> None:
    try:
        wire.parse_request(body)
    except Malformed:
        pass


# What XML can carry: everything but control characters, surrogates and the two non-characters.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=32))
times = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
prims: list[tuple[WireType, st.SearchStrategy[Any]]] = [
    (Prim.STRING, texts),
    (Prim.INT, st.integers(-(2**63), 2**63 - 1)),
    (Prim.FLOAT, st.floats(allow_nan=False)),
    (Prim.BOOL, st.booleans()),
    (Prim.DATETIME, times),
]


def _containers(inner: Any) -> Any:
    def grow(pair: tuple[WireType, st.SearchStrategy[Any]]) -> Any:
        of, values = pair
        return st.sampled_from(
            [
                (SetType(of), st.lists(values, max_size=4).map(tuple)),
                (MapType(Prim.STRING, of), st.dictionaries(texts, values, max_size=4)),
                (OptionType(of), st.none() | values) if not isinstance(of, OptionType) else pair,
            ]
        )

    return inner.flatmap(grow)


typed = st.recursive(st.sampled_from(prims), _containers, max_leaves=3).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), pair[1])
)


@given(typed)
def test_a_value_written_is_read_back_by_any_client_and_by_us(pair: Any) -> None:
    of, value = pair
    text = Encoder(wire.XML, NoObjects()).encode(value, of)
    (answer,), _ = xmlrpc.client.loads(wire.BEFORE_VALUE + text + wire.AFTER_VALUE)
    assert isinstance(answer, dict)
    assert answer["Status"] == "Success"
    read = wire.parse_request(
        f"<methodCall><methodName>m</methodName><params><param>{text}</param></params></methodCall>".encode()
    )
    assert from_plain(read.params[0], of) == value


def test_control_characters_do_not_break_the_answer() -> None:
    text = Encoder(wire.XML, NoObjects()).encode("a\x00b\rc\ud800", Prim.STRING)
    assert text == "<value>a\ufffdb&#13;c\ufffd</value>"
