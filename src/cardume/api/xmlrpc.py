"""XML-RPC: requests to loose values, results to the exact bytes that XenAPI's clients know.

A request is read by expat as a table-driven stack machine: no tree is built, document types and entities are refused,
depth and number of elements are bounded, because anybody may send a body before logging in.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from xml.parsers import expat

from cardume.api.encode import Notation
from cardume.api.limits import MOST_DEPTH, MOST_DIGITS, MOST_VALUES
from cardume.api.rpc import Malformed, Request
from cardume.datamodel.values import ValueFault, format_datetime, parse_float

MAX_ELEMENTS = 3 * MOST_VALUES  # a value with its type is two, a member of a struct four
MAX_ATTRIBUTES = 8  # XML-RPC has none; a namespace or two are harmless

_SCALARS = frozenset({"string", "int", "i4", "i8", "boolean", "double", "dateTime.iso8601", "base64", "nil"})
_PARENTS: Mapping[str, frozenset[str]] = {
    "methodCall": frozenset({""}),
    "methodName": frozenset({"methodCall"}),
    "params": frozenset({"methodCall"}),
    "param": frozenset({"params"}),
    "value": frozenset({"param", "data", "member"}),
    "array": frozenset({"value"}),
    "data": frozenset({"array"}),
    "struct": frozenset({"value"}),
    "member": frozenset({"struct"}),
    "name": frozenset({"member"}),
    **{scalar: frozenset({"value"}) for scalar in _SCALARS},
}


def parse_request(body: bytes) -> Request:
    """The request in a body; Malformed when there is none."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(f"no XML-RPC request: {error}") from None
    return reader.request()


def _refuse_doctype(*_: object) -> None:
    raise Malformed("document types are refused")


_NOTHING = object()


class _Frame:
    """An element that is open: its text so far, or what its children came to."""

    __slots__ = ("name", "pieces", "tag", "value")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.pieces: list[str] = []
        self.name: str | None = None
        self.value: Any = _NOTHING
        if tag in ("params", "data"):
            self.value = []
        elif tag == "struct":
            self.value = {}

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class _Reader:
    def __init__(self) -> None:
        self._stack = [_Frame("")]
        self._elements = 0
        self._depth = 0
        self._method: str | None = None
        self._params: list[Any] | None = None

    def request(self) -> Request:
        if not self._method:
            raise Malformed("no method is named")
        return Request(self._method, tuple(self._params or ()))

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        parent = self._stack[-1].tag
        if tag not in _PARENTS or parent not in _PARENTS[tag]:
            raise Malformed(f"unexpected <{tag[:40]}> in <{parent}>")
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise Malformed("too large")
        if tag in ("array", "struct"):
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise Malformed("too deep")
        self._stack.append(_Frame(tag))

    def text(self, piece: str) -> None:
        self._stack[-1].pieces.append(piece)

    def end(self, tag: str) -> None:
        frame = self._stack.pop()
        parent = self._stack[-1]
        if tag in _SCALARS:
            _put(parent, _SCALAR_VALUES[tag](frame.text))
        elif tag == "value":
            value = frame.text if frame.value is _NOTHING else frame.value
            if parent.tag == "data":
                parent.value.append(value)
            else:
                _put(parent, value)
        elif tag in ("array", "struct", "data"):
            self._depth -= tag != "data"
            _put(parent, [] if frame.value is _NOTHING else frame.value)
        elif tag == "member":
            if frame.name is None or frame.value is _NOTHING:
                raise Malformed("a member needs a name and a value")
            # The first or the last? Two readers of such a request may act on different ones.
            if frame.name in parent.value:
                raise Malformed(f"two members {frame.name[:40]!r} in one struct")
            parent.value[frame.name] = frame.value
        elif tag == "name":
            if parent.name is not None:
                raise Malformed("two names of one member")
            parent.name = frame.text
        elif tag == "param":
            if frame.value is _NOTHING:
                raise Malformed("a parameter without a value")
            parent.value.append(frame.value)
        elif tag == "params":
            if self._params is not None:
                raise Malformed("two lists of parameters")
            self._params = frame.value
        elif tag == "methodName":
            if self._method is not None:
                raise Malformed("two methods are named")
            self._method = frame.text.strip()


