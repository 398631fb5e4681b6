"""Command lines, XE_EXTRA_ARGS, ~/.xe and password files."""

from pathlib import Path

import pytest

from cardume.cli.arguments import Invocation, Settings, Trust, read_invocation
from cardume.cli.failures import Misused, Plain


def read(*arguments: str, home: Path = Path("/nowhere"), **environment: str) -> Invocation:
    return read_invocation(arguments, environment, home)


def known(home: str) -> Trust:
    return Trust(known_servers=Path(home) / "known-servers")


NOWHERE = known("/nowhere/.local/state/cardume")


def test_switches_flags_and_values_may_stand_anywhere() -> None:
    invocation = read("-s", "d1", "vm-start", "-u", "root", "uuid=x", "-pw", "a=b", "--force", "on=d1=g1", "-p", "8443")
    assert invocation.command == "vm-start"
    assert invocation.params == (("uuid", "x"), ("force", "true"), ("on", "d1=g1"))
    assert invocation.settings == Settings("d1", 8443, "root", "a=b", NOWHERE)


def test_settings_come_from_the_command_line_before_the_environment_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".xe").write_text("# mine\nserver = filed\nusername=filed\npassword=filed=1\nport=1\n")
    extra = "username=extra,password=a\\,b"
    trust = known(f"{tmp_path}/.local/state/cardume")
    assert read("vm-list", home=tmp_path).settings == Settings("filed", 1, "filed", "filed=1", trust)
    assert read("vm-list", home=tmp_path, XE_EXTRA_ARGS=extra).settings == Settings("filed", 1, "extra", "a,b", trust)
    assert read("vm-list", "-u", "typed", home=tmp_path, XE_EXTRA_ARGS=extra).settings.username == "typed"


def test_extra_arguments_may_hold_parameters_too() -> None:
    assert read("vm-list", XE_EXTRA_ARGS="--minimal,params=uuid").params == (("minimal", "true"), ("params", "uuid"))


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        ("root\nword one\n", (), ("root", "word one")),
        ("word\n", ("-u", "root"), ("root", "word")),
    ],
)
def test_a_password_file_keeps_the_password_out_of_process_listings(
    tmp_path: Path, content: str, arguments: tuple[str, ...], expected: tuple[str, str]
) -> None:
    (tmp_path / "pw").write_text(content)
    settings = read("vm-list", *arguments, "-pwf", str(tmp_path / "pw")).settings
    assert (settings.username, settings.password) == expected


def test_a_password_file_that_is_missing_or_misses_a_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("root\n")
    with pytest.raises(Plain, match="must hold the user on its first line"):
        read("vm-list", "-pwf", str(tmp_path / "pw"))
    with pytest.raises(Plain, match="cannot be read: No such file"):
        read("vm-list", "-pwf", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vm-list", "-x", "y"), "Syntax error: unknown switch -x"),
        (("vm-list", "-s"), "Syntax error: -s needs a value"),
        (("vm-list", "-p", "https"), "Syntax error: 'https' is no port number"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(Misused, match=message):
        read(*arguments)


def test_no_command_is_a_request_for_help() -> None:
    assert read().command == "help"
    assert read("help", "vm-start") == Invocation("help", (("vm-start", ""),), Settings(trust=NOWHERE))


@pytest.mark.parametrize(
    ("arguments", "environment", "trust"),
    [
        ((), {"XDG_STATE_HOME": "/state"}, known("/state/cardume")),
        ((), {"XDG_STATE_HOME": "relative"}, NOWHERE),
        (("--no-verify",), {}, Trust()),
        (("--no-verify=false",), {}, NOWHERE),
        ((), {"XE_EXTRA_ARGS": "ca-file=/etc/pool.pem"}, Trust(ca_file=Path("/etc/pool.pem"))),
        (("--ca-file=/a.pem",), {"XE_EXTRA_ARGS": "no-verify=true"}, Trust()),
    ],
)
def test_how_a_certificate_is_checked_is_a_setting(
    arguments: tuple[str, ...], environment: dict[str, str], trust: Trust
) -> None:
    invocation = read_invocation(("vm-list", *arguments), environment, Path("/nowhere"))
    assert (invocation.settings.trust, invocation.params) == (trust, ())
