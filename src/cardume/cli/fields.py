"""How one value of an object is shown under a name of `xe`'s, and how it is set.

A `XeField` has a name, a shape (one value, set or map) and a source; the source knows which other objects must be
fetched before it can be read (`refs`), so that a list fetches them all at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cardume.cli.directory import NOT_THERE, Directory, Record
from cardume.cli.enum_texts import shown
from cardume.cli.failures import Refused
from cardume.cli.server import Server
from cardume.datamodel.schema import Field
from cardume.datamodel.wiretypes import EnumType, MapType, Prim, RefType, SetType, WireType

Value = str | list[str] | dict[str, str]


class Shape(Enum):
    """What kind of value a field shows; the letter is the one in `(SRO)` and `(MRW)`."""

    ONE = " "
    SET = "S"
    MAP = "M"


@dataclass(frozen=True, slots=True)
class Subject:
    """An object whose fields are read."""

    ref: str
    record: Record
    directory: Directory
    server: Server


class Source(Protocol):
    """Where a field's value comes from."""

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        """The (class, reference) pairs that must be fetched to read it."""

    def value(self, subject: Subject) -> Value:
        """The value as it is shown: text, texts, or pairs of texts."""


@dataclass(frozen=True, slots=True)
class XeField:
    """A field as `xe` knows it."""

    name: str
    source: Source
    shape: Shape = Shape.ONE
    own: Field | None = None  # the datamodel's field, where it is one of the object itself
    writable: bool = False
    hidden: bool = False  # shown only when it is asked for by name
    expensive: bool = False  # costs a call of its own, so lists leave it out
    deprecated: bool = False
    ignores_case: bool = False
    joiner: str = "; "

    @property
    def title(self) -> str:
        """The name with what may be done to it, as it stands before the colon."""
        access = "RW" if self.writable else "RO"
        return f"{self.name} ({self.shape.value}{access}){' [DEPRECATED]' if self.deprecated else ''}"

    def text(self, subject: Subject) -> str:
        """The value on one line."""
        return join(self.source.value(subject), self.joiner)


def join(value: Value, joiner: str = "; ") -> str:
    """A value on one line."""
    match value:
        case str():
            return value
        case dict():
            return "; ".join(f"{key}: {item}" for key, item in value.items())
        case _:
            return joiner.join(value)


def plain_text(value: Any, of: WireType) -> str:
    """One value of a type without parts, as it came over the wire, as it is shown."""
    match of:
        case Prim.BOOL:
            return "true" if value in (True, "1", "true") else "false"
        case Prim.FLOAT:
            return f"{float(value):.3f}"
        case EnumType(name=name):
            return shown(name, str(value))
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class Own:
    """A field of the object itself; references are shown as uuids."""

    field: Field

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        value = record.get(self.field.name)
        match self.field.type:
            case RefType(cls):
                yield cls, str(value)
            case SetType(RefType(cls)):
                yield from ((cls, ref) for ref in value or ())
            case MapType(value=RefType(cls)):
                yield from ((cls, ref) for ref in (value or {}).values())

    def value(self, subject: Subject) -> Value:
        value = subject.record.get(self.field.name)
        if value is None:
            return NOT_THERE  # a server of an older version
        uuid = subject.directory.uuid
        match self.field.type:
            case RefType(cls):
                return uuid(cls, value)
            case SetType(RefType(cls)):
                return [uuid(cls, ref) for ref in value]
            case SetType(item):
                return [plain_text(member, item) for member in value]
            case MapType(_, EnumType() as item):  # current_operations: the task says nothing to a reader
                return [plain_text(member, item) for member in value.values()]
            case MapType(_, RefType(cls)):
                return {str(key): uuid(cls, ref) for key, ref in value.items()}
            case MapType(key, item):
                return {plain_text(k, key): plain_text(v, item) for k, v in value.items()}
            case of:
                return plain_text(value, of)


@dataclass(frozen=True, slots=True)
class NameOf:
    """The name of the object that a field refers to."""

    cls: str
    field: str

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        yield self.cls, str(record[self.field])

    def value(self, subject: Subject) -> Value:
        return subject.directory.name(self.cls, subject.record[self.field])


@dataclass(frozen=True, slots=True)
class Via:
    """A field of the object that another field refers to: metrics, for instance."""

    cls: str
    field: str  # which refers to it
    source: Own  # in that object
    absent: str = NOT_THERE

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        yield self.cls, str(record[self.field])

    def value(self, subject: Subject) -> Value:
        ref = subject.record[self.field]
        record = subject.directory.find(self.cls, ref)
        if record is None:
            return self.absent
        return self.source.value(Subject(ref, record, subject.directory, subject.server))


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer of a message about the object; it costs a call."""

    message: str
    of: WireType
    takes_object: bool = True

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        return iter(())

    def value(self, subject: Subject) -> Value:
        try:
            answer = subject.server.call(self.message, *([subject.ref] if self.takes_object else []))
        except Refused:
            return NOT_THERE
        match self.of:
            case SetType(RefType(cls)):
                return [subject.directory.uuid(cls, ref) for ref in answer]
            case SetType():
                return [str(item) for item in answer]
            case MapType():
                return {str(key): str(item) for key, item in answer.items()}
            case of:
                return plain_text(answer, of)


@dataclass(frozen=True, slots=True)
class Worked:
    """A value worked out of the record and of objects it refers to."""

    work: Callable[[Subject], Value]
    needs: Callable[[Record], Iterator[tuple[str, str]]] = lambda record: iter(())

    def refs(self, record: Record) -> Iterator[tuple[str, str]]:
        return self.needs(record)

    def value(self, subject: Subject) -> Value:
        return self.work(subject)
