"""The whole API as one value: every class with its fields and messages, the implied messages included.

`schema()` imports the class modules, resolves their annotations once and derives what follows from the fields.
"""

import dataclasses
import inspect
import keyword
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from cardume.datamodel import wiretypes
from cardume.datamodel.declare import (
    NO_MAP,
    REGISTRY,
    REQUIRED,
    RW,
    ClassOptions,
    FieldOptions,
    MessageOptions,
    Qualifier,
)
from cardume.datamodel.loading import load_all, load_class, value_of_annotation
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import MapType, Prim, RecordType, RefType, SetType, WireType, wire_type, zero


class Kind(Enum):
    """What a message does, as far as the declaration tells."""

    DECLARED = "declared"  # what it does is written in messages/
    GET_FIELD = "get_field"
    SET_FIELD = "set_field"
    ADD_TO_MAP = "add_to_map"
    REMOVE_FROM_MAP = "remove_from_map"
    ADD_TO_SET = "add_to_set"
    REMOVE_FROM_SET = "remove_from_set"
    CREATE = "create"  # implied by the class, yet written in messages/
    DESTROY = "destroy"  # likewise
    GET_RECORD = "get_record"
    GET_BY_UUID = "get_by_uuid"
    GET_BY_NAME_LABEL = "get_by_name_label"
    GET_ALL = "get_all"
    GET_ALL_RECORDS = "get_all_records"
    GET_ALL_RECORDS_WHERE = "get_all_records_where"

    @property
    def is_accessor(self) -> bool:
        """True when the field alone says what the message does."""
        return self not in (Kind.DECLARED, Kind.CREATE, Kind.DESTROY)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: WireType
    qualifier: Qualifier
    doc: str
    default: Any  # REQUIRED: a constructor must be given it
    volatile: bool
    effect: bool
    backref: tuple[str, str] | None  # (class, field) that names this object
    role: Role
    read_role: Role
    client_cert: bool
    key_roles: Mapping[str, Role]
    getter: bool

    @property
    def attribute(self) -> str:
        """Name of the record's attribute: the field's, with an underscore where Python keeps the word (`class_`)."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name

    @property
    def is_map(self) -> bool:
        return isinstance(self.type, MapType)

    @property
    def stored(self) -> bool:
        """True when the pool database keeps it over a restart."""
        return not self.volatile and self.backref is None


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: WireType
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Message:
    cls: str
    name: str
    params: tuple[Param, ...]  # the session, which goes first on the wire, left out
    result: WireType
    role: Role
    kind: Kind
    doc: str = ""
    field: str = ""  # of the accessors
    errors: tuple[str, ...] = ()
    session: bool = True  # False: no session reference goes first
    has_async: bool = True
    client_cert: bool = False
    key_roles: Mapping[str, Role] = dataclasses.field(default_factory=dict)
    hidden: bool = False

    @property
    def full_name(self) -> str:
        """e.g. `VM.start`."""
        return f"{self.cls}.{self.name}"

    @property
    def required_count(self) -> int:
        return sum(param.required for param in self.params)


@dataclass(frozen=True, slots=True)
class XenClass:
    name: str
    python: type[Any]
    doc: str
    fields: Mapping[str, Field]
    messages: Mapping[str, Message]
    events: bool
    stored: bool
    volatile: bool
    constructor: bool
    has_get_all_records: bool
    internal: bool = False  # not part of XenAPI


@dataclass(frozen=True, slots=True)
class Schema:
    classes: Mapping[str, XenClass]
    by_python: Mapping[type, XenClass]

    def find_message(self, full_name: str) -> Message | None:
        """The message called `Class.name`, exact in case; None when there is none."""
        cls, _, name = full_name.partition(".")
        return self.classes[cls].messages.get(name) if cls in self.classes else None

    def messages(self) -> Iterator[Message]:
        """Every message of every class."""
        for cls in self.classes.values():
            yield from cls.messages.values()

    def of(self, record: object) -> XenClass:
        """The class that a typed record is of."""
        return self.by_python[type(record)]


@cache
def schema() -> Schema:
    """The whole declared API; built once."""
    classes = {name: xenclass_named(name) for name in class_names()}
    return Schema(classes, {cls.python: cls for cls in classes.values()})


def class_names() -> list[str]:
    """The names of all declared classes."""
    load_all()
    return sorted(REGISTRY)


def is_declared(name: str) -> bool:
    """True for a class of the API; those that fields still point to and that are gone are none."""
    load_class(name)
    return name in REGISTRY


@cache
def xenclass_named(name: str) -> XenClass:
    """One class alone: a short-lived program that needs few does not load the others."""
    load_class(name)
    return _derive(REGISTRY[name])


def _derive(options: ClassOptions) -> XenClass:
    fields = _fields(options)
    messages = {message.name: message for message in (*_implied(options, fields), *_declared_messages(options))}
    return XenClass(
        name=options.name,
        python=options.python,
        doc=inspect.cleandoc(options.python.__doc__ or ""),
        fields=fields,
        messages=dict(sorted(messages.items())),
        events=options.events,
        stored=options.stored,
        volatile=options.volatile,
        constructor=options.constructor,
        has_get_all_records="get_all_records" in messages,
        internal=options.internal,
    )


def _fields(options: ClassOptions) -> dict[str, Field]:
    module = inspect.getmodule(options.python)
    fields = {}
    for declared in dataclasses.fields(options.python):
        said: FieldOptions = declared.metadata["xenapi"]
        # The class's own names are left out on purpose: a field may be named like a class (PBD.SR).
        annotation = value_of_annotation(declared.type, vars(module))
        of = wire_type(annotation)
        backref = tuple(said.backref.split(".")) if said.backref else None
        fields[declared.name.rstrip("_")] = Field(
            name=declared.name.rstrip("_"),
            type=of,
            qualifier=said.qualifier,
            doc=said.doc,
            default=_field_default(said, of),
            volatile=said.volatile or options.volatile,
            effect=said.effect,
            backref=typing.cast("tuple[str, str] | None", backref),
            role=options.role if said.role is None else said.role,
            read_role=options.read_role if said.read_role is None else said.read_role,
            client_cert=said.client_cert,
            key_roles=said.key_roles,
            getter=said.getter,
        )
    return fields


def _field_default(said: FieldOptions, of: WireType) -> Any:
    if said.default is not REQUIRED:
        return said.default
    return REQUIRED if said.qualifier is not Qualifier.RO else zero(of)


def _declared_messages(options: ClassOptions) -> Iterator[Message]:
    module = inspect.getmodule(options.python)
    for said in vars(options.python).values():
        if not isinstance(said, MessageOptions):
            continue
        hints = {name: value_of_annotation(text, vars(module)) for name, text in said.function.__annotations__.items()}
        params = []
        for position, parameter in enumerate(inspect.signature(said.function).parameters.values()):
            is_object = position == 0 and not said.is_static and parameter.name not in hints
            of = RefType(options.name) if is_object else wire_type(hints[parameter.name])
            default = REQUIRED if parameter.default is inspect.Parameter.empty else parameter.default
            params.append(Param(parameter.name.rstrip("_"), of, default))
        yield Message(
            cls=options.name,
            name=said.name,
            params=tuple(params),
            result=wire_type(hints["return"]),
            role=options.role if said.role is None else said.role,
            kind=Kind.DECLARED,
            doc=inspect.cleandoc(said.function.__doc__ or ""),
            errors=said.errors,
            session=said.session,
            has_async=options.has_async if said.has_async is None else said.has_async,
            client_cert=said.client_cert,
            key_roles=said.key_roles,
            hidden=said.hidden,
        )


def _implied(options: ClassOptions, fields: Mapping[str, Field]) -> Iterator[Message]:
    if not options.stored or not options.implied:
        return
    yield from _implied_by_class(options, fields)
    for field in fields.values():
        yield from _implied_by_field(options.name, field)


def _implied_by_class(options: ClassOptions, fields: Mapping[str, Field]) -> Iterator[Message]:
    cls = options.name
    ref, record = RefType(cls), RecordType(cls)
    records = MapType(ref, record)
    self_ = Param("self", ref)

    def read(kind: Kind, params: tuple[Param, ...], result: WireType, doc: str) -> Message:
        return Message(cls, kind.value, params, result, options.read_role, kind, doc, has_async=False)

    yield read(Kind.GET_RECORD, (self_,), record, f"The whole {cls} record.")
    yield read(Kind.GET_BY_UUID, (Param("uuid", Prim.STRING),), ref, f"The {cls} with this uuid.")
    if options.get_all:
        expression = Param("expr", Prim.STRING)
        yield read(Kind.GET_ALL, (), SetType(ref), f"Every {cls}.")
        yield read(Kind.GET_ALL_RECORDS, (), records, f"Every {cls} with its record.")
        yield read(Kind.GET_ALL_RECORDS_WHERE, (expression,), records, f"Every {cls} that satisfies the expression.")
    if options.get_all and options.by_name_label and "name_label" in fields:
        yield read(Kind.GET_BY_NAME_LABEL, (Param("label", Prim.STRING),), SetType(ref), f"Every {cls} of this name.")
    if options.constructor:
        role = options.role if options.constructor_role is None else options.constructor_role
        yield Message(cls, "create", (Param("args", record),), ref, role, Kind.CREATE, f"Make a {cls}.")
        yield Message(cls, "destroy", (self_,), Prim.VOID, role, Kind.DESTROY, f"Remove the {cls}.")


def _implied_by_field(cls: str, field: Field) -> Iterator[Message]:
    self_ = Param("self", RefType(cls))

    def accessor(kind: Kind, verb: str, params: tuple[Param, ...], result: WireType, doc: str) -> Message:
        is_read = kind is Kind.GET_FIELD
        return Message(
            cls,
            f"{verb}_{field.name}",
            (self_, *params),
            result,
            field.read_role if is_read else field.role,
            kind,
            doc,
            field.name,
            has_async=False,
            client_cert=field.client_cert and not is_read,
            key_roles=field.key_roles if kind in (Kind.ADD_TO_MAP, Kind.REMOVE_FROM_MAP) else NO_MAP,
        )

    if field.getter:
        yield accessor(Kind.GET_FIELD, "get", (), field.type, f"The {cls}'s {field.name}: {field.doc}.")
    if field.qualifier is not RW:
        return
    value = Param("value", field.type)
    yield accessor(Kind.SET_FIELD, "set", (value,), Prim.VOID, f"Set the {cls}'s {field.name}.")
    match field.type:
        case MapType(key, item):
            pair = (Param("key", key), Param("value", item))
            yield accessor(Kind.ADD_TO_MAP, "add_to", pair, Prim.VOID, f"Add a pair to {field.name}.")
            yield accessor(Kind.REMOVE_FROM_MAP, "remove_from", pair[:1], Prim.VOID, f"Remove a key of {field.name}.")
        case SetType(wiretypes.Prim.STRING):
            one = (Param("value", Prim.STRING),)
            yield accessor(Kind.ADD_TO_SET, "add", one, Prim.VOID, f"Add a text to {field.name}.")
            yield accessor(Kind.REMOVE_FROM_SET, "remove", one, Prim.VOID, f"Remove a text from {field.name}.")
