"""Asking before something is lost."""

from cardume.cli.command import Call
from cardume.cli.failures import Aborted


def confirm(call: Call, warning: str) -> None:
    """Ask before something is lost, unless --force was given."""
    if call.params.flag("force"):
        return
    call.printer.always(warning, "Type 'yes' to continue")
    answer = call.terminal.read_line()
    if answer.lower() != "yes":
        call.printer.always(f"Aborted (you typed: '{answer}')")
        raise Aborted


def confirm_by_name(call: Call, warning: str, name: str) -> None:
    """The same, for what cannot be taken back: the name of what it is about has to be typed."""
    if call.params.flag("force"):
        return
    call.printer.always(warning, f"Type the name '{name}' to continue")
    answer = call.terminal.read_line()
    if answer != name:
        call.printer.always(f"Aborted (you typed: '{answer}')")
        raise Aborted
