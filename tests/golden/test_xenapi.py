"""The whole declared API in one text, so that a change of it is seen as a change of `xenapi.txt`."""

import json
from collections.abc import Callable, Iterator

from cardume.datamodel.declare import REQUIRED
from cardume.datamodel.schema import Field, Message, Param, XenClass, schema
from cardume.datamodel.values import to_plain


def listing() -> Iterator[str]:
    """The API's fields and messages, one a line, class by class."""
    yield "Messages with Async.* forms are marked *, those without a session first are marked !, fields kept in"
    yield "memory only are marked ~, sets kept by the database are followed by the field that names the object."
    for cls in schema().classes.values():
        yield from ("", _heading(cls))
        yield from (_field_line(cls, field) for field in sorted(cls.fields.values(), key=lambda field: field.name))
        yield from (_message_line(message) for message in cls.messages.values())


def _heading(cls: XenClass) -> str:
    traits = {
        "internal": cls.internal,
        "events": cls.events,
        "stored": cls.stored,
        "in memory": cls.volatile,
        "constructor": cls.constructor,
    }
    return f"== {cls.name}: " + ", ".join(trait for trait, has in traits.items() if has)


def _field_line(cls: XenClass, field: Field) -> str:
    text = f"{'~' if field.volatile else ' '} {cls.name}.{field.name}: {field.qualifier.value} {field.type}"
    if field.backref is not None:
        return f"{text} by {'.'.join(field.backref)}"
    return text + _default(field)


def _message_line(message: Message) -> str:
    mark = "*" if message.has_async else " " if message.session else "!"
    params = ", ".join(f"{param.name}: {param.type}{_default(param)}" for param in message.params)
    role = message.role.wire_name + ("+cert" if message.client_cert else "")
    keys = "".join(f", {key}: {least.wire_name}" for key, least in message.key_roles.items())
    return f"{mark} {message.full_name}({params}) -> {message.result}  [{role}{keys}]"


def _default(of: Field | Param) -> str:
    return "" if of.default is REQUIRED else f" = {json.dumps(to_plain(of.default, of.type))}"


def test_the_declared_api_is_the_expected_one(assert_golden: Callable[[str, str], None]) -> None:
    assert_golden("xenapi.txt", "\n".join(listing()) + "\n")
