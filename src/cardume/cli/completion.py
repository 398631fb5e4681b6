"""What the last word of a command line may become: commands, names of parameters, values known here or to the pool."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cardume.cli.arguments import read_words
from cardume.cli.command import STANDARD, Call, Command
from cardume.cli.commands import all_commands, find_command
from cardume.cli.failures import XeFailure
from cardume.cli.fields import Shape, XeField
from cardume.cli.server import Server, connect
from cardume.cli.views import View, views
from cardume.datamodel.schema import xenclass_named
from cardume.datamodel.wiretypes import EnumType, MapType, Prim, SetType

TIMEOUT_S = 2.0  # a person waits; a server that is slow or gone completes nothing
_FLAGS = ("--minimal", "--force", "--multiple", "--progress", "--no-verify", "--ca-file=")
_HOSTS = ("on", "host")
_MANY = ("params", "vbd-params", "vdi-params")


def complete(call: Call, line: str) -> list[str]:
    """The words that the line's last word, finished or not, may become; those of parameters end with `=` or `:`."""
    *words, current = _split(line)[1:] or [""]
    try:
        pairs, bare = read_words(words)
    except XeFailure:
        return []  # the last word is the value of a switch such as -s
    given = [name for name, _ in pairs]
    name = bare[0] if bare else ""
    if not name or name == "help":
        found: Iterable[str] = _FLAGS if current.startswith("-") else all_commands()
    else:
        command = find_command(name)
        found = () if command is None else _of_command(call, command, dict(pairs), given, current)
    return [word for word in found if word.startswith(current)]


def _split(line: str) -> list[str]:
    """The words of a line that may end inside of quotes; the last one is empty after a blank."""
    for closing in ("", '"', "'"):
        try:
            # A mark at the end keeps an empty last word, and is taken off again.
            words = shlex.split(f"{line.removesuffix(chr(92))}.{closing}")
            return [*words[:-1], words[-1].removesuffix(".")]
        except ValueError:
            continue
    return [""]


def _of_command(call: Call, command: Command, pairs: dict[str, str], given: list[str], current: str) -> Iterator[str]:
    name, equals, typed = current.partition("=")
    view = _view_of(command.name)
    if not equals:
        if current.startswith("-"):
            yield from _FLAGS
        else:
            yield from (word for word in _names(command, view, pairs) if word.rstrip("=") not in given)
    elif name in _MANY:
        yield from _several(views().get(name.removesuffix("-params"), view), name, typed)
    else:
        yield from (f"{name}={value}" for value in _values(call, command, view, name))


def _view_of(command: str) -> View | None:
    """The class that a command is about: that of the longest prefix."""
    fits = [view for prefix, view in views().items() if command.startswith(f"{prefix}-")]
    return max(fits, key=lambda view: len(view.prefix), default=None)


def _names(command: Command, view: View | None, pairs: dict[str, str]) -> Iterator[str]:
    fields = list(view.fields.values()) if view is not None else []
    wanted = [one for one in fields if one.writable or not command.name.endswith("-param-set")]
    for name in (*command.required, *command.optional):
        match name:
            case "FIELD=" if command.name == "event-wait":
                other = views().get(pairs.get("class", ""))
                yield from (f"{one.name}=" for one in (other.fields.values() if other else ()))
            case "FIELD=":
                yield from (f"{one.name}=" for one in wanted if one.shape is Shape.ONE or "-list" in command.name)
            case "MAP:key=":
                yield from (f"{one.name}:" for one in wanted if one.shape is Shape.MAP)
            case "SET:contains=":
                yield from (f"{one.name}:contains=" for one in wanted if one.shape is Shape.SET)
            case "KEY=":
                pass  # the key of a map is the person's to choose
            case _ if name in STANDARD:
                yield f"--{name}"
            case _:
                yield name if name.endswith(":") else f"{name}="
    if command.selects:
        yield from (f"{command.selects}=", "uuid=", "name-label=", "--multiple")


