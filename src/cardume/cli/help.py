"""`xe help`: usage, the lists of commands, and one command's parameters."""

import textwrap

from cardume.cli.command import Command, Params
from cardume.cli.commands import all_commands, common_commands, find_command
from cardume.cli.failures import Misused
from cardume.cli.output import Printer

USAGE = """\
Usage: xe COMMAND [-s SERVER] [-p PORT] [-u USER -pw PASSWORD | -pwf FILE] [key=value | --flag]...

    -s SERVER      server to speak to; without it, this host
    -p PORT        its port, if it is not 443
    -u USER        user, and
    -pw PASSWORD   password; shown in process listings, so better in a file:
    -pwf FILE      user on the first line, password on the second
    --ca-file=FILE check the server's certificate by these authorities' ones;
                   without it, it must be the one of the first use
    --no-verify    do not check the server's certificate
    --minimal      print values only, on one line, separated by commas

These may also stand in XE_EXTRA_ARGS (server=...,username=...,password=...) or, a line each, in ~/.xe.

For one command: xe help COMMAND
For all of them: xe help --all
"""

_SEVERAL = "more than one needs --multiple."
_SELECTORS = {
    "vm": " Which VMs is said by fields (uuid=, name-label=, power-state=, other-config:key=, ...)"
    f" or by vm=name or uuid; {_SEVERAL}",
    "host": f" Which hosts is said by fields (uuid=, name-label=, ...) or by host=name or uuid; {_SEVERAL}",
    "sr": f" Which SRs is said by fields (uuid=, name-label=, ...) or by sr=name or uuid; {_SEVERAL}",
}


def print_help(params: Params, printer: Printer) -> None:
    """Print usage, or what the named commands do."""
    names = [name for name, value in params.pairs if not value]
    for name in names:
        command = find_command(name)
        if command is None:
            raise Misused(f"Unknown command: {name}")
        printer.table([describe(command)])
    if not names:
        _print_lists(params.flag("all"), params.flag("minimal"), printer)


def describe(command: Command) -> list[tuple[str, str]]:
    """A command as a record: name, parameters, sentence."""
    selectors = [command.selects, f"<{command.selects}-selectors>"] if command.selects else []
    return [
        ("command name", command.name),
        ("required params", ", ".join(command.required)),
        ("optional params", ", ".join([*command.optional, *selectors])),
        ("description", command.doc + _SELECTORS.get(command.selects, "")),
    ]


def _print_lists(everything: bool, minimal: bool, printer: Printer) -> None:
    shown = all_commands() if everything else common_commands()
    names = [name for name, one in shown.items() if not one.hidden]
    if minimal:
        printer.lines(*names)
        return
    title = "All commands" if everything else "Common commands"
    printer.lines(USAGE, title, "-" * len(title))
    text = ", ".join(names)
    printer.lines(*textwrap.wrap(text, 78, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False))
