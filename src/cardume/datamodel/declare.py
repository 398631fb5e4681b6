"""How a XenAPI class is declared: `@xenclass` on a class of `field(...)`s and `@message(...)`s.

The decorator makes the class a frozen, keyword-only dataclass (the typed record of its objects) and registers it.
What follows from the declaration (getters, records, …) is derived in `schema.py`, once all classes are there.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform

from cardume.datamodel.refs import NULL
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import EPOCH

T = TypeVar("T")


class Qualifier(Enum):
    """Who may write a field, as XenAPI spells it. STATIC_RO and RW fields are arguments of the constructor."""

    RO = "RO"
    RW = "RW"
    STATIC_RO = "StaticRO"


RO, RW, STATIC_RO = Qualifier.RO, Qualifier.RW, Qualifier.STATIC_RO


class _Required(Enum):
    REQUIRED = "required"


REQUIRED = _Required.REQUIRED
NO_MAP: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What `field(...)` said, before types are known."""

    qualifier: Qualifier
    doc: str
    default: Any
    volatile: bool
    effect: bool
    backref: str | None
    role: Role | None
    read_role: Role | None
    client_cert: bool
    key_roles: Mapping[str, Role]
    getter: bool


def field(
    qualifier: Qualifier,
    doc: str,
    default: Any = REQUIRED,
    *,
    volatile: bool = False,
    effect: bool = False,
    backref: str | None = None,
    role: Role | None = None,
    read_role: Role | None = None,
    client_cert: bool = False,
    key_roles: Mapping[str, Role] = NO_MAP,
    getter: bool = True,
) -> Any:
    """Declare a field.

    default: absent for STATIC_RO and RW means that a constructor must be given it; absent for RO means the type's zero.
    volatile: lives in memory only; after a restart it has its default until somebody says otherwise.
    effect: setting it does something, so `set_…` needs an implementation of its own.
    backref: "VBD.VM": the set of objects of that class whose field names this object; kept by the database.
    role: least role for its setters, when it differs from the class's; read_role: likewise for its getter.
    client_cert: the pool's own certificate may call its setters too.
    key_roles: least role for single keys of a map (`XenCenter.CustomFields.*`).
    getter: False where XenAPI declares no implied getter.
    Sets are given as tuples.
    """
    options = FieldOptions(
        qualifier, doc, default, volatile, effect, backref, role, read_role, client_cert, dict(key_roles), getter
    )
    required = default is REQUIRED and qualifier is not RO and backref is None
    metadata = {"xenapi": options}
    if required:
        return dataclasses.field(kw_only=True, metadata=metadata)
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), kw_only=True, metadata=metadata)
    return dataclasses.field(default=default, kw_only=True, metadata=metadata)