def _several(view: View | None, name: str, typed: str) -> Iterator[str]:
    before, _, last = typed.rpartition(",")
    stem = f"{name}={before}," if before else f"{name}="
    for field in (*(view.fields if view is not None else ()), *(() if before else ("all",))):
        if field.startswith(last) and field not in before.split(","):
            yield stem + field


def _values(call: Call, command: Command, view: View | None, name: str) -> Iterator[str]:
    if name == "param-name" and view is not None:
        yield from (one.name for one in view.fields.values() if _takes(command.name, one))
    elif name == "class" and command.name == "event-wait":
        yield from views()
    elif name == "shell":
        yield from ("bash", "zsh", "fish")
    elif name in STANDARD:
        yield from ("true", "false")
    elif (kind := _kind_of(command, view, name)) is not None:
        yield from _asked(call, *kind)
    elif view is not None and (field := view.find(name)) is not None:
        yield from _closed(field)


def _takes(command: str, field: XeField) -> bool:
    if command.endswith(("-param-add", "-param-remove")):
        return field.writable and field.shape is not Shape.ONE
    return field.writable or not command.endswith("-param-clear")


def _closed(field: XeField) -> Iterator[str]:
    """The values of a field that has few."""
    match field.own.type if field.own is not None else None:
        case Prim.BOOL:
            yield from ("true", "false")
        case EnumType(python=python) | SetType(EnumType(python=python)) | MapType(_, EnumType(python=python)):
            yield from (str(member) for member in python)


def _kind_of(command: Command, view: View | None, name: str) -> tuple[View, str] | None:
    """Whose objects a parameter names, and by which field; None when it names none."""
    known = views()
    if name == "uuid":
        return None if view is None else (view, "uuid")
    if name in _HOSTS:
        return known["host"], "name_label"
    if name in ("name-label", "template-name-label", "sr-name-label"):
        prefix = name.removesuffix("name-label").rstrip("-")
        named = known.get(prefix) if prefix else view
        return None if named is None or "name_label" not in xenclass_named(named.cls).fields else (named, "name_label")
    if name.endswith(("-uuid", "-uuids")):
        stem = name.removesuffix("s").removesuffix("-uuid")
        # `heartbeat-sr-uuids` and `pvs-site-uuid` end with the class that they name.
        fits = [prefix for prefix in known if stem == prefix or stem.endswith(f"-{prefix}")]
        return (known[max(fits, key=len)], "uuid") if fits else None
    if name in (command.selects, "template", "vm", "sr") and name in known:
        return known[name], "name_label"
    return None


def _asked(call: Call, view: View, field: str) -> list[str]:
    """What the pool says; nothing when it cannot be asked, for whoever presses a key wants no error."""
    try:
        with _Session(call) as server:
            records = server.call(f"{view.cls}.get_all_records")
    except XeFailure:
        return []
    named = xenclass_named(view.cls).fields
    where = [(name.replace("-", "_"), value == "true") for name, value in view.where]
    fits = [record for record in records.values() if all(record.get(name) is value for name, value in where)]
    return sorted({str(record[field]) for record in fits if record[field]}) if field in named else []


class _Session:
    """A session of a moment, by what the line or the environment says; never asks anybody for a password."""

    def __init__(self, call: Call) -> None:
        line, _ = read_words(_split(call.params.get("line"))[1:-1])
        said = dict(line)
        own = call.settings
        port = int(said["port"]) if said.get("port", "").isdecimal() else own.port
        self._settings = replace(
            own,
            server=said.get("server", own.server),
            port=port,
            username=said.get("username", own.username),
            password=said.get("password", own.password),
        )
        self._server = call.server if self._settings == own else connect(self._settings)

    def __enter__(self) -> Server:
        from cardume.cli.conversation import login

        self._server.hurry(TIMEOUT_S)
        login(self._server, self._settings)
        return self._server

    def __exit__(self, *failure: object) -> None:
        self._server.logout()
