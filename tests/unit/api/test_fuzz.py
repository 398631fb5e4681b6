"""Seeded changes of the corpus through both decoders, and values of every type of the API through both encoders.

What fails here goes into `corpus/`, named by what it shows, before it is repaired.
"""

import json
import math
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
from tests.unit.api.test_corpus import CORPUS
from tests.unit.api.test_xmlrpc import NoObjects, call

from cardume.api import jsonrpc, xmlrpc
from cardume.api.encode import Encoder
from cardume.api.rpc import Malformed, Request
from cardume.datamodel.refs import NULL, new_ref
from cardume.datamodel.schema import schema
from cardume.datamodel.values import ValueFault, from_plain
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, Prim, RecordType, RefType, SetType, WireType

SEED = 20261122
ROUNDS, SOAK_ROUNDS = 10_000, 400_000


def rounds(soak: int = SOAK_ROUNDS, short: int = ROUNDS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rounds", [short, pytest.param(soak, marks=pytest.mark.soak)])


def parse_json(body: bytes) -> Request:
    return jsonrpc.parse_request(body).request


PARSERS: dict[str, Callable[[bytes], Request]] = {"xml": xmlrpc.parse_request, "json": parse_json}
TOKENS = {
    "xml": b"<value> </value> <array> <data> <struct> <member> <name> <i4> <double> <nil/> <![CDATA[ ]]> <!-- --> <?x "
    b"<!DOCTYPE &#0; &#xD800; &lt; &x; &#99999999; xmlns='' encoding='utf-7' \xff \xed\xa0\x80 \x00 \r".split(b" "),
    "json": b'{ } [ ] , : " \\ \\u0000 \\ud800 \\udc00 \\u00 null true NaN -Infinity 1e999 -0 0.1 1E400 '
    b'99999999999999999999 "id": "method": "params": "jsonrpc": \xff \xed\xa0\x80 \x00 \xef\xbb\xbf /**/'.split(b" "),
}


def mutations(kind: str, rounds: int, seed: int) -> Iterator[bytes]:
    """Files of the corpus with pieces cut out, doubled, exchanged, or put in from elsewhere."""
    chance = random.Random(seed)
    corpus = [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]
    for _ in range(rounds):
        body = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            at = chance.randrange(len(body) + 1)
            to = min(len(body), at + chance.choice((0, 1, 2, 8, 64)))
            match chance.randrange(6):
                case 0:
                    body[at:to] = b""
                case 1:
                    body[at:at] = body[at:to] * chance.choice((1, 2, 40))
                case 2:
                    body[at:to] = chance.randbytes(to - at)
                case 3:
                    body[at:at] = chance.choice(TOKENS[kind])
                case 4:
                    other = chance.choice(corpus)
                    start = chance.randrange(len(other) + 1)
                    body[at:to] = other[start : start + 64]
                case 5 if body:
                    body[at % len(body)] ^= 1 << chance.randrange(8)
        yield bytes(body)


TYPES: tuple[WireType, ...] = (
    Prim.STRING,
    Prim.INT,
    Prim.FLOAT,
    Prim.BOOL,
    Prim.DATETIME,
    RefType("VM"),
    SetType(Prim.STRING),
    MapType(Prim.STRING, Prim.STRING),
    MapType(Prim.INT, SetType(Prim.FLOAT)),
    OptionType(Prim.INT),
    RecordType("VM"),
)


@rounds()
@pytest.mark.parametrize("kind", PARSERS)
def test_whatever_comes_is_read_or_refused_in_bounded_time(kind: str, rounds: int) -> None:
    for body in mutations(kind, rounds, SEED):
        began_s = time.thread_time()
        try:
            request = PARSERS[kind](body)
        except Malformed:
            continue
        finally:
            assert time.thread_time() - began_s < 3.0, body
        assert request.method, body
        for value in request.params:
            for of in TYPES:
                typed(value, of, body)


@rounds(soak=4_000, short=200)
@pytest.mark.parametrize("kind", PARSERS)
def test_whatever_comes_needs_bounded_memory(kind: str, rounds: int) -> None:
    for body in mutations(kind, rounds, SEED + 1):
        tracemalloc.start()
        try:
            PARSERS[kind](body)
        except Malformed:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 200_000 + 100 * len(body), body


REFUSED = object()


def typed(value: Any, of: WireType, body: bytes) -> Any:
    try:
        return from_plain(value, of)
    except ValueFault as fault:
        told = str(fault)
    assert len(told) < 400 + 2 * len(body)
    return REFUSED


@rounds(soak=100_000, short=6_000)
@pytest.mark.parametrize("kind", PARSERS)
def test_what_one_format_reads_the_other_reads_the_same(kind: str, rounds: int) -> None:
    compared = 0
    for body in mutations(kind, rounds, SEED + 2):
        try:
            request = PARSERS[kind](body)
        except Malformed:
            continue
        for value in request.params:
            if not is_sayable(value):
                continue
            in_xml = xmlrpc.parse_request(call(f"<param>{as_xml(value)}</param>")).params[0]
            in_json = parse_json(json.dumps({"method": "m", "id": 1, "params": [value]}).encode()).params[0]
            for of in TYPES:
                assert same(typed(in_xml, of, body), typed(in_json, of, body)), (value, of)
            compared += 1
    assert compared > rounds // 100


def is_sayable(value: Any) -> bool:
    """True for what both formats can say: XML has no control characters, JSON no bytes and no infinite numbers."""
    match value:
        case bytes():
            return False
        case str():
            return xmlrpc.escape(value).count("\ufffd") == value.count("\ufffd")
        case float():
            return math.isfinite(value)
        case list():
            return all(map(is_sayable, value))
        case dict():
            return all(map(is_sayable, value)) and all(map(is_sayable, value.values()))
    return True


def as_xml(value: Any) -> str:
    """A value as a client would write it, by the tag of its kind."""
    match value:
        case None:
            return "<value><nil/></value>"
        case bool():
            return f"<value><boolean>{int(value)}</boolean></value>"
        case int():
            return f"<value><i8>{value}</i8></value>"
        case float():
            return f"<value><double>{value!r}</double></value>"
        case str():
            return f"<value><string>{escape(value, {chr(13): '&#13;'})}</string></value>"
        case list():
            return f"<value><array><data>{''.join(map(as_xml, value))}</data></array></value>"
    members = (f"<member><name>{escape(k, {chr(13): '&#13;'})}</name>{as_xml(v)}</member>" for k, v in value.items())
    return f"<value><struct>{''.join(members)}</struct></value>"


def same(one: Any, other: Any) -> bool:
    return one is other or repr(one) == repr(other)  # NaN is not equal to itself, and 0.0 is to -0.0


# Values of every type of the API

Make = Callable[[random.Random], Any]
CHARACTERS = "ab 09<>&\"'\\\r\n\t\x7f\x85\u2028é\ufffd\U0001f600]]>%{}/"


def some_text(chance: random.Random) -> str:
    return "".join(chance.choices(CHARACTERS, k=chance.choice((0, 1, 5, 30))))


PRIMS: dict[Prim, Make] = {
    Prim.STRING: some_text,
    Prim.INT: lambda chance: chance.choice((0, -1, 2**63 - 1, -(2**63), chance.getrandbits(40))),
    Prim.FLOAT: lambda chance: chance.choice(
        (0.0, -0.0, 0.1, 1e22, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, chance.uniform(-9, 9))
    ),
    Prim.BOOL: lambda chance: chance.random() < 0.5,
    Prim.DATETIME: lambda chance: (
        chance.choice(
            (
                datetime(1, 1, 1, tzinfo=UTC),
                datetime(1970, 1, 1, tzinfo=UTC),
                datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            )
        )
        if chance.random() < 0.3
        else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(10**9))
    ),
    Prim.VOID: lambda _: None,
}


