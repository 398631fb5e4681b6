"""What an operator is told, and has to say, when a host is lost."""

from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import PoolAtHand, Shell

from cardume.cli.commands import all_commands
from cardume.cli.commands_emergency import stakes


@pytest.fixture
def shell() -> Shell:
    return Shell(PoolAtHand())


def told(**different: Any) -> dict[str, Any]:
    usual = {"master_address": "10.0.0.1", "master_connected": False, "database_answers": False, "mirror": 17}
    return {**usual, **different}


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (told(database_answers=True), "nothing that was acknowledged is lost"),
        (told(), "copy ends with change 17: what was changed after that is lost"),
        (told(mirror=None), "it cannot take over"),
    ],
)
def test_a_takeover_says_what_it_costs_before_it_asks(report: dict[str, Any], sentence: str) -> None:
    lines = "\n".join(stakes(report))
    assert "10.0.0.1 is not connected" in lines
    assert sentence in lines


@pytest.mark.parametrize(("typed", "is_done"), [("d2-g1\n", True), ("yes\n", False), ("", False), ("d2\n", False)])
def test_a_host_is_declared_dead_by_typing_its_name(shell: Shell, typed: str, is_done: bool) -> None:
    shell.pool.add("host", "two", name_label="d2-g1")
    shell.pool.answers["host.declare_dead"] = lambda host: ""
    outcome = shell.xe("host-declare-dead", "uuid=uuid-of-two", typed=typed)
    assert "Type the name 'd2-g1'" in outcome.out
    assert bool(shell.pool.done("host.declare_dead")) is is_done
    assert outcome.code == (0 if is_done else 1)


def test_a_host_is_declared_dead_at_once_with_force(shell: Shell) -> None:
    shell.pool.add("host", "two", name_label="d2-g1")
    shell.pool.answers["host.declare_dead"] = lambda host: ""
    assert shell.xe("host-declare-dead", "uuid=uuid-of-two", "--force").code == 0
    assert shell.pool.done("host.declare_dead") == [("host.declare_dead", "OpaqueRef:two")]


@pytest.mark.parametrize(
    ("words", "typed", "is_done"), [((), "yes\n", True), ((), "\n", False), (("--force",), "", True)]
)
def test_ha_is_switched_off_on_one_host_after_a_warning(
    shell: Shell, words: tuple[str, ...], typed: str, is_done: bool
) -> None:
    shell.pool.answers["host.emergency_ha_disable"] = lambda soft: ""
    outcome = shell.xe("host-emergency-ha-disable", *words, typed=typed)
    assert ("run twice" in outcome.out) is not bool(words)
    assert shell.pool.done("host.emergency_ha_disable") == ([("host.emergency_ha_disable", False)] if is_done else [])


def test_what_is_for_a_host_without_its_master_is_asked_of_the_host_itself() -> None:
    commands = {name: command for name, command in all_commands().items() if "-emergency-" in name}
    assert len(commands) >= 7
    assert [name for name, command in commands.items() if not command.on_host] == []
