"""What a person reads when a command fails."""

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import PASSWORD, Outcome, Refusal, Shell, small_pool

from cardume.cli.arguments import Settings
from cardume.cli.server import connect, is_local
from cardume.cli.xe import run

HINT = "For usage run: 'xe help'\n"


@pytest.fixture
def shell() -> Shell:
    return Shell(small_pool())


def refuse(*description: str) -> Any:
    def answer(*_: Any) -> str:
        raise Refusal(*description)

    return answer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vm-zap",), "Unknown command: vm-zap"),
        (("vm-param-get", "uuid=x"), "Required parameter not found: param-name"),
        (("vm-clone", "vm=vm-1"), "Required parameter not found: new-name-label"),
        (("vdi-create", "name-label=x", "virtual-size=1"), "Required parameter not found: sr-uuid"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anybody_is_asked(
    shell: Shell, arguments: tuple[str, ...], message: str
) -> None:
    assert shell.xe(*arguments) == Outcome(1, "", f"{message}\n{HINT}")
    assert shell.settings == []


@pytest.mark.parametrize("nothing", ["", "OpaqueRef:NULL", "<not in database>"])
@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (("vdi-pool-migrate", "uuid=uuid-of-disk", "sr-uuid={}"), "sr-uuid"),
        (("vdi-pool-migrate", "uuid={}", "sr-uuid=uuid-of-local"), "uuid"),
        (("vdi-copy", "uuid=uuid-of-disk", "sr-uuid={}"), "sr-uuid"),
        (("vm-param-list", "uuid={}"), "uuid"),
        (("vbd-insert", "uuid=uuid-of-cd-drive", "vdi-uuid={}"), "vdi-uuid"),
        (("template-export", "template-uuid={}", "filename=x"), "template-uuid"),
        (("message-destroy", "uuid={}"), "uuid"),
        (("bond-create", "network-uuid=uuid-of-lan", "pif-uuids={}"), "pif-uuids"),
    ],
)
def test_a_uuid_that_names_nothing_is_refused_by_its_parameter(
    shell: Shell, arguments: tuple[str, ...], parameter: str, nothing: str
) -> None:
    outcome = shell.xe(*(argument.format(nothing) for argument in arguments))
    assert outcome == Outcome(1, "", f"Error: Failed to parse parameter '{parameter}': expecting a uuid\n")
    assert shell.pool.done() == []


def test_an_errors_sentence_is_followed_by_its_parameters_with_uuids_and_names(shell: Shell) -> None:
    shell.pool.answers["VM.start"] = refuse("VM_BAD_POWER_STATE", "OpaqueRef:vm-1", "halted", "running")
    assert shell.xe("vm-start", "vm=vm-1") == Outcome(
        1,
        "",
        "The VM is not in the power state that this needs.\n"
        "vm: uuid-of-vm-1 (vm-1)\nexpected: halted\nactual: running\n",
    )


def test_an_object_that_was_not_read_before_is_looked_up_by_the_parameters_name(shell: Shell) -> None:
    shell.pool.answers["VM.start"] = refuse("HOST_DISABLED", "OpaqueRef:host")
    assert "host: uuid-of-host (d1-g1)\n" in shell.xe("vm-start", "vm=vm-1").err


def test_an_error_that_is_not_documented_is_shown_as_it_is(shell: Shell) -> None:
    shell.pool.answers["SR.scan"] = refuse("SR_BACKEND_FAILURE_107", "", "no LUN", "<xml/>")
    assert shell.xe("sr-scan", "uuid=uuid-of-local") == Outcome(
        1, "", "Error code: SR_BACKEND_FAILURE_107\nError parameters: , no LUN, <xml/>\n"
    )


def test_an_unknown_uuid_names_class_and_uuid(shell: Shell) -> None:
    assert shell.xe("vm-param-list", "uuid=none").err == (
        "No object of this class has this uuid.\ntype: VM\nuuid: none\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vm-start", "vm=none"), "Error: No matching VMs found"),
        (("vm-start", "power-state=halted", "colour=red"), "Error: Parameter 'colour' is not a field of the VM class."),
        (("vm-pause", "power-state=running", "is-a-snapshot=none"), "Error: No matching VMs found"),
        (("host-disable", "host=none"), "Error: No matching hosts found"),
    ],
)
def test_a_selection_that_fits_nothing_says_so(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    outcome = shell.xe(*arguments)
    assert (outcome.code, outcome.err.startswith(message)) == (1, True), outcome.err


def test_several_vms_need_the_word_multiple(shell: Shell) -> None:
    shell.pool.records["VM"]["OpaqueRef:vm-2"]["power_state"] = "Running"
    assert shell.xe("vm-shutdown", "power-state=running").err == (
        "Error: Multiple matching VMs found. --multiple required to complete the operation\n"
    )


def test_with_several_vms_each_is_tried_and_the_failures_are_listed(shell: Shell) -> None:
    shell.pool.records["VM"]["OpaqueRef:vm-2"]["power_state"] = "Running"

    def shut_down(vm: str) -> str:
        if vm == "OpaqueRef:vm-1":
            raise Refusal("VM_MISSING_PV_DRIVERS", vm)
        return ""

    shell.pool.answers["VM.clean_shutdown"] = shut_down
    outcome = shell.xe("vm-shutdown", "power-state=running", "--multiple")
    assert outcome.code == 1
    assert outcome.out.startswith("operation failed on uuid-of-vm-1: ")
    assert [call[1] for call in shell.pool.done("VM.clean_shutdown")] == ["OpaqueRef:vm-1", "OpaqueRef:vm-2"]


def test_wrong_and_missing_passwords_are_told_apart(shell: Shell) -> None:
    wrong = shell.xe("vm-list", XE_EXTRA_ARGS="server=pool,username=root,password=wrong")
    none = shell.xe("vm-list", XE_EXTRA_ARGS="server=pool")
    assert wrong == Outcome(1, "", f"Authentication failed\n{HINT}")
    assert none == Outcome(1, "", f"Username/password must be specified\n{HINT}")


def test_the_session_is_ended_whatever_happens(shell: Shell) -> None:
    shell.xe("vm-param-list", "uuid=none")
    assert shell.pool.logged_out
    (settings,) = shell.settings
    assert (settings.server, settings.port, settings.username, settings.password) == ("pool", 443, "root", PASSWORD)


def test_a_server_that_does_not_answer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    arguments = ["vm-list", "-s", "127.0.0.1", "-p", port, "-u", "root", "-pw", "x"]
    assert run(arguments, {}, Path("/nowhere"), sys.stdout, sys.stderr, sys.stdin) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"Error: 127.0.0.1:{port} cannot be reached: connection refused.\n")


def test_without_server_and_user_the_socket_of_this_host_is_taken_where_it_exists(tmp_path: Path) -> None:
    (tmp_path / "xapi.sock").touch()
    assert is_local(connect(Settings(), tmp_path / "xapi.sock"))
    assert not is_local(connect(Settings(), tmp_path / "none"))
    assert not is_local(connect(Settings(username="root"), tmp_path / "xapi.sock"))
    assert not is_local(connect(Settings(server="d1"), tmp_path / "xapi.sock"))
