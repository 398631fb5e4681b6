"""`xe`: XenServer's command line for this pool: reads what was typed, does it in a session, says what failed."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cardume.cli.arguments import Invocation, read_invocation
from cardume.cli.failures import Misused, XeFailure

if TYPE_CHECKING:
    from cardume.cli.command import Command, Params
    from cardume.cli.conversation import Connect
    from cardume.cli.output import Printer
    from cardume.cli.terminal import Terminal

    Do = Callable[[Command, Params, Printer], int]
    """Does a command; 0 when it was done, 1 when it failed and the reason was printed."""


def main() -> None:
    """Run the command that was typed, and exit with 0 or 1."""
    home = Path(os.environ.get("HOME", "/root"))
    sys.exit(run(sys.argv[1:], os.environ, home, sys.stdout, sys.stderr, sys.stdin))


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    home: Path,
    out: TextIO,
    err: TextIO,
    input_: TextIO,
    connect: "Connect | None" = None,
) -> int:
    """Do a command line; 0 when it was done, 1 when it failed and the reason was printed."""
    from cardume.cli.explain import explain

    try:
        invocation = read_invocation(arguments, environment, home)
        return _run(invocation, out, err, input_, connect)
    except XeFailure as failure:
        explain(failure, out, err)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing more can be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        err.write("Interrupted.\n")
    return 1


def _run(invocation: Invocation, out: TextIO, err: TextIO, input_: TextIO, connect: "Connect | None") -> int:
    from cardume.cli.terminal import Terminal

    terminal = Terminal(input_, err)

    def do(command: "Command", params: "Params", printer: "Printer") -> int:
        from cardume.cli import server
        from cardume.cli.conversation import converse

        return converse(command, invocation.settings, params, printer, terminal, connect or server.connect)

    return obey(invocation, out, terminal, do)


def obey(invocation: Invocation, out: TextIO, terminal: "Terminal", do: "Do") -> int:
    """Find the command and have it done; what `do` returns, and failures of the command line itself raised."""
    from cardume.cli.command import Params
    from cardume.cli.commands import find_command
    from cardume.cli.output import Printer

    params = Params(invocation.params, terminal.desk)
    printer = Printer(out, terminal.err, minimal=invocation.minimal)
    if invocation.command == "help":
        from cardume.cli.help import print_help

        print_help(params, printer)
        printer.close()
        return 0
    command = find_command(invocation.command)
    if command is None:
        raise Misused(f"Unknown command: {invocation.command}")
    params.assert_whole(command.required)
    return do(command, params, printer)


if __name__ == "__main__":
    main()
