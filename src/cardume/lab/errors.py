"""What can go wrong in the lab; each message is a sentence that a person can act on."""

from collections.abc import Sequence


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


class ProgramError(LabError):
    """A program failed; carries the command, its exit status and the end of its output."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)} ended with status {status}: {output.strip()[-2000:]}")
        self.command = tuple(command)
        self.status = status
        self.output = output
