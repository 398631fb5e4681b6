"""JSON-RPC 1.0 and 2.0: requests to loose values, results to text."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from cardume.api.encode import Notation
from cardume.api.limits import MOST_DEPTH, MOST_DIGITS, MOST_VALUES
from cardume.api.rpc import Malformed, Request
from cardume.datamodel.values import format_datetime, parse_float

_quote = encode_basestring


@dataclass(frozen=True, slots=True)
class JsonRequest:
    """A request with what its answer must repeat."""

    request: Request
    id: str | int | None
    is_v2: bool


def parse_request(body: bytes) -> JsonRequest:
    """The request in a body; Malformed when there is none."""
    try:
        plain = _parse(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from None
    if not isinstance(plain, dict):
        raise Malformed("a request is one object")
    version, method, params = plain.get("jsonrpc"), plain.get("method"), plain.get("params", [])
    if version not in (None, "2.0"):
        raise Malformed("the version is neither 1.0 nor 2.0")
    if not isinstance(method, str) or not method or not isinstance(params, list):
        raise Malformed("a request has a method and a list of parameters")
    return JsonRequest(Request(method, tuple(params)), _id(plain, version is not None), version is not None)


def _id(plain: dict[str, Any], is_v2: bool) -> str | int | None:
    """The request's id; 2.0's notifications and null ids would leave the caller without an answer."""
    given = plain.get("id")
    is_usable = isinstance(given, str | int) and not isinstance(given, bool)
    if not is_usable and (is_v2 or given is not None):
        raise Malformed("an id is a text or an integer")
    return given


def _parse(body: bytes) -> Any:
    """The plain values of a body; ValueError or RecursionError when it is none."""
    # Counted before any of them is made: an empty list takes two bytes here and sixty in memory.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise Malformed("too large")
    plain = json.loads(
        body.decode("utf-8-sig"),  # strictly: by itself, json takes bytes that are no text of any kind
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=parse_float,
        parse_constant=_refuse_constant,
    )
    _assert_fit(plain)
    return plain


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    # The first or the last? Two readers of such a request may act on different ones.
    if len(members) < len(pairs):
        raise Malformed("two members of one name in one object")
    return members


def _assert_fit(plain: Any) -> None:
    """Refuse what nests too deep, and escapes that make no text: nothing could store or send them."""
    level, depth = [plain], 0
    while level:
        depth += 1
        # Beside what XML-RPC counts, the request itself and its list of parameters.
        if depth > MOST_DEPTH + 2 and any(isinstance(value, list | dict) for value in level):
            raise Malformed("too deep")
        below: list[Any] = []
        for value in level:
            match value:
                case str():
                    value.encode()
                case list():
                    below.extend(value)
                case dict():
                    "".join(value).encode()
                    below.extend(value.values())
        level = below


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number has too many digits")
    return int(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _float(value: float) -> str:
    # JSON has no such numbers; as texts at least the typed clients read them back.
    if math.isfinite(value):
        return repr(float(value))
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _array(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _struct(members: Iterable[tuple[str, str]]) -> str:
    # Joined once: the records of a pool are many megabytes, and each copy of them takes its time.
    parts = ["{"]
    for name, value in members:
        parts += (_quote(name), ":", value, ",")
    if len(parts) == 1:
        return "{}"
    parts[-1] = "}"
    return "".join(parts)


JSON = Notation(
    name="json",
    text=_quote,
    integer=lambda value: str(int(value)),
    small_int=lambda value: str(value),
    float=_float,
    bool=lambda value: "true" if value else "false",
    datetime=lru_cache(maxsize=4096)(lambda value: f'"{format_datetime(value)}"'),
    array=_array,
    struct=_struct,
    void='""',
)


def around_value(asked: JsonRequest) -> tuple[str, str]:
    """What stands before and after an encoded value in the response that carries it."""
    if asked.is_v2:
        return f'{{"jsonrpc":"2.0","id":{json.dumps(asked.id)},"result":', "}"
    return '{"result":', f',"error":null,"id":{json.dumps(asked.id)}}}'


def failure(asked: JsonRequest, description: Sequence[str]) -> str:
    """The response that carries `[code, parameter…]`."""
    code, *params = description
    if asked.is_v2:
        error = f'{{"code":1,"message":{_quote(code)},"data":{_array(map(_quote, params))}}}'
        return f'{{"jsonrpc":"2.0","id":{json.dumps(asked.id)},"error":{error}}}'
    return f'{{"result":null,"error":{_array(map(_quote, description))},"id":{json.dumps(asked.id)}}}'
