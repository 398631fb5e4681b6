"""What a command is: a declaration (name, parameters, sentence), the function that does it, and what that is given."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cardume.cli.arguments import Pairs, Settings
from cardume.cli.desk import Desk, ThisMachine
from cardume.cli.directory import NO_OBJECT, Directory
from cardume.cli.failures import Plain, missing
from cardume.cli.output import Printer
from cardume.cli.server import Server
from cardume.cli.terminal import Terminal

STANDARD = ("minimal", "force", "multiple", "all", "progress", "message-priority", "trace", "live")
"""Parameters that say how a command works, and never which objects it works on."""

_UNITS = {"": 0, "b": 0, "bytes": 0, "k": 1, "kb": 1, "kib": 1, "m": 2, "mb": 2, "mib": 2, "g": 3, "gb": 3, "gib": 3}
_UNITS |= {"t": 4, "tb": 4, "tib": 4}
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True)
class Params:
    """A command's parameters as they were typed; the first of a name counts."""

    pairs: Pairs
    desk: Desk = field(default_factory=ThisMachine)  # where the files are that they name

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def find(self, name: str) -> str | None:
        """The value of a parameter; None when it was not given."""
        return next((value for key, value in self.pairs if key == name), None)

    def get(self, name: str, default: str | None = None) -> str:
        """The value of a parameter; without a default, its absence is a failure."""
        value = self.find(name)
        if value is None:
            if default is None:
                raise missing(name)
            return default
        return value

    def uuid(self, name: str) -> str:
        """The uuid, or uuids, of a parameter; one that names no object, as an empty text, is a failure."""
        value = self.get(name)
        if value in NO_OBJECT:
            raise Plain(f"Failed to parse parameter '{name}': expecting a uuid")
        return value

    def assert_whole(self, required: Iterable[str]) -> None:
        """Refuse parameters that lack one of these, or in which one that is a uuid names no object."""
        for name in required:
            if name.endswith(("uuid", "uuids")):
                self.uuid(name)
            else:
                self.get(name)

    def flag(self, name: str, default: bool = False) -> bool:
        """The value of a yes or no."""
        value = self.find(name)
        return default if value is None else parse_bool(value, name)

    def size(self, name: str) -> int:
        """A number of bytes, as `10GiB` or in plain digits."""
        return parse_size(self.get(name), name)

    def integer(self, name: str, default: str | None = None) -> int:
        """A whole number."""
        return parse_integer(self.get(name, default), name)

    def secret(self, name: str) -> str:
        """A secret: given as `NAME=`, or in the file that `NAME-file=` names, which process listings do not show."""
        path = self.find(f"{name}-file")
        if path is None:
            return self.get(name)
        if name in self:
            raise Plain(f"Parameters {name} and {name}-file cannot be used together")
        return self.desk.read_text(path).removesuffix("\n").removesuffix("\r")

    def words(self, name: str) -> list[str]:
        """The parts of a comma-separated parameter."""
        return [word for word in self.get(name, "").split(",") if word]

    def map_of(self, name: str) -> dict[str, str]:
        """The pairs given as `name:key=value`, or `name-key=value` as in older days."""
        length = len(name) + 1
        return {
            key[length:]: value
            for key, value in self.pairs
            if len(key) > length and key.startswith((f"{name}:", f"{name}-"))
        }

    def without(self, *names: str) -> Pairs:
        """The parameters that are neither standard nor of these names (nor pairs of these maps)."""
        kept = (*STANDARD, *names)
        return tuple((key, value) for key, value in self.pairs if key.partition(":")[0] not in kept)


@dataclass(frozen=True, slots=True)
class Call:
    """A command that runs: whom to ask, what was asked for, where to print."""

    server: Server
    directory: Directory
    params: Params
    printer: Printer
    terminal: Terminal
    settings: Settings = field(default_factory=Settings)

    @property
    def desk(self) -> Desk:
        """Where files are read and written."""
        return self.terminal.desk

    def get(self, method: str, *params: object) -> str:
        """The answer of a message that answers with a text or a reference."""
        return str(self.server.call(method, *params))

    def by_uuid(self, cls: str, name: str = "uuid") -> str:
        """The reference of the object whose uuid a parameter gives."""
        return self.get(f"{cls}.get_by_uuid", self.params.uuid(name))

    def print_uuid(self, cls: str, ref: str) -> None:
        """Print the uuid of an object that was made."""
        self.printer.lines(self.get(f"{cls}.get_uuid", ref))


Run = Callable[[Call], None]


@dataclass(frozen=True, slots=True)
class Command:
    """A declared command."""

    name: str
    run: Run
    doc: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    selects: str = ""  # `vm`, `host` or `sr`: takes any of its fields to say which objects
    common: bool = False  # in the short list of `xe help`
    hidden: bool = False  # in no list
    local: bool = False  # needs no session on a server
    on_host: bool = False  # asks the very host, which need not be its pool's master


@dataclass(slots=True)
class Commands:
    """The commands of one theme, filled by decorating functions."""

    declared: list[Command] = field(default_factory=list)

    def add(
        self,
        name: str,
        *required: str,
        optional: tuple[str, ...] = (),
        selects: str = "",
        common: bool = False,
        hidden: bool = False,
        local: bool = False,
        on_host: bool = False,
    ) -> Callable[[Run], Run]:
        """Declare the command that a function does; its docstring is the command's sentence."""

        def declare(run: Run) -> Run:
            doc = " ".join((run.__doc__ or "").split())
            self.declared.append(Command(name, run, doc, required, optional, selects, common, hidden, local, on_host))
            return run

        return declare

    def __iter__(self) -> Iterator[Command]:
        return iter(self.declared)


def parse_size(text: str, name: str) -> int:
    """Bytes from a number that may end in a unit: KiB, MiB, GiB, TiB, each a power of 1024."""
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    unit = text.strip()[len(digits) :].strip().lower()
    if not digits.isdecimal() or unit not in _UNITS:
        raise Plain(
            f"Failed to parse parameter '{name}': expecting an integer (possibly with suffix KiB, MiB, GiB or TiB)"
        )
    return int(digits) << 10 * _UNITS[unit]


def parse_bool(text: str, name: str) -> bool:
    """A yes or no in any of its spellings."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Plain(f"Failed to parse parameter '{name}': expecting a boolean (true or false)")


def parse_integer(text: str, name: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise Plain(f"Failed to parse parameter '{name}': expecting an integer") from None
