"""Records to the JSON that the store keeps, and back: fast for thousands, sharing what is equal.

Only stored fields are kept. What an older or newer version left in an object is neither lost nor trusted: fields that
this version does not declare are handed back so that they can be written again, absent ones take their default.
"""

import json
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import Field
from cardume.datamodel.values import ValueFault, from_plain, to_plain
from cardume.datamodel.wiretypes import EnumType, MapType, Prim, RefType, SetType, WireType, zero
from cardume.pooldb.layout import Layout
from cardume.pooldb.store import StoreDamaged

NO_EXTRA: Mapping[str, Any] = {}
EMPTY_MAP: Mapping[Any, Any] = MappingProxyType({})
Convert = Callable[[Any], Any]


class Encoder:
    """Writes the objects of one class."""

    def __init__(self, layout: Layout) -> None:
        self._names = [field.name for field in layout.stored_fields]
        self._values = layout.stored_values
        self._converts = [_encoder(field.type) for field in layout.stored_fields]

    def encode(self, record: Any, extra: Mapping[str, Any] = NO_EXTRA) -> bytes:
        """The stored form of a record; `extra` are fields that another version of Cardume wrote."""
        values = zip(self._names, self._converts, self._values(record), strict=True)
        plain = {name: value if convert is None else convert(value) for name, convert, value in values}
        return json.dumps({**extra, **plain}, ensure_ascii=False, separators=(",", ":")).encode()


def _is_text(of: WireType) -> bool:
    """True for types whose values are texts to Python, and to JSON as they are."""
    return of is Prim.STRING or isinstance(of, RefType | EnumType)


def _encoder(of: WireType) -> Convert | None:
    """How a value becomes plain; None when it is already."""
    if _is_text(of) or of in (Prim.INT, Prim.BOOL) or (isinstance(of, SetType) and _is_text(of.item)):
        return None
    if isinstance(of, MapType) and _is_text(of.key) and _is_text(of.value):
        return dict
    return lambda value: to_plain(value, of)


class Sharing:
    """One copy of each equal value: a pool of thousands of VMs repeats few texts, references, maps and times."""

    def __init__(self) -> None:
        self._refs: dict[str, Ref[Any]] = {}
        self._maps: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def ref(self, text: str) -> Ref[Any]:
        """The one reference of this text."""
        found = self._refs.get(text)
        if found is None:
            found = self._refs[text] = Ref(text)
        return found

    def text_map(self, plain: Mapping[str, str]) -> Mapping[str, str]:
        """The one map that holds these texts."""
        if not plain:
            return EMPTY_MAP
        key = tuple(plain.items())
        found = self._maps.get(key)
        if found is None:
            found = self._maps[key] = {sys.intern(k): sys.intern(v) for k, v in key}
        return found


class Decoder:
    """Reads the objects of one class."""

    def __init__(self, layout: Layout, sharing: Sharing) -> None:
        self._layout = layout
        self._decode = [(f.name, layout.attributes[f.name], _decoder(f.type, sharing)) for f in layout.stored_fields]
        self._known = {field.name for field in layout.stored_fields}
        self._defaults = {layout.attributes[f.name]: _default(f) for f in layout.cls.fields.values()}

    def decode(self, key: str, value: bytes) -> tuple[Any, Mapping[str, Any]]:
        """The record, and the fields that this version does not know; StoreDamaged when it cannot be read."""
        try:
            plain = json.loads(value)
        except ValueError as error:
            raise StoreDamaged(f"{key} in the pool database is not JSON: {error}") from error
        if not isinstance(plain, dict):
            raise StoreDamaged(f"{key} in the pool database is no object of {self._layout.name}")
        values = self._defaults.copy()
        name = ""
        try:
            for name, attribute, decode in self._decode:
                if name in plain:
                    values[attribute] = decode(plain[name])
        except ValueFault as fault:
            raise StoreDamaged(f"{key} in the pool database: {name}: {fault}") from fault
        unknown = plain.keys() - self._known
        return self._layout.cls.python(**values), {name: plain[name] for name in unknown} if unknown else NO_EXTRA


def _default(field: Field) -> Any:
    # A constructor's argument has no default, yet a version that adds one must read the objects from before.
    default = zero(field.type) if field.default is REQUIRED or field.backref else field.default
    return EMPTY_MAP if isinstance(default, Mapping) and not default else default


def _decoder(of: WireType, sharing: Sharing) -> Convert:
    """A decoder for a type: the usual case at once, the rest, faults included, by `from_plain`."""
    match of:
        case Prim.STRING:
            return lambda plain: sys.intern(plain) if type(plain) is str else from_plain(plain, of)
        case Prim.INT | Prim.BOOL:
            usual = int if of is Prim.INT else bool
            return lambda plain: plain if type(plain) is usual else from_plain(plain, of)
        case Prim.DATETIME | EnumType():
            return _remembering(of)
        case RefType():
            return lambda plain: sharing.ref(plain) if type(plain) is str and plain else from_plain(plain, of)
        case SetType(item):
            member = _decoder(item, sharing)
            return lambda plain: tuple(map(member, plain)) if type(plain) is list else from_plain(plain, of)
        case MapType(Prim.STRING, Prim.STRING):
            return lambda plain: sharing.text_map(plain if _holds_texts(plain) else from_plain(plain, of))
    return lambda plain: EMPTY_MAP if plain == {} else from_plain(plain, of)


def _remembering(of: WireType) -> Convert:
    """For types with few different values: each is decoded once."""
    known: dict[str, Any] = {}

    def decode(plain: Any) -> Any:
        found = known.get(plain) if type(plain) is str else None
        if found is None:
            found = known[plain] = from_plain(plain, of)
        return found

    return decode


def _holds_texts(plain: Any) -> bool:
    return type(plain) is dict and all(type(value) is str for value in plain.values())
