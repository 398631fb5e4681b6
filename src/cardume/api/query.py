"""The expressions of `get_all_records_where`: a small grammar, read into a tree and asked of records.

    expr  := true | false | not expr | expr and expr | expr or expr | (expr) | value = value
    value := "literal" | field "name"

`and` and `or` bind alike, to the left; `not` takes everything after it. Only equality is known, on the texts that
fields have: `true`, decimal numbers, references.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cardume.datamodel.errors import ApiError
from cardume.datamodel.schema import XenClass
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import MapType, Prim, SetType, WireType

MAX_LENGTH = 65_536
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Either:
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class FieldName:
    name: str


@dataclass(frozen=True, slots=True)
class Equal:
    left: Literal | FieldName
    right: Literal | FieldName


Expression = Constant | Not | Both | Either | Equal
Test = Callable[[Any], bool]


def parse(text: str) -> Expression:
    """The tree of an expression; ApiError when it is none."""
    if len(text) > MAX_LENGTH:
        raise _refusal(text[:80], "it is too long")
    return _Parser(text).whole()


def compile_query(expression: Expression, cls: XenClass) -> Test:
    """The question to ask of each record of a class; ApiError when a field is not there."""
    match expression:
        case Constant(value):
            return lambda _: value
        case Not(inner):
            negated = compile_query(inner, cls)
            return lambda record: not negated(record)
        case Both() | Either():
            return _compile_chain(expression, cls)
        case Equal(left, right):
            one, other = _value(left, cls), _value(right, cls)
            return lambda record: one(record) == other(record)


def _compile_chain(expression: Both | Either, cls: XenClass) -> Test:
    """A left-leaning chain, walked in a loop: a client may join thousands of comparisons."""
    links: list[tuple[bool, Test]] = []
    node: Expression = expression
    while isinstance(node, Both | Either):
        links.append((isinstance(node, Both), compile_query(node.right, cls)))
        node = node.left
    first = compile_query(node, cls)
    links.reverse()

    def test(record: Any) -> bool:
        result = first(record)
        for is_and, one in links:
            if result is is_and:  # otherwise the result stands whatever this one says
                result = one(record)
        return result

    return test


def _value(value: Literal | FieldName, cls: XenClass) -> Callable[[Any], str]:
    if isinstance(value, Literal):
        return lambda _: value.text
    # Clients of the database's days write name-spaced fields with two underscores.
    name = value.name if value.name in cls.fields else value.name.replace("__", "_")
    if name not in cls.fields:
        raise _refusal(value.name, f"{cls.name} has no such field")
    field = cls.fields[name]
    return lambda record: stored_text(getattr(record, field.attribute), field.type)


def stored_text(value: Any, of: WireType) -> str:
    """A field's value as the one text that expressions compare."""
    match of:
        case Prim.BOOL:
            return "true" if value else "false"
        case SetType(item):
            return "(" + " ".join(f"'{stored_text(member, item)}'" for member in value) + ")"
        case MapType(key, item):
            pairs = (f"('{stored_text(k, key)}' '{stored_text(v, item)}')" for k, v in value.items())
            return "(" + " ".join(pairs) + ")"
        case _:
            return str(to_plain(value, of))


def select(records: Mapping[Any, Any], text: str, cls: XenClass) -> dict[Any, Any]:
    """The records that satisfy an expression."""
    test = compile_query(parse(text), cls)
    return {ref: record for ref, record in records.items() if test(record)}


_TOKEN = re.compile(r'[ \t\r\n]*(?:(true|false|not|and|or|field)\b|([()=])|"([^"]*)")')


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip(" \t\r\n"))
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise _refusal(text, f"unexpected text at {position}")
        word, sign, literal = found.groups()
        yield ("literal", literal) if literal is not None else (word or sign, "")
        position = found.end()
    yield ("end", "")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def whole(self) -> Expression:
        expression = self._expression(0)
        self._take("end")
        return expression

    def _expression(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _refusal(self._text[:80], "it is too deep")
        if self._next == "not":
            self._take("not")
            return Not(self._expression(depth + 1))
        left = self._term(depth)
        while self._next in ("and", "or"):
            join = Both if self._take() == "and" else Either
            # A `not` in the middle takes all that follows it, as one at the start does.
            right = self._expression(depth + 1) if self._next == "not" else self._term(depth)
            left = join(left, right)
        return left

    def _term(self, depth: int) -> Expression:
        match self._next:
            case "true" | "false":
                return Constant(self._take() == "true")
            case "(":
                self._take("(")
                inner = self._expression(depth + 1)
                self._take(")")
                return inner
            case _:
                left = self._value()
                self._take("=")
                return Equal(left, self._value())

    def _value(self) -> Literal | FieldName:
        if self._next == "field":
            self._take("field")
            return FieldName(self._literal())
        return Literal(self._literal())

    def _literal(self) -> str:
        text = self._tokens[self._at][1]
        self._take("literal")
        return text

    @property
    def _next(self) -> str:
        return self._tokens[self._at][0]

    def _take(self, wanted: str | None = None) -> str:
        kind = self._next
        if wanted is not None and kind != wanted:
            raise _refusal(self._text, f"expected {wanted}, found {kind}")
        self._at += 1
        return kind


def _refusal(text: str, reason: str) -> ApiError:
    return ApiError("INVALID_VALUE", "expr", f"{text[:200]}: {reason}")
