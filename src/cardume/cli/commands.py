"""Every command of `xe` by its name: those written for a purpose, and those generated from the datamodel."""

import importlib
from collections.abc import Iterator

from cardume.cli.command import Command, Commands

THEMES = (
    "commands_power",
    "commands_vm",
    "commands_vm_disks",
    "commands_snapshots",
    "commands_storage",
    "commands_network",
    "commands_host",
    "commands_pool",
)


def _written() -> Iterator[Command]:
    for theme in THEMES:
        themed: Commands = importlib.import_module(f"cardume.cli.{theme}").commands
        yield from themed


def all_commands() -> dict[str, Command]:
    """Every command, sorted by name."""
    from cardume.cli.generic import generic_commands

    named = {command.name: command for command in (*generic_commands(), *_written())}
    return dict(sorted(named.items()))


def find_command(name: str) -> Command | None:
    """The command of this name; None when there is none."""
    from cardume.cli.generic import find_generic

    # The generated ones first: looking for them costs little, and lists are what scripts ask for most.
    return find_generic(name) or next((command for command in _written() if command.name == name), None)
