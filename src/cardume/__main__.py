"""`cardume`: the project's own command."""

import typer

from cardume.console.command import console
from cardume.daemons.account_commands import app as account
from cardume.daemons.commands import app as host
from cardume.lab.commands import app as lab

app = typer.Typer(name="cardume", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(account, name="account")
app.add_typer(host, name="host")
app.add_typer(lab, name="lab")
app.command()(console)


@app.callback()
def cardume() -> None:
    """A pool of ordinary Linux hosts that works as a XenServer pool does."""


def main() -> None:
    """Run the command that was typed."""
    app()


if __name__ == "__main__":
    main()
