"""`cardume account …`: the accounts of people and programs that use the pool, kept on its host."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from cardume.core.passwords import hash_password
from cardume.daemons.accounts import AccountError, AccountFile
from cardume.daemons.config import ConfigError, load

app = typer.Typer(no_args_is_help=True, help="Accounts that may log in, once a role is given to them.")

Name = Annotated[str, typer.Argument(help="The account's name.")]
PasswordFile = Annotated[Path, typer.Option(help="A file whose first line is the password.", exists=True)]


@app.callback()
def account() -> None:
    """Accounts that may log in, once a role is given to them."""


@app.command("add")
def add(name: Name, password_file: PasswordFile) -> None:
    """Make an account. It has no rights until `xe subject-add` and `xe subject-role-add` give it a role."""
    kept = _kept(password_file)
    _do(_accounts().add(name, kept))
    typer.echo(f"{name} is made; xe subject-add subject-name={name} makes it a subject, to which roles are given.")


@app.command("password")
def password(name: Name, password_file: PasswordFile) -> None:
    """Give an account another password; its sessions go on."""
    kept = _kept(password_file)
    _do(_accounts().set_password(name, kept))


@app.command("remove")
def remove(name: Name) -> None:
    """Remove an account; its sessions end within a minute."""
    _do(_accounts().remove(name))


@app.command("list")
def list_() -> None:
    """Print every account's name and the identifier that its subject has."""
    accounts = _accounts()
    for name in accounts.names():
        typer.echo(f"{name:<32} {accounts.find_identifier(name) or '(every right)'}")


def _accounts() -> AccountFile:
    try:
        return AccountFile(load().passwords)
    except ConfigError as fault:
        raise _failed(str(fault)) from None


def _kept(file: Path) -> str:
    text = file.read_text().partition("\n")[0]
    if not text:
        raise _failed(f"the first line of {file} is empty: a password is wanted there")
    return hash_password(text)


def _do(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except AccountError as fault:
        raise _failed(str(fault)) from None


def _failed(sentence: str) -> typer.Exit:
    typer.echo(f"cardume account: {sentence}", err=True)
    return typer.Exit(1)
