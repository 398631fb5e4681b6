"""Records to the JSON that the store keeps, and back: fast for thousands, sharing what is equal.

Only stored fields are kept. What an older or newer version left in an object is neither lost nor trusted: fields that
this version does not declare are handed back so that they can be written again, absent ones take their default.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import Field
from cardume.datamodel.values import ValueFault, from_plain, to_plain
from cardume.datamodel.wiretypes import MapType, Prim, RefType, SetType, WireType, zero
from cardume.pooldb.layout import Layout
from cardume.pooldb.store import StoreDamaged

NO_EXTRA: Mapping[str, Any] = {}
Decode = Callable[[Any], Any]


def encode(layout: Layout, record: Any, extra: Mapping[str, Any] = NO_EXTRA) -> bytes:
    """The stored form of a record; `extra` are fields that another version of Cardume wrote."""
    plain = {f.name: to_plain(getattr(record, layout.attributes[f.name]), f.type) for f in layout.stored_fields}
    return json.dumps({**extra, **plain}, ensure_ascii=False, separators=(",", ":")).encode()


class Sharing:
    """One copy of each equal value: a pool of thousands of VMs repeats few texts, references, maps and times."""

    def __init__(self) -> None:
        self._refs: dict[str, Ref[Any]] = {}
        self._values: dict[Any, Any] = {}

    def ref(self, text: str) -> Ref[Any]:
        """The one reference of this text."""
        found = self._refs.get(text)
        if found is None:
            found = self._refs[text] = Ref(text)
        return found

    def value(self, key: Any, value: Any) -> Any:
        """The first value that was seen under an equal key."""
        return self._values.setdefault(key, value)


class Decoder:
    """Reads the objects of one class."""

    def __init__(self, layout: Layout, sharing: Sharing) -> None:
        self._layout = layout
        self._decode = [(f, layout.attributes[f.name], _decoder(f.type, sharing)) for f in layout.stored_fields]
        self._known = {f.name for f in layout.stored_fields}
        self._defaults = {layout.attributes[f.name]: _default(f) for f in layout.cls.fields.values()}

    def decode(self, key: str, value: bytes) -> tuple[Any, Mapping[str, Any]]:
        """The record, and the fields that this version does not know; StoreDamaged when it cannot be read."""
        try:
            plain = json.loads(value)
        except ValueError as error:
            raise StoreDamaged(f"{key} in the pool database is not JSON: {error}") from error
        if not isinstance(plain, dict):
            raise StoreDamaged(f"{key} in the pool database is no object of {self._layout.name}")
        values = dict(self._defaults)
        for field, attribute, decode in self._decode:
            if field.name in plain:
                try:
                    values[attribute] = decode(plain[field.name])
                except ValueFault as fault:
                    raise StoreDamaged(f"{key} in the pool database: {field.name}: {fault}") from fault
        extra = (
            {name: plain[name] for name in plain.keys() - self._known} if len(plain) > len(self._known) else NO_EXTRA
        )
        return self._layout.cls.python(**values), extra


def _default(field: Field) -> Any:
    # A constructor's argument has no default, yet a version that adds one must read the objects from before.
    default = zero(field.type) if field.default is REQUIRED or field.backref else field.default
    return zero(field.type) if isinstance(default, Mapping) and not default else default


def _decoder(of: WireType, sharing: Sharing) -> Decode:
    """A decoder for a type: the usual case at once, the rest by `from_plain`."""
    match of:
        case Prim.STRING:
            return lambda plain: sys.intern(plain) if type(plain) is str else from_plain(plain, of)
        case Prim.INT:
            return lambda plain: plain if type(plain) is int else from_plain(plain, of)
        case Prim.BOOL:
            return lambda plain: plain if type(plain) is bool else from_plain(plain, of)
        case RefType():
            return lambda plain: sharing.ref(plain) if type(plain) is str and plain else from_plain(plain, of)
        case SetType(item):
            return _set_decoder(_decoder(item, sharing), of)
        case MapType(Prim.STRING, Prim.STRING):
            return lambda plain: _text_map(plain, of, sharing)
    return lambda plain: _shared(from_plain(plain, of), sharing)


def _set_decoder(member: Decode, of: WireType) -> Decode:
    return lambda plain: tuple(map(member, plain)) if type(plain) is list else from_plain(plain, of)


def _text_map(plain: Any, of: WireType, sharing: Sharing) -> Mapping[str, str]:
    if type(plain) is not dict:
        return from_plain(plain, of)  # type: ignore[no-any-return]  # raises
    if not plain:
        return zero(of)  # type: ignore[no-any-return]  # the one empty map
    decoded = {sys.intern(k): sys.intern(v) for k, v in from_plain(plain, of).items()}
    return sharing.value(tuple(decoded.items()), decoded)  # type: ignore[no-any-return]  # a map of texts


def _shared(value: Any, sharing: Sharing) -> Any:
    return sharing.value(value, value) if isinstance(value, datetime) else value