def some(of: WireType, chance: random.Random) -> Any:
    """A value of a type."""
    match of:
        case Prim():
            return PRIMS[of](chance)
        case RefType():
            return NULL if chance.random() < 0.3 else new_ref()
        case EnumType(python=python):
            return chance.choice(list(python))
        case SetType(item):
            return tuple(some(item, chance) for _ in range(chance.choice((0, 1, 3))))
        case MapType(key, item):
            return {some(key, chance): some(item, chance) for _ in range(chance.choice((0, 1, 3)))}
        case OptionType(item):
            return None if chance.random() < 0.5 else some(item, chance)
        case RecordType(cls):
            declared = schema().classes[cls]
            return declared.python(**{f.attribute: some(f.type, chance) for f in declared.fields.values()})


def types_of_the_api() -> list[WireType]:
    """Every type of a field, a parameter or a result."""
    found: dict[WireType, None] = {}
    for cls in schema().classes.values():
        found.update(dict.fromkeys(field.type for field in cls.fields.values()))
        if cls.fields:
            found[RecordType(cls.name)] = None
    for message in schema().messages():
        found.update(dict.fromkeys([param.type for param in message.params]))
        found[message.result] = None
    return [of for of in found if is_declared(of)]


def is_declared(of: WireType) -> bool:
    """False for records of classes that are named and not there yet."""
    match of:
        case SetType(item) | MapType(_, item) | OptionType(item):
            return is_declared(item)
        case RecordType(cls):
            return cls in schema().classes
    return True


@rounds(soak=500, short=8)
def test_a_value_of_every_type_of_the_api_comes_back_from_both_formats(rounds: int) -> None:
    chance = random.Random(SEED)
    xml, as_json = Encoder(xmlrpc.XML, NoObjects()), Encoder(jsonrpc.JSON, NoObjects())
    types = types_of_the_api()
    assert len(types) > 100
    for of in types:
        for _ in range(rounds):
            value = some(of, chance)
            from_xml = xmlrpc.parse_request(call(f"<param>{xml.encode(value, of)}</param>")).params[0]
            from_json = parse_json(f'{{"method":"m","id":1,"params":[{as_json.encode(value, of)}]}}'.encode()).params[0]
            assert same(from_plain(from_xml, of), value), (of, value)
            assert same(from_plain(from_json, of), value), (of, value)
