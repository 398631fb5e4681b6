"""Where the person is who asks: their files, and the keys and the screen that a guest's serial line is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cardume.cli.failures import Plain

if TYPE_CHECKING:
    from cardume.cli.command import Call


class Desk(Protocol):
    """What a command may do where the person is; `xe` runs there, or at a server for a client that is there."""

    def read_text(self, filename: str) -> str:
        """What a file holds; Plain when it cannot be read."""
        ...

    def download(self, call: "Call", path: str, query: Mapping[str, str], filename: str, *, mode: int = 0o666) -> None:
        """Write what an HTTP handler sends to a new file; without success there is no file.

        mode: who may read it, if the person's umask does not forbid more.
        """
        ...

    def upload(self, call: "Call", path: str, query: Mapping[str, str], filename: str) -> str:
        """Send a file to an HTTP handler; the result of its task, as XML."""
        ...

    def connect(self, call: "Call", path: str, query: Mapping[str, str]) -> None:
        """Give an HTTP handler that takes bytes both ways the keys and the screen, until it or the person ends."""
        ...


class ThisMachine:
    """The desk at which the program itself runs."""

    def read_text(self, filename: str) -> str:
        try:
            return Path(filename).read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Plain(f"The file {filename} cannot be read: {reason}.") from None

    def download(self, call: "Call", path: str, query: Mapping[str, str], filename: str, *, mode: int = 0o666) -> None:
        from cardume.cli.transfer import download

        download(call, path, query, filename, mode=mode)

    def upload(self, call: "Call", path: str, query: Mapping[str, str], filename: str) -> str:
        from cardume.cli.transfer import upload

        return upload(call, path, query, filename)

    def connect(self, call: "Call", path: str, query: Mapping[str, str]) -> None:
        from cardume.cli.line import show

        show(call, path, query)
