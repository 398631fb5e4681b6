"""Why a server did not do what it was asked."""

from collections.abc import Sequence


class Refused(Exception):
    """The server answered with a XenAPI error: its code and the code's parameters."""

    def __init__(self, details: Sequence[str]) -> None:
        super().__init__(": ".join(str(detail) for detail in details))
        self.details = tuple(str(detail) for detail in details)

    @property
    def code(self) -> str:
        return self.details[0]

    @property
    def master(self) -> str:
        """The master's address in the answer of a member; empty when it names none."""
        return self.details[1] if self.code == "HOST_IS_SLAVE" and len(self.details) > 1 else ""


class Unreachable(Exception):
    """The server did not answer, or not as XenAPI does."""


class UntrustedKey(Exception):
    """The server proves a key that nobody has accepted: nothing was sent to it.

    `known` is the key that was accepted before, if there was one.
    """

    def __init__(self, address: str, shown: str, known: str | None) -> None:
        super().__init__(f"{address} shows the key {shown}")
        self.address, self.shown, self.known = address, shown, known
