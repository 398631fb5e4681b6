"""Commands that send one message and nothing more: the table says which, and what it is given.

The words of a row stand for the message's parameters in their order:

| word | what the parameter is given |
|---|---|
| `NAME` | the parameter of this name, read as its type: references by uuid, sets with commas between |
| `NAME?` | likewise, or the message's own default |
| `NAME=text` | likewise, or this text |
| `NAME:` | the pairs `NAME:key=value` |
| `*NAME` | a secret: `NAME=`, or the file that `NAME-file=` names, which process listings do not show |
| `<NAME` | the text of the file that `NAME=` names |
| `@vm`, `@host`, `@sr` | each of the objects that the other parameters select |
| `@pool` | the pool |
| `-` | its default |

Of a constructor, which is given one record, the words are the record's fields; `NAME>FIELD` where the names differ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from cardume.cli.command import Call, Command
from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.schema import Message, Param, XenClass, xenclass_named
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import Prim, RefType, WireType, zero

SELECTABLE = ("vm", "host", "sr")


@dataclass(frozen=True, slots=True)
class Direct:
    """A command and the message that it sends."""

    name: str
    message: str
    words: str
    doc: str
    long: bool = False  # work that takes a while: done as a task, with progress, ended by Ctrl-C
    on_host: bool = False  # asks the very host, which need not be its pool's master

    def command(self) -> Command:
        """The command as declared."""
        words = [_Word.read(word) for word in self.words.split()]
        required = tuple(word.name for word in words if word.required)
        optional = [shown for word in words for shown in word.optional]
        selects = next((word.name for word in words if word.kind == "@" and word.name in SELECTABLE), "")
        progress = ("progress",) if self.long else ()
        return Command(self.name, self._run, self.doc, required, (*optional, *progress), selects, on_host=self.on_host)

    def _run(self, call: Call) -> None:
        cls, _, name = self.message.partition(".")
        message = xenclass_named(cls).messages[name]
        words = [_Word.read(word) for word in self.words.split()]
        if message.kind.value == "create":
            _send(call, message, [_record(call, xenclass_named(cls), words)], self.long)
            return
        assert len(words) == len(message.params), f"{self.name}: one word for each parameter of {self.message}"
        kind = next((word.name for word in words if word.kind == "@" and word.name in SELECTABLE), None)
        if kind is None:
            _send(call, message, list(_values(call, words, message)), self.long)
            return
        from cardume.cli.selection import each

        given = [word.name for word in words if word.kind != "@"]
        control = kind == "vm"
        values = list(_values(call, words, message))
        place = next(number for number, word in enumerate(words) if word.kind == "@" and word.name == kind)

        def send(ref: str) -> None:
            _send(call, message, [*values[:place], ref, *values[place + 1 :]], self.long)

        each(call, kind, lambda subject: send(subject.ref), *given, control_domains=control, templates=control)


@dataclass(frozen=True, slots=True)
class _Word:
    """One word of a row, taken apart."""

    name: str
    kind: str = ""  # one of `@*<:-`, or nothing
    default: str | None = None
    may_miss: bool = False
    field: str = ""

    @staticmethod
    def read(word: str) -> "_Word":
        """The word as it was meant."""
        kind = word[0] if word[0] in "@*<-" else ""
        name, equals, default = word.removeprefix(kind).partition("=")
        name, _, field = name.partition(">")
        if field.endswith("?"):
            name, field = f"{name}?", field.removesuffix("?")
        if name.endswith(":"):
            kind, name = ":", name.removesuffix(":")
        return _Word(name.removesuffix("?"), kind, default if equals else None, name.endswith("?"), field)

    @property
    def required(self) -> bool:
        return self.kind in ("", "<") and self.default is None and not self.may_miss

    @property
    def optional(self) -> tuple[str, ...]:
        match self.kind:
            case ":":
                return (f"{self.name}:",)
            case "*":
                return (self.name, f"{self.name}-file")
            case "" | "<" if not self.required:
                return (self.name,)
            case _:
                return ()


def _values(call: Call, words: list[_Word], message: Message) -> Iterator[Any]:
    for word, param in zip(words, message.params, strict=True):
        yield _value(call, word, param.type, partial(_default, param))


def _value(call: Call, word: _Word, of: WireType, default: Callable[[], Any]) -> Any:
    from cardume.cli.typed import typed

    match word.kind:
        case ":":
            return call.params.map_of(word.name)
        case "*":
            return call.params.secret(word.name)
        case "@" if word.name == "pool":
            (pool,) = call.server.call("pool.get_all")
            return pool
        case "@" | "-":
            return default()
    text = call.params.find(word.name)
    if text is None:
        text = word.default
    if text is None:
        return default()
    return call.desk.read_text(text) if word.kind == "<" else typed(call, word.name, text, of)


def _default(param: Param) -> Any:
    return to_plain(zero(param.type) if param.default is REQUIRED else param.default, param.type)


def _record(call: Call, cls: XenClass, words: list[_Word]) -> dict[str, Any]:
    from cardume.cli.fresh import fresh

    blank, said = fresh(cls.name), {}
    by_name = {name.lower().replace("_", "-"): name for name in cls.fields}
    for word in words:
        plain = word.name.lower()
        field = word.field or by_name.get(plain) or by_name[plain.removesuffix("-uuid")]
        said[field] = _value(call, word, cls.fields[field].type, partial(blank.__getitem__, field))
    return {**blank, **said}


def _send(call: Call, message: Message, values: list[Any], long: bool) -> None:
    from cardume.cli.typed import print_answer
    from cardume.cli.work import work

    if not long:
        print_answer(call, call.server.call(message.full_name, *values), message.result)
        return
    assert message.has_async, f"{message.full_name} has no form as a task"
    result = work(call, message.full_name, *values)
    if isinstance(message.result, RefType) or message.result is Prim.STRING:
        print_answer(call, result, message.result)