class MessageOptions:
    """A declared message; `cls` and `name` are filled in by its class."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.is_static = isinstance(function, staticmethod)
        self.function = function.__func__ if isinstance(function, staticmethod) else function
        self.role: Role | None = options["role"]
        self.errors: tuple[str, ...] = options["errors"]
        self.session: bool = options["session"]
        self.has_async: bool | None = options["has_async"]
        self.client_cert: bool = options["client_cert"]
        self.key_roles: Mapping[str, Role] = options["key_roles"]
        self.hidden: bool = options["hidden"]
        self.name = self.function.__name__.rstrip("_")
        self.cls: str = ""

    @property
    def full_name(self) -> str:
        """e.g. `VM.start`."""
        return f"{self.cls}.{self.name}"


def message(
    *,
    role: Role | None = None,
    errors: tuple[str, ...] = (),
    session: bool = True,
    has_async: bool | None = None,
    client_cert: bool = False,
    key_roles: Mapping[str, Role] = NO_MAP,
    hidden: bool = False,
) -> Callable[[Any], MessageOptions]:
    """Declare a message; parameters, types, defaults and the sentence come from the function it decorates.

    An unannotated first parameter is the object itself; messages without one are `@staticmethod`s.
    A trailing underscore in the name is dropped (`import_`). `has_async=None` takes the class's habit.
    """
    options = {
        "role": role,
        "errors": errors,
        "session": session,
        "has_async": has_async,
        "client_cert": client_cert,
        "key_roles": dict(key_roles),
        "hidden": hidden,
    }
    return lambda function: MessageOptions(function, **options)


@dataclass(frozen=True, slots=True)
class ClassOptions:
    """What `@xenclass(...)` said."""

    python: type
    name: str
    role: Role
    events: bool
    stored: bool
    volatile: bool
    has_async: bool
    constructor: bool
    constructor_role: Role | None
    read_role: Role
    get_all: bool
    by_name_label: bool
    implied: bool
    internal: bool


REGISTRY: dict[str, ClassOptions] = {}
"""Every declared class by its XenAPI name; filled by importing the class modules (`schema.py` does)."""


# `field` is no field specifier on purpose: a type checker would see neither its positional default nor the zero that
# read-only fields have, and ask for every argument. A missing one that is required is told at run time.
@dataclass_transform(kw_only_default=True, frozen_default=True)
def xenclass(
    *,
    name: str | None = None,
    role: Role = Role.POOL_ADMIN,
    events: bool = True,
    stored: bool = True,
    volatile: bool = False,
    has_async: bool = True,
    constructor: bool = False,
    constructor_role: Role | None = None,
    read_role: Role = Role.READ_ONLY,
    get_all: bool = True,
    by_name_label: bool = True,
    implied: bool = True,
    internal: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Declare a XenAPI class.

    role: least role of its messages where they name none. events: appears in `event.from`. stored: has objects in the
    database. volatile: its objects live in memory only. constructor: has implied `create` and `destroy`.
    read_role: least role of its implied readers. by_name_label: False where a class has names and no look-up by them.
    implied: False where XenAPI spells every message out, so that none follow from the fields.
    internal: the database's own, which no client sees; for it, `events` and `implied` are False.
    """

    def declare(python: type[T]) -> type[T]:
        wire_name = name or python.__name__
        python.__xenname__ = wire_name  # type: ignore[attr-defined]  # read back by wiretypes.class_name
        for value in vars(python).values():
            if isinstance(value, MessageOptions):
                value.cls = wire_name
        _fill_defaults(python)
        record = dataclass(frozen=True, kw_only=True, slots=True)(python)
        assert wire_name not in REGISTRY, f"{wire_name} is declared twice"
        REGISTRY[wire_name] = ClassOptions(
            python=record,
            name=wire_name,
            role=role,
            events=events,
            stored=stored,
            volatile=volatile,
            has_async=has_async,
            constructor=constructor,
            constructor_role=constructor_role,
            read_role=read_role,
            get_all=get_all,
            by_name_label=by_name_label,
            implied=implied,
            internal=internal,
        )
        return record

    return declare


_ZEROS: tuple[tuple[str, Any], ...] = (
    ("str", ""),
    ("int", 0),
    ("float", 0.0),
    ("bool", False),
    ("datetime", EPOCH),
    ("Ref[", NULL),
    ("Set[", ()),
)


def _fill_defaults(python: type) -> None:
    """Give read-only fields without a default their type's zero. Annotations are text until all classes exist."""
    for name, annotation in python.__annotations__.items():
        declared = vars(python)[name]
        if declared.default is not REQUIRED:
            continue
        if str(annotation).startswith("Mapping["):
            declared.default, declared.default_factory = dataclasses.MISSING, dict
        else:
            zeros = [value for prefix, value in _ZEROS if str(annotation).startswith(prefix)]
            assert zeros, f"{python.__name__}.{name}: {annotation} needs a default"
            declared.default = zeros[0]


def named(name: str) -> Callable[[type[StrEnum]], type[StrEnum]]:
    """Give an enum its XenAPI name where Python's class name differs."""

    def declare(python: type[StrEnum]) -> type[StrEnum]:
        python.__xenname__ = name  # type: ignore[attr-defined]  # read back by wiretypes.enum_name
        return python

    return declare
