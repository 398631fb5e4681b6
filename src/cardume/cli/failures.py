"""What can go wrong in a command, each as an exception that knows what it says to a person."""

from collections.abc import Sequence


class XeFailure(Exception):
    """A command that did not do what it was asked to; the program says why and exits with 1."""


class Plain(XeFailure):
    """A failure that one sentence explains: `Error: …`."""


class Misused(XeFailure):
    """A command line that cannot be obeyed as it was typed; followed by a hint where to read about usage."""


class Refused(XeFailure):
    """An error that the pool answered: its code and parameters."""

    def __init__(self, description: Sequence[str]) -> None:
        super().__init__(*description)
        self.code = str(description[0]) if description else "INTERNAL_ERROR"
        self.params = tuple(str(param) for param in description[1:])


class Unreachable(XeFailure):
    """No conversation with the pool came about, for the reason given."""


class SomeFailed(XeFailure):
    """A command for many objects that failed for some: (uuid, failure) of each."""

    def __init__(self, failed: Sequence[tuple[str, XeFailure]]) -> None:
        super().__init__(f"{len(failed)} failed")
        self.failed = tuple(failed)


class Aborted(XeFailure):
    """The person at the terminal did not confirm; what there was to say has been said."""


def missing(name: str) -> Misused:
    """The refusal of a command line that lacks a parameter."""
    return Misused(f"Required parameter not found: {name}")
