"""Every command of `xe` by its name: those written for a purpose, and those generated from the datamodel."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cardume.cli.command import Command, Commands

if TYPE_CHECKING:
    from cardume.cli.direct import Direct

THEMES = (
    "commands_local",
    "commands_power",
    "commands_vm",
    "commands_vm_disks",
    "commands_snapshots",
    "commands_storage",
    "commands_network",
    "commands_host",
    "commands_pool",
    "commands_emergency",
    "commands_ha",
    "commands_diagnostics",
    "commands_migration",
    "commands_backup",
    "commands_blobs",
    "commands_transfer",
    "commands_console",
)
TABLES = ("direct_networks", "direct_hosts", "direct_pool", "direct_vms", "direct_devices")
"""Modules of commands that send one message each."""


def _written() -> Iterator[Command]:
    for theme in THEMES:
        themed: Commands = importlib.import_module(f"cardume.cli.{theme}").commands
        yield from themed


def _direct() -> "Iterator[Direct]":
    for table in TABLES:
        rows: tuple[Direct, ...] = importlib.import_module(f"cardume.cli.{table}").ROWS
        yield from rows


def all_commands() -> dict[str, Command]:
    """Every command, sorted by name."""
    return {command.name: command for command in sorted(every_command(), key=lambda command: command.name)}


def every_command() -> Iterator[Command]:
    """Every command: those generated of a class's fields, those of one message each, those written by hand."""
    from cardume.cli.generic import generic_commands

    yield from generic_commands()
    yield from (row.command() for row in _direct())
    yield from _written()


def common_commands() -> dict[str, Command]:
    """The commands that most people need, sorted by name; found faster than all of them."""
    from cardume.cli.generic import list_commands

    named = {command.name: command for command in (*list_commands(), *_written()) if command.common}
    return dict(sorted(named.items()))


def find_command(name: str) -> Command | None:
    """The command of this name; None when there is none."""
    from cardume.cli.generic import find_generic

    # The generated ones first: looking for them costs little, and lists are what scripts ask for most.
    found = find_generic(name) or next((command for command in _written() if command.name == name), None)
    return found or next((row.command() for row in _direct() if row.name == name), None)
