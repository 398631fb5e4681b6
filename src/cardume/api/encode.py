"""Typed values to a wire's text: an encoder is compiled once per type and notation.

A record's text is kept per object version: listing 5,000 unchanged VMs joins texts that are there already, and an
event's snapshot is the same text that `get_record` answers with.
"""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import XenClass, schema
from cardume.datamodel.wiretypes import EnumType, MapType, OptionType, Prim, RecordType, RefType, SetType, WireType

Encode = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Notation:
    """How one wire writes values; every function gives a whole value."""

    name: str
    text: Callable[[str], str]
    integer: Callable[[int], str]
    small_int: Callable[[int], str]  # the counts of event.from alone are real integers
    float: Callable[[float], str]
    bool: Callable[[bool], str]
    datetime: Callable[[datetime], str]
    array: Callable[[Iterable[str]], str]
    struct: Callable[[Iterable[tuple[str, str]]], str]
    void: str


class Texts(Protocol):
    """Keeps what was made of an object's record until the object changes; the database does."""

    def cached(self, ref: Ref[Any], key: str, build: Callable[[Any], str]) -> str: ...


class Encoder:
    """The encoders of one notation."""

    def __init__(self, notation: Notation, texts: Texts) -> None:
        self.notation = notation
        self._texts = texts
        self._compiled: dict[WireType, Encode] = {}

    def encode(self, value: Any, of: WireType) -> str:
        """The text of a typed value."""
        return self._encoder(of)(value)

    def object(self, ref: Ref[Any], cls: str) -> str:
        """The text of an object's record as it is now; made once per version of the object."""
        return self._texts.cached(ref, self.notation.name, self._encoder(RecordType(cls)))

    def objects(self, refs: Iterable[Ref[Any]], cls: str) -> str:
        """The text of a `(ref -> record) map` of objects as they are now."""
        cached, key, build = self._texts.cached, self.notation.name, self._encoder(RecordType(cls))
        return self.notation.struct([(ref, cached(ref, key, build)) for ref in refs])

    def _encoder(self, of: WireType) -> Encode:
        if of not in self._compiled:
            self._compiled[of] = self._compile(of)
        return self._compiled[of]

    def _compile(self, of: WireType) -> Encode:
        write = self.notation
        match of:
            case Prim():
                return self._compile_prim(of)
            case RefType():
                return write.text
            case EnumType(python=python):
                texts = {member: write.text(member.value) for member in python}
                return texts.__getitem__
            case SetType(item):
                one = self._encoder(item)
                nothing = write.array([])
                return lambda members: write.array([one(member) for member in members]) if members else nothing
            case MapType(_, item):
                one = self._encoder(item)
                empty = write.struct([])
                return lambda pairs: (
                    write.struct([(str(key), one(value)) for key, value in pairs.items()]) if pairs else empty
                )
            case OptionType(item):
                one = self._encoder(item)
                return lambda value: write.array([] if value is None else [one(value)])
            case RecordType(cls):
                return self._compile_record(schema().classes[cls])

    def _compile_prim(self, of: Prim) -> Encode:
        write = self.notation
        match of:
            case Prim.STRING:
                return write.text
            case Prim.INT:
                return write.integer
            case Prim.FLOAT:
                return write.float
            case Prim.BOOL:
                return write.bool
            case Prim.DATETIME:
                return write.datetime
            case Prim.VOID:
                return lambda _: write.void

    def _compile_record(self, cls: XenClass) -> Encode:
        """One template with a place per field: a record of a hundred fields is one formatting.

        Most fields of most objects are what they were in the object before: the very same value needs no new text.
        """
        fields = list(cls.fields.values())
        template = self.notation.struct([(name, "%s") for name in cls.fields])
        encoders = [self._encoder(field.type) for field in fields]
        attributes = [field.attribute for field in fields]
        values: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*attributes)
        if len(attributes) == 1:  # attrgetter gives no tuple for one name
            values = lambda record: (getattr(record, attributes[0]),)  # noqa: E731 – one of two ways to get the values
        last_values: list[Any] = [object()] * len(fields)
        texts = [""] * len(fields)

        def encode(record: Any) -> str:
            for position, value in enumerate(values(record)):
                if value is not last_values[position]:
                    texts[position] = encoders[position](value)
                    last_values[position] = value
            return template % tuple(texts)

        return encode
