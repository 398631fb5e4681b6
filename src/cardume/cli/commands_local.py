"""Commands that are about `xe` itself and need no server: completion for shells, and the list of known servers."""

from cardume.cli.command import Call, Commands

commands = Commands()


@commands.add("completion", "shell", local=True)
def completion(call: Call) -> None:
    """Print the script by which a shell completes xe's command lines: `source <(xe completion shell=bash)`."""
    from cardume.cli.completion_scripts import script

    call.printer.always(script(call.params.get("shell")))


@commands.add("complete", "line", hidden=True, local=True)
def complete(call: Call) -> None:
    """Print what the last word of a command line may become, a line each: what completion scripts ask for."""
    from cardume.cli.completion import complete as candidates

    call.printer.always(*candidates(call, call.params.get("line")))


@commands.add("server-forget", local=True)
def server_forget(call: Call) -> None:
    """Forget the certificate of the server that -s and -p name, so that its next one is believed."""
    from cardume.cli.failures import Plain
    from cardume.cli.server import server_name
    from cardume.cli.trust import forget

    name = server_name(call.settings.server or "127.0.0.1", call.settings.port)
    path = call.settings.trust.known_servers
    if path is None:
        raise Plain("No list of known servers is used with these settings")
    if not forget(path, name):
        raise Plain(f"No certificate of {name} is known")
