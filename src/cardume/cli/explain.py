"""What a failure says to a person: the sentence of its code, then its parameters, objects by uuid and name."""

from collections.abc import Iterator
from typing import TextIO

from cardume.cli.directory import Directory, is_reference
from cardume.cli.failures import Aborted, Misused, Plain, Refused, SomeFailed, Unreachable, XeFailure

HINTS = {
    "HOST_IS_SLAVE": "If the master is lost for good, say on this host: pool-emergency-transition-to-master",
}
"""The way out, where a command is one."""

USAGE_HINT = "For usage run: 'xe help'"


def explain(failure: XeFailure, out: TextIO, err: TextIO, directory: Directory | None = None) -> None:
    """Print what failed and why."""
    match failure:
        case Aborted():
            return
        case SomeFailed(failed=failed):
            for uuid, one in failed:
                out.write(f"operation failed on {uuid}: " + "\n".join(_lines(one, directory)) + "\n")
        case _:
            err.write("".join(f"{line}\n" for line in _lines(failure, directory)))


def _lines(failure: XeFailure, directory: Directory | None) -> Iterator[str]:
    match failure:
        case Misused():
            yield str(failure)
            yield USAGE_HINT
        case Plain():
            yield f"Error: {failure}"
        case Unreachable():
            yield f"Error: {failure}"
        case Refused():
            yield from _refusal(failure, directory)
        case _:
            yield str(failure)


def _refusal(refused: Refused, directory: Directory | None) -> Iterator[str]:
    from cardume.datamodel.errors import CODES

    code = CODES.get(refused.code)
    if code is None:
        yield f"Error code: {refused.code}"
        yield f"Error parameters: {', '.join(_named(param, '', directory) for param in refused.params)}"
        return
    yield code.doc
    names = list(code.params)
    if code.variadic and names:
        names += [names[-1]] * (len(refused.params) - len(names))
    for position, param in enumerate(refused.params):
        name = names[position] if position < len(names) else "<extra>"
        yield f"{name}: {_named(param, name, directory)}"
    if refused.code in HINTS:
        yield HINTS[refused.code]
    if not code.variadic:
        yield from (f"{name}: <unknown>" for name in names[len(refused.params) :])


# Names that parameters have, and the classes of the objects they refer to.
_CLASSES = ("VM", "host", "SR", "VDI", "VBD", "VIF", "PIF", "PBD", "network", "pool", "task", "session", "console")


def _named(param: str, name: str, directory: Directory | None) -> str:
    """A parameter; a reference as the uuid and name of its object, as far as they can be found."""
    if directory is None or not is_reference(param):
        return param
    record = directory.find_anywhere(param)
    hints = [cls for cls in _CLASSES if cls.lower() == name.lower()]
    for cls in hints if record is None else []:
        try:
            record = record or directory.find(cls, param)
        except XeFailure:
            break  # the explanation of a failure must not fail
    if record is None:
        return param
    label = record.get("name_label")
    return f"{record['uuid']} ({label})" if label else str(record["uuid"])
