"""Completion: what a word may become, and bash itself completing with the script."""

import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.pool_at_hand import Shell, small_pool


@pytest.fixture(scope="module")
def shell() -> Shell:
    return Shell(small_pool())


def completed(shell: Shell, line: str) -> list[str]:
    outcome = shell.xe("complete", f"line={line}")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.splitlines()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("xe vm-cd-i", ["vm-cd-insert"]),
        ("xe help snapshot-r", ["snapshot-revert"]),
        ("xe --mi", ["--minimal"]),
        ("xe -s ", []),
        ("xe vdi-resize uuid=x ", ["disk-size=", "online=", "--progress"]),
        ("xe vbd-plug ", ["uuid="]),
        ("xe no-such-command u", []),
        ("xe vm-param-get uuid=x param-name=VCPUs-m", ["param-name=VCPUs-max"]),
        ("xe vm-param-add uuid=x param-name=ta", ["param-name=tags"]),
        ("xe vm-param-add uuid=x param-name=uu", []),
        ("xe vm-param-set uuid=x platf", ["platform:"]),
        ("xe vm-list power-state=Ru", ["power-state=Running"]),
        ("xe vm-list tags:", ["tags:contains="]),
        ("xe vm-list params=uuid,power-", ["params=uuid,power-state"]),
        ("xe sr-list shared=", ["shared=true", "shared=false"]),
        ("xe completion shell=b", ["shell=bash"]),
        ("xe event-wait class=vm power-s", ["power-state="]),
        ("xe vm-param-list uuid=", ["uuid=uuid-of-dom0", "uuid=uuid-of-vm-1", "uuid=uuid-of-vm-2"]),
        ("xe vm-start vm=vm-", ["vm=vm-1", "vm=vm-2"]),
        ("xe vm-start vm=vm-2 on=", ["on=d1-g1"]),
        ("xe vm-install template=Car", ["template=Cardume lab guest"]),
        ("xe vm-install template=Cardume\\ la", ["template=Cardume lab guest"]),
        ("xe vm-install template='Cardume la", ["template=Cardume lab guest"]),
        ("xe vif-create network-uuid=", ["network-uuid=uuid-of-lan"]),
        ("xe vbd-insert vdi-uuid=uuid-of-c", ["vdi-uuid=uuid-of-cd"]),
        ("xe pool-ha-enable heartbeat-sr-uuids=uuid-of-l", ["heartbeat-sr-uuids=uuid-of-local"]),
    ],
)
def test_a_word_may_become_what_makes_sense_there(shell: Shell, line: str, words: list[str]) -> None:
    assert completed(shell, line) == words


def test_parameters_that_were_given_are_not_offered_again(shell: Shell) -> None:
    words = completed(shell, "xe vm-disk-add vm=vm-1 disk-size=1GiB ")
    assert "disk-size=" not in words
    assert {"device=", "sr-uuid=", "uuid=", "--multiple"} <= set(words)


def test_a_server_that_refuses_completes_nothing_and_says_nothing(shell: Shell) -> None:
    outcome = shell.xe("complete", "line=xe vm-start vm=", XE_EXTRA_ARGS="server=pool,username=root,password=wrong")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_a_shell_without_a_script_is_refused(shell: Shell) -> None:
    assert shell.xe("completion", "shell=ksh").err == (
        "Error: There is no completion for ksh; for bash, zsh and fish there is\n"
    )


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_ask_the_same_way(shell: Shell, name: str) -> None:
    assert 'complete "line=' in shell.xe("completion", f"shell={name}").out


ANSWERS = {
    "xe vm-start vm=": "vm=Cardume lab guest\nvm=vm-1\n",
    "xe vm-start vm=Cardume\\ l": "vm=Cardume lab guest\n",
    "xe vm-param-set uuid=a platform:": "platform:nx=\n",
    "xe vbd-plug u": "uuid=\n",
}
"""What the program answers, so that bash alone is tried here."""


@pytest.mark.parametrize(
    ("words", "cursor", "line", "reply"),
    [
        (["xe", "vm-cd-"], 1, "xe vm-cd-", ["vm-cd-add", "vm-cd-eject", "vm-cd-insert", "vm-cd-list", "vm-cd-remove"]),
        (["xe", "vbd-plug", "u"], 2, "xe vbd-plug u", ["uuid="]),
        (["xe", "vm-start", "vm", "="], 3, "xe vm-start vm=", ["Cardume\\ lab\\ guest", "vm-1"]),
        (["xe", "vm-start", "vm", "=", "Cardume\\ l"], 4, "xe vm-start vm=Cardume\\ l", ["Cardume\\ lab\\ guest"]),
        (
            ["xe", "vm-param-set", "uuid", "=", "a", "platform", ":"],
            6,
            "xe vm-param-set uuid=a platform:",
            ["nx="],
        ),
    ],
    ids=["commands", "parameters", "values", "quoted", "maps"],
)
def test_bash_completes(
    shell: Shell, tmp_path: Path, words: list[str], cursor: int, line: str, reply: list[str]
) -> None:
    (tmp_path / "completion").write_text(shell.xe("completion", "shell=bash").out)
    cases = "".join(f"'line={asked}') printf '%s' '{answer}' ;;\n" for asked, answer in ANSWERS.items())
    program = tmp_path / "xe"
    program.write_text(f'#!/bin/sh\n[ "$1" = complete ] || exit 1\ncase "$2" in\n{cases}esac\n')
    program.chmod(0o755)
    quoted = " ".join("'" + word + "'" for word in words)
    asked = (
        f"source {tmp_path}/completion\nCOMP_WORDS=({quoted}) COMP_CWORD={cursor}\n"
        f"COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}}\n_xe {program}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == reply


def test_bash_knows_which_program_the_script_completes(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(shell.xe("completion", "shell=bash").out)
    asked = f"source {tmp_path}/completion; complete -p xe"
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "complete -o default -F _xe xe\n"
