"""The commands that every class has: `-list`, `-param-list`, `-param-get`, `-param-set`, `-param-add` and so on."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from cardume.cli.command import Call, Command
from cardume.cli.failures import Plain
from cardume.cli.fields import Shape, Subject, XeField
from cardume.cli.selection import load, part_of, subject_by_uuid, subjects, unknown_field
from cardume.cli.typed import typed
from cardume.cli.views import View, find_view, views
from cardume.datamodel.schema import xenclass_named
from cardume.datamodel.wiretypes import MapType, Prim, RefType


def generic_commands() -> Iterator[Command]:
    """The generated commands of every view."""
    for view in views().values():
        yield from _commands(view)


def list_commands() -> Iterator[Command]:
    """The first of the generated commands of each view, which lists; no class is looked at."""
    for view in views().values():
        yield next(_commands(view))


def find_generic(name: str) -> Command | None:
    """The generated command of this name, without looking at any other class."""
    verbs = [verb for verb in _VERBS if name.endswith(f"-{verb}")]
    view = find_view(name.removesuffix(f"-{verbs[0]}")) if verbs else None
    return next((command for command in _commands(view) if command.name == name), None) if view else None


_VERBS = ("param-list", "param-get", "param-set", "param-add", "param-remove", "param-clear", "list")  # longest first


def _commands(view: View) -> Iterator[Command]:
    many = view.many
    filters = ("params", "FIELD=", "MAP:key=", "SET:contains=")

    def made(
        verb: str, work: Callable[[View, Call], None], doc: str, *required: str, optional: tuple[str, ...] = ()
    ) -> Command:
        return Command(f"{view.prefix}-{verb}", partial(work, view), doc, required, optional, common=verb == "list")

    yield made("list", list_objects, f"List all {many}, or those whose fields have the given values.", optional=filters)
    yield made("param-list", param_list, f"Show all fields of one of the {many}.", "uuid")
    yield made(
        "param-get",
        param_get,
        f"Show one field of one of the {many}, or with param-key one value of a map.",
        "uuid",
        "param-name",
        optional=("param-key",),
    )
    writable = [one for one in view.fields.values() if one.writable]
    if not writable:
        return
    yield made(
        "param-set",
        param_set,
        f"Set fields of one of the {many}: FIELD=value, or MAP:key=value for one value of a map.",
        "uuid",
        optional=("FIELD=", "MAP:key="),
    )
    yield made("param-clear", param_clear, "Make a field empty.", "uuid", "param-name")
    if all(one.shape is Shape.ONE for one in writable):
        return
    yield made(
        "param-add",
        param_add,
        "Add to a set (param-key=member) or to a map (key=value).",
        "uuid",
        "param-name",
        optional=("param-key", "KEY="),
    )
    yield made(
        "param-remove", param_remove, "Remove a member of a set or a key of a map.", "uuid", "param-name", "param-key"
    )


def list_objects(view: View, call: Call) -> None:
    """Print the objects that satisfy the conditions."""
    found = subjects(call, view, call.params.without("params", "database"))
    chosen = chosen_fields(call, view, "params", view.defaults)
    if view.prefix == "role":
        # The permissions of which roles are made are records of the same class, and there are hundreds of them.
        found = [subject for subject in found if subject.record["subroles"]]
    print_objects(call, found, chosen)


def print_objects(call: Call, found: Sequence[Subject], chosen: Sequence[XeField]) -> None:
    """Print these fields of objects; what costs a call for each of them is left out."""
    load(call, found, [one for one in chosen if not one.expensive])
    call.printer.table(
        [
            [(one.title, "<expensive field>" if one.expensive else one.text(subject)) for one in chosen]
            for subject in found
        ]
    )


def chosen_fields(call: Call, view: View, parameter: str, defaults: Sequence[str]) -> list[XeField]:
    """The fields that `params=` asks for, in the order of the class."""
    asked = call.params.find(parameter)
    names = list(defaults) if asked is None else asked.split(",")
    if asked == "all" or not (asked is not None or names):
        return [one for one in view.fields.values() if not one.hidden]
    # XenServer leaves unknown names out without a word, and scripts count on that.
    return [one for name, one in view.fields.items() if name in names]


def param_list(view: View, call: Call) -> None:
    """Print all fields of one object."""
    subject = subject_by_uuid(call, view)
    shown = [one for one in view.fields.values() if not one.hidden]
    load(call, [subject], shown)
    call.printer.table([[(one.title, one.text(subject)) for one in shown]])


def param_get(view: View, call: Call) -> None:
    """Print one field of one object."""
    subject = subject_by_uuid(call, view)
    one = _field(view, call.params.get("param-name"))
    key = call.params.find("param-key")
    load(call, [subject], [one])
    if key is None or one.shape is not Shape.MAP:
        call.printer.lines(one.text(subject))
        return
    pairs = one.source.value(subject)
    if not isinstance(pairs, dict) or key not in pairs:
        raise Plain(f"Key {key} not found in map")
    call.printer.lines(pairs[key])


def param_set(view: View, call: Call) -> None:
    """Set fields of one object."""
    subject = subject_by_uuid(call, view)
    for name, value in call.params.without("uuid"):
        one = view.find(name)
        if one is not None:
            _set_field(call, view, subject, one, value)
        else:
            found, key = part_of(view, name)
            if found.shape is Shape.SET:
                raise Plain("Cannot param-set on set fields")
            _set_in_map(call, view, subject, found, key, value)


def _set_field(call: Call, view: View, subject: Subject, one: XeField, value: str) -> None:
    if one.own is None or not one.writable:
        raise Plain(f"Field '{one.name}' is read-only.")
    if one.shape is Shape.MAP or not _has(view, f"set_{one.own.name}"):
        raise Plain(f"Field '{one.name}' is a map or set. use the 'name:key=value' syntax.")
    call.server.call(f"{view.cls}.set_{one.own.name}", subject.ref, typed(call, one.name, value, one.own.type))


def _set_in_map(call: Call, view: View, subject: Subject, one: XeField, key: str, value: str) -> None:
    if one.own is None or not one.writable:
        raise Plain(f"Map field '{one.name}' is read-only.")
    own = one.own
    assert isinstance(own.type, MapType), "only maps have this shape"
    parsed = typed(call, key, value, own.type.value)
    if key in (subject.record.get(own.name) or {}):
        call.server.call(f"{view.cls}.remove_from_{own.name}", subject.ref, key)
    call.server.call(f"{view.cls}.add_to_{own.name}", subject.ref, key, parsed)


def param_add(view: View, call: Call) -> None:
    """Add to a set or map of one object."""
    subject = subject_by_uuid(call, view)
    one = _field(view, call.params.get("param-name"))
    if one.shape is Shape.ONE:
        raise Plain("Can only add to parameters of type Set or Map")
    if one.own is None or not one.writable:
        raise Plain("Parameter is read-only")
    if one.shape is Shape.SET:
        key = call.params.find("param-key")
        if key is None:
            raise Plain("When adding a key to a set, use the syntax: *-param-add param-name=<name> param-key=<key>")
        call.server.call(f"{view.cls}.add_{one.own.name}", subject.ref, key)
        return
    for name, value in call.params.without("uuid", "param-name", "param-key"):
        call.server.call(f"{view.cls}.add_to_{one.own.name}", subject.ref, name, value)


def param_remove(view: View, call: Call) -> None:
    """Remove from a set or map of one object."""
    subject = subject_by_uuid(call, view)
    one = _field(view, call.params.get("param-name"))
    key = call.params.get("param-key")
    if one.shape is Shape.ONE:
        raise Plain("Can only remove from parameters of type Set or Map")
    if one.own is None or not one.writable:
        raise Plain("Cannot remove parameters from read-only map")
    held = subject.record.get(one.own.name) or ()
    if key not in held:
        raise Plain(f"Key {key} is not in the set" if one.shape is Shape.SET else f"Key {key} is not in map")
    verb = "remove" if one.shape is Shape.SET else "remove_from"
    call.server.call(f"{view.cls}.{verb}_{one.own.name}", subject.ref, key)


def param_clear(view: View, call: Call) -> None:
    """Make a field of one object empty."""
    subject = subject_by_uuid(call, view)
    one = _field(view, call.params.get("param-name"))
    if one.own is None or not one.writable:
        raise Plain("Can only clear RW parameters")
    held = subject.record.get(one.own.name) or ()
    if one.shape is Shape.ONE:
        if not isinstance(one.own.type, RefType) and one.own.type is not Prim.STRING:
            raise Plain("Cannot clear this parameter")
        call.server.call(f"{view.cls}.set_{one.own.name}", subject.ref, typed(call, one.name, "", one.own.type))
    else:
        verb = "remove" if one.shape is Shape.SET else "remove_from"
        for key in held:
            call.server.call(f"{view.cls}.{verb}_{one.own.name}", subject.ref, key)


def _field(view: View, name: str) -> XeField:
    one = view.find(name)
    if one is None:
        raise unknown_field(name)
    return one


def _has(view: View, message: str) -> bool:
    return message in xenclass_named(view.cls).messages
