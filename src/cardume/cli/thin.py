"""A command of `xe` done at the server for a client of the thin CLI protocol, in a session that is open already.

Run by the daemon as `python -I -m cardume.cli.thin`, with the client on standard input. What the command prints, asks
and reads goes through the client. Of this machine it needs nothing but the API on the loopback, so it gives up its
rights before it does anything that a client has said.
"""

import importlib
import os
import pkgutil
import pwd
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cardume.cli.xe
from cardume.cli.arguments import SETTINGS, Invocation, Settings, read_words
from cardume.cli.command import Call, Command, Params
from cardume.cli.conversation import perform
from cardume.cli.directory import Directory
from cardume.cli.explain import explain
from cardume.cli.failures import Plain, XeFailure
from cardume.cli.output import Printer
from cardume.cli.server import Server, joined
from cardume.cli.terminal import Terminal
from cardume.cli.thin_client import Answers, ClientDesk, Gone, Lines, Wire
from cardume.cli.xe import obey
from cardume.datamodel.schema import schema
from cardume.datamodel.thin_cli import Exit, Job, Malformed, Print, PrintStderr

USER = "nobody"
MOST_MEMORY_BYTES = 1 << 30
OOM_SCORE = Path("/proc/self/oom_score_adj")
_NOT_FOR_CLIENTS = ("progress",)  # a bar needs a terminal
_ELSEWHERE = "is for Cardume's own xe"


def main() -> None:
    """Do the job that the daemon wrote, and end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the client is gone; work that goes on is cancelled
    _give_up_rights()
    wire = Wire(socket.socket(fileno=0))
    try:
        job = wire.read_job()
        wire.send(Exit(run(job, wire)))
    except (Gone, Malformed, KeyboardInterrupt):
        sys.exit(1)
    except Exception:
        wire.send(PrintStderr("Error: the command failed inside the server.\n"))
        wire.send(Exit(1))
        raise  # its traceback goes to the daemon's journal


def _give_up_rights() -> None:
    """Become nobody, who writes no file."""
    if not all(_is_open_to_all(Path(str(part.__file__))) for part in (os, cardume.cli.xe)):
        _load_everything()  # nobody could not, later
    with suppress(OSError):  # where that cannot be said, all processes are equal
        OOM_SCORE.write_text("1000")  # when memory lacks this goes first, and nothing that a host needs
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    for none in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(none, (0, 0))
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def _is_open_to_all(path: Path) -> bool:
    """True when everybody may read a file, and pass the folders above it."""
    return bool(path.stat().st_mode & stat.S_IROTH) and all(up.stat().st_mode & stat.S_IXOTH for up in path.parents)


def _load_everything() -> None:
    schema()
    for info in pkgutil.iter_modules(cardume.cli.__path__):
        importlib.import_module(f"cardume.cli.{info.name}")
    importlib.import_module("encodings.idna")


def run(job: Job, wire: Wire, connect: Callable[[int, str], Server] = joined) -> int:
    """Do a job; 0 when it was done, 1 when it failed and the client was told why."""
    # The client ends a printed line itself, and one of failures not.
    out = Lines(lambda text: wire.send(Print(text.removesuffix("\n"))))
    err = Lines(lambda text: wire.send(PrintStderr(text)))
    terminal = Terminal(Answers(wire), err, ClientDesk(wire))
    settings = Settings("127.0.0.1", job.port)

    def do(command: Command, params: Params, printer: Printer) -> int:
        _assert_for_clients(command, params)
        server = connect(job.port, job.session)
        return perform(command, Call(server, Directory(server), params, printer, terminal, settings))

    try:
        return obey(_invocation(job, settings), out, terminal, do)
    except XeFailure as failure:
        explain(failure, out, err)
        return 1
    finally:
        out.finish()
        err.finish()


def _invocation(job: Job, settings: Settings) -> Invocation:
    pairs, words = read_words(job.words)
    command, *others = words or ["help"]
    params = tuple(pair for pair in pairs if pair[0] not in (*SETTINGS, *_NOT_FOR_CLIENTS))
    return Invocation(command, (*params, *((word, "") for word in others)), settings)


def _assert_for_clients(command: Command, params: Params) -> None:
    """Refuse what is about the program itself or the host alone, and what would send a password to a stranger."""
    if command.local or command.on_host:
        raise Plain(f"The command {command.name} {_ELSEWHERE}.")
    if "remote-master" in params:  # whose certificate nobody here has seen before
        raise Plain(f"The parameter remote-master {_ELSEWHERE}.")


if __name__ == "__main__":
    main()
