"""`cardume host …`: setting a host up, from its own command line."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cardume.daemons.config import ConfigError
from cardume.daemons.host_setup import SetupError, Wishes, setup
from cardume.hostops.errors import HostError

app = typer.Typer(no_args_is_help=True, help="This machine as a host.")


@app.callback()
def host() -> None:
    """This machine as a host."""


@app.command("setup")
def setup_command(
    name_label: Annotated[
        str, typer.Option(help="The host's name in the pool; the system's host name by default.")
    ] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="A file whose first line is the API password of root.", exists=True)
    ] = None,
    management_interface: Annotated[
        str, typer.Option(help="The network card of the host's own address; that of the default route by default.")
    ] = "",
) -> None:
    """Make this machine a host: bridges, certificate, libvirt, the daemon. Doing it again changes nothing."""
    password = password_file.read_text().partition("\n")[0] if password_file else ""
    wishes = Wishes(name_label, password, management_interface)
    try:
        config = asyncio.run(setup(wishes, lambda step: typer.echo(f"  {step}")))
    except (SetupError, HostError, ConfigError) as fault:
        typer.echo(f"cardume host setup: {fault}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{config.name_label} is ready: https://{config.name_label}/ (user root)")