def _put(parent: _Frame, value: Any) -> None:
    if parent.value is not _NOTHING:
        raise Malformed(f"two values in one <{parent.tag}>")
    parent.value = value


_INTEGER = re.compile(rf"\s*[+-]?\d{{1,{MOST_DIGITS}}}\s*", re.ASCII)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Malformed(f"{text[:40]!r} is no integer")
    return int(text)


def _double(text: str) -> float:
    try:
        return parse_float(text)
    except ValueFault:
        raise Malformed(f"{text[:40]!r} is no number") from None


def _boolean(text: str) -> bool:
    values = {"1": True, "true": True, "0": False, "false": False}
    try:
        return values[text.strip()]
    except KeyError:
        raise Malformed(f"{text[:40]!r} is no boolean") from None


def _base64(text: str) -> str | bytes:
    """The text that was sent as bytes; other bytes stay bytes, which no type of XenAPI takes."""
    try:
        sent = base64.b64decode(text)
    except binascii.Error:
        raise Malformed("this is no base64") from None
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent


_SCALAR_VALUES: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "int": _integer,
    "i4": _integer,
    "i8": _integer,
    "boolean": _boolean,
    "double": _double,
    "dateTime.iso8601": str.strip,
    "base64": _base64,
    "nil": lambda _: None,  # no type of XenAPI takes it: the decoder refuses it by the parameter's name
}

# XML cannot carry most control characters, not even escaped; a carriage return is lost unless escaped.
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def _replacement(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], "\ufffd")


def escape(text: str) -> str:
    """Text as it may stand in XML; characters that XML cannot carry become U+FFFD."""
    if text.isprintable() and "&" not in text and "<" not in text and ">" not in text:
        return text
    return _SPECIAL.sub(_replacement, text)


def _array(items: Iterable[str]) -> str:
    inside = "".join(items)
    return f"<value><array><data>{inside}</data></array></value>" if inside else "<value><array><data/></array></value>"


def _struct(members: Iterable[tuple[str, str]]) -> str:
    # Joined once: the records of a pool are tens of megabytes, and each copy of them takes its time.
    parts = ["<value><struct>"]
    for name, value in members:
        parts += ("<member><name>", escape(name), "</name>", value, "</member>")
    if len(parts) == 1:
        return "<value><struct/></value>"
    parts.append("</struct></value>")
    return "".join(parts)


@lru_cache(maxsize=4096)
def _datetime(value: datetime) -> str:
    return f"<value><dateTime.iso8601>{format_datetime(value)}</dateTime.iso8601></value>"


XML = Notation(
    name="xml",
    text=lambda value: f"<value>{escape(value)}</value>",
    integer=lambda value: f"<value>{int(value)}</value>",
    small_int=lambda value: f"<value><i4>{value}</i4></value>",
    float=lambda value: f"<value><double>{float(value)!r}</double></value>",
    bool=lambda value: "<value><boolean>1</boolean></value>" if value else "<value><boolean>0</boolean></value>",
    datetime=_datetime,
    array=_array,
    struct=_struct,
    void="<value></value>",
)

_HEAD = "<?xml version='1.0'?><methodResponse><params><param>"
_TAIL = "</param></params></methodResponse>"


BEFORE_VALUE = (
    f"{_HEAD}<value><struct><member><name>Status</name><value>Success</value></member><member><name>Value</name>"
)
AFTER_VALUE = f"</member></struct></value>{_TAIL}"
"""What stands around an encoded value in the response that carries it."""


def failure(description: Sequence[str]) -> str:
    """The response that carries `[code, parameter…]`."""
    return (
        f"{_HEAD}<value><struct><member><name>Status</name><value>Failure</value></member>"
        f"<member><name>ErrorDescription</name>{_array(map(XML.text, description))}</member></struct></value>{_TAIL}"
    )


def bare(value: str) -> str:
    """The response of `system.listMethods`, which alone carries its value without a status."""
    return f"{_HEAD}{value}{_TAIL}"
