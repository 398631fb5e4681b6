"""Which objects a command is about: filters on fields as they are shown, and `vm=`, `host=`, `sr=` by name or uuid."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cardume.cli.arguments import Pairs
from cardume.cli.command import Call
from cardume.cli.directory import Record
from cardume.cli.failures import Plain, Refused, SomeFailed, XeFailure
from cardume.cli.fields import Shape, Subject, XeField
from cardume.cli.views import View, find_view
from cardume.datamodel.schema import xenclass_named

T = TypeVar("T")

NAMES = ("uuid", "name_label", "hostname")
"""Fields that `vm=`, `host=` and `sr=` are compared with."""

_CLASS_WORDS = {"vm": "VM", "host": "host", "sr": "SR"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field: its text, a pair of its map, or a member of its set."""

    field: XeField
    value: str
    key: str | None = None  # of a map
    contains: bool = False  # in a set

    def fits(self, subject: Subject) -> bool:
        """True when the object satisfies the condition."""
        shown = self.field.source.value(subject)
        if self.key is not None:
            return isinstance(shown, dict) and shown.get(self.key) == self.value
        if self.contains:
            return isinstance(shown, list) and self._folded(self.value) in map(self._folded, shown)
        return self._folded(self.field.text(subject)) == self._folded(self.value)

    def _folded(self, text: str) -> str:
        return text.lower() if self.field.ignores_case else text


def read_filter(view: View, name: str, value: str) -> Filter:
    """The condition that `name=value` means."""
    exact = view.find(name)
    if exact is not None:
        return Filter(exact, value)
    found, key = part_of(view, name)
    if found.shape is Shape.MAP:
        return Filter(found, value, key=key)
    if key != "contains":
        raise Plain("Invalid syntax for set filtering (should be set-param:contains=key)")
    return Filter(found, value, contains=True)


def part_of(view: View, name: str) -> tuple[XeField, str]:
    """The map or set, and the key in it, that `field:key` or `field-key` names."""
    stem, colon, key = name.partition(":")
    if colon:
        found = view.find(stem)
        if found is None:
            raise unknown_field(name)
        if found.shape is Shape.ONE:
            raise Plain(f"Field '{stem}' is not a set or map")
        return found, key
    for shape in (Shape.MAP, Shape.SET):
        fits = [made for made in view.fields.values() if made.shape is shape and name.startswith(f"{made.name}-")]
        if fits:
            longest = max(fits, key=lambda made: len(made.name))
            return longest, name[len(longest.name) + 1 :]
    raise unknown_field(name)


def unknown_field(name: str) -> Plain:
    """The failure of a command line that names a field the class does not have."""
    return Plain(f"Unknown field '{name}'")


def subjects(call: Call, view: View, conditions: Pairs, named: str | None = None) -> list[Subject]:
    """The objects of a view that satisfy conditions; what these need of other objects is fetched at once.

    named: the uuid or name that the object must have, if any.
    """
    filters = [read_filter(view, name, value) for name, value in (*view.where, *conditions)]
    records: dict[str, Record] = call.server.call(*_question(view, conditions, named))
    call.directory.learn(view.cls, records)
    found = [Subject(ref, record, call.directory, call.server) for ref, record in records.items()]
    for one in filters:
        load(call, found, [one.field])
        found = [subject for subject in found if one.fits(subject)]
    return found


_ASKED_OF_SERVER = {
    "uuid": "uuid",
    "name-label": "name_label",
    "is-a-template": "is_a_template",
    "is-a-snapshot": "is_a_snapshot",
    "is-control-domain": "is_control_domain",
}


def _question(view: View, conditions: Pairs, named: str | None) -> tuple[str, ...]:
    """The call that reads a view's objects; the simplest conditions are left to the server, which sends less then."""
    own = xenclass_named(view.cls).fields
    checked = [
        f'field "{_ASKED_OF_SERVER[name]}" = "{value}"'
        for name, value in (*view.where, *conditions)
        if _ASKED_OF_SERVER.get(name) in own and '"' not in value
    ]
    if named is not None and '"' not in named:
        either = [f'field "{name}" = "{named}"' for name in NAMES if name in own]
        checked.append(f"({' or '.join(either)})")
    if checked:
        return f"{view.cls}.get_all_records_where", " and ".join(checked)
    return (f"{view.cls}.get_all_records",)


def load(call: Call, found: Iterable[Subject], fields: Sequence[XeField]) -> None:
    """Fetch the objects that fields of these need, all at once."""
    chosen = list(found)
    for _ in range(2):  # the second time for what the objects fetched first refer to in turn
        call.directory.load(
            pair for subject in chosen for field in fields for pair in field.source.refs(subject.record)
        )


def subject_by_uuid(call: Call, view: View, name: str = "uuid") -> Subject:
    """The object whose uuid a parameter gives."""
    ref = call.by_uuid(view.cls, name)
    record: dict[str, Any] = call.server.call(f"{view.cls}.get_record", ref)
    call.directory.learn(view.cls, {ref: record})
    return Subject(ref, record, call.directory, call.server)


def select(
    call: Call, kind: str, *ignored: str, templates: bool = False, control_domains: bool = False
) -> list[Subject]:
    """The VMs, hosts or SRs that the parameters name; `ignored` are parameters that say something else."""
    view = find_view(kind)
    assert view is not None, "VMs, hosts and SRs are shown"
    conditions = [("is-control-domain", "false")] if kind == "vm" and not control_domains else []
    if kind == "vm":
        view = replace(view, where=())
        conditions += [] if templates else [("is-a-template", "false")]
    named = call.params.find(kind)
    try:
        found = subjects(call, view, (*conditions, *call.params.without(kind, *ignored)), named)
    except Plain as plain:
        if str(plain).startswith("Unknown field"):
            name, word = str(plain).split("'")[1], _CLASS_WORDS[kind]
            raise Plain(
                f"Parameter '{name}' is not a field of the {word} class. Failed to select {word} for operation."
            ) from None
        raise
    return found if named is None else [one for one in found if named in [one.record.get(name) for name in NAMES]]


def each(
    call: Call,
    kind: str,
    work: Callable[[Subject], T],
    *ignored: str,
    several: bool = True,
    templates: bool = False,
    control_domains: bool = False,
) -> list[T]:
    """Do something with the object that the parameters name, or with `--multiple` with all of them.

    With several, every one is tried; SomeFailed tells which did not work.
    """
    found = select(call, kind, *ignored, templates=templates, control_domains=control_domains)
    word = _CLASS_WORDS[kind]
    plural = f"{word}s"
    if not found:
        raise Plain(f"No matching {plural} found")
    if len(found) == 1:
        return [work(found[0])]
    if not several:
        raise Plain(f"Multiple matching {plural} found. Operation can only be performed on one {word} at a time")
    if not call.params.flag("multiple"):
        raise Plain(f"Multiple matching {plural} found. --multiple required to complete the operation")
    return _every(work, found)


def _every(work: Callable[[Subject], T], found: Sequence[Subject]) -> list[T]:
    results: list[T] = []
    failed: list[tuple[str, XeFailure]] = []
    for subject in found:
        try:
            results.append(work(subject))
        except (Refused, Plain) as failure:
            failed.append((str(subject.record["uuid"]), failure))
    if failed:
        raise SomeFailed(failed)
    return results
