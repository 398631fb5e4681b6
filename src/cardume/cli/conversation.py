"""One command in one session: log in, do it, print, log out; what failed is explained while the session still lasts."""

from collections.abc import Callable

from cardume.cli.arguments import Settings
from cardume.cli.command import Call, Command, Params
from cardume.cli.directory import Directory
from cardume.cli.explain import explain
from cardume.cli.failures import Misused, Refused, SomeFailed
from cardume.cli.output import Printer
from cardume.cli.server import Server, is_local
from cardume.cli.terminal import Terminal

Connect = Callable[[Settings], Server]
"""Opens a connection to the server that settings name."""


def converse(
    command: Command, settings: Settings, params: Params, printer: Printer, terminal: Terminal, connect: Connect
) -> int:
    """Do a command; 0 when it was done, 1 when it failed and the reason was printed."""
    server = connect(settings)
    call = Call(server, Directory(server), params, printer, terminal, settings)
    if command.local:
        command.run(call)
        return 0
    login(server, settings, on_host=command.on_host)
    try:
        return perform(command, call)
    finally:
        server.logout()


def perform(command: Command, call: Call) -> int:
    """Do a command in a session that is open; 0 when it was done, 1 when it failed and the reason was printed."""
    try:
        command.run(call)
        call.printer.close()
        return 0
    except (Refused, SomeFailed) as failure:
        explain(failure, call.printer.out, call.printer.err, call.directory)
        return 1


def login(server: Server, settings: Settings, *, on_host: bool = False) -> None:
    """Open the session that settings name; as root where this host's daemon is asked.

    on_host: with the host itself, which takes it also when it is a member of a pool.
    """
    log_in = server.login_on_host if on_host else server.login
    if is_local(server):
        log_in("root", "")
        return
    if not settings.username:
        raise Misused("Username/password must be specified")
    try:
        log_in(settings.username, settings.password)
    except Refused as refused:
        if refused.code == "SESSION_AUTHENTICATION_FAILED":
            raise Misused("Authentication failed") from None
        raise
