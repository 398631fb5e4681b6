"""What an archive's first file says: the loose values of its XML as typed records, refused where they are wrong."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from cardume.datamodel import errors
from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.network import Network
from cardume.datamodel.refs import NULL
from cardume.datamodel.schema import Field, schema
from cardume.datamodel.sr import SR
from cardume.datamodel.values import ValueFault, from_plain
from cardume.datamodel.vbd import VBD
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.datamodel.wiretypes import MapType, RefType, SetType, WireType, zero
from cardume.messages.vm_export import EXPORT_VERSION, OVA

T = TypeVar("T")

NEWEST_MAKER = 26
"""The newest `xapi_major` whose objects are known here; what a later one writes may mean something else."""

MOST_OBJECTS = 20_000
_READ: Mapping[str, type[Any]] = {"VM": VM, "VBD": VBD, "VIF": VIF, "VDI": VDI, "SR": SR, "network": Network}


class OvaXml(Protocol):
    """The XML of an archive's first file; `api/ova_xml.py` is the implementation."""

    def read(self, text: bytes) -> Any:
        """The loose value in a text; ValueError when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Manifest:
    """An archive's objects by their ids, `Ref:n`; references between them are such ids, or null."""

    objects: Mapping[str, Any]

    def all(self, cls: type[T]) -> Iterator[tuple[str, T]]:
        """The objects of a class, in their order."""
        return ((id, record) for id, record in self.objects.items() if type(record) is cls)

    def find(self, cls: type[T], id: str) -> T | None:
        """The object, None for the null reference; IMPORT_ERROR_FAILED_TO_FIND_OBJECT when there is none."""
        if id in ("", NULL):
            return None
        record = self.objects.get(id)
        if type(record) is not cls:
            raise errors.IMPORT_ERROR_FAILED_TO_FIND_OBJECT(id)
        return record


def read_manifest(plain: Any) -> Manifest:
    """The manifest of a loose value: a struct of `version` and `objects`."""
    top = _struct(plain, OVA)
    _assert_version(_struct(top.get("version"), "version"))
    objects = top.get("objects")
    if not isinstance(objects, list) or len(objects) > MOST_OBJECTS:
        raise errors.IMPORT_ERROR(f"objects: expected an array of {MOST_OBJECTS} at most")
    return Manifest(dict(_objects(objects)))


def _objects(objects: list[Any]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for number, each in enumerate(objects):
        told = _struct(each, f"objects[{number}]")
        cls, id = told.get("class"), told.get("id")
        if not isinstance(id, str) or not id or id in seen:
            raise errors.IMPORT_ERROR(f"objects[{number}].id: expected a text that no other object has")
        seen.add(id)
        if python := _READ.get(str(cls)):
            yield id, _record(python, _struct(told.get("snapshot"), id), id)


def _assert_version(version: Mapping[str, Any]) -> None:
    """Refuse what a newer product wrote: it would be misread."""
    try:
        format, maker = (int(version.get(key, 0)) for key in ("export_vsn", "xapi_major"))
    except (TypeError, ValueError):
        raise errors.IMPORT_ERROR("version: expected numbers in export_vsn and xapi_major") from None
    if format > EXPORT_VERSION or maker > NEWEST_MAKER:
        raise errors.IMPORT_INCOMPATIBLE_VERSION()


def _record(cls: type[T], plain: Mapping[str, Any], path: str) -> T:
    """A record with what the archive tells; what it does not tell is as in a new object."""
    values = {field.attribute: _value(field, plain, path) for field in schema().by_python[cls].fields.values()}
    return cls(**values)


def _value(field: Field, plain: Mapping[str, Any], path: str) -> Any:
    # What is of a moment alone means nothing here, and later versions know other operations.
    if field.volatile or field.name not in plain:
        return zero(field.type) if field.default is REQUIRED or field.volatile else field.default
    try:
        return from_plain(plain[field.name], field.type, f"{path}.{field.name}")
    except ValueFault as fault:
        raise errors.IMPORT_ERROR(str(fault)) from None


def _struct(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise errors.IMPORT_ERROR(f"{path}: expected a struct")
    return value


def without_references(record: T) -> T:
    """A record whose references, which mean nothing here, are null."""
    fields = schema().of(record).fields.values()
    changes = {field.attribute: zero(field.type) for field in fields if _refers(field.type)}
    return cast(T, dataclasses.replace(cast(Any, record), **changes))


def _refers(of: WireType) -> bool:
    match of:
        case RefType():
            return True
        case SetType(item):
            return _refers(item)
        case MapType(key, item):
            return _refers(key) or _refers(item)
    return False
