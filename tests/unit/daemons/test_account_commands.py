"""`cardume account`, as an administrator types it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cardume.__main__ import app
from cardume.core.passwords import verify_password
from cardume.daemons import account_commands
from cardume.daemons.accounts import AccountFile
from cardume.daemons.config import Config


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AccountFile:
    config = Config(host_uuid="x", name_label="d1-g1", state=tmp_path)
    monkeypatch.setattr(account_commands, "load", lambda: config)
    return AccountFile(config.passwords)


def run(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["account", *words])
    return ran.exit_code, ran.output


def test_an_account_is_made_listed_changed_and_removed(tmp_path: Path, accounts: AccountFile) -> None:
    first, second, empty = (tmp_path / name for name in ("first", "second", "empty"))
    first.write_text("one\nmore\n")
    second.write_text("two\n")
    empty.write_text("\n")
    assert run("add", "ana", "--password-file", str(first))[0] == 0
    identifier = accounts.find_identifier("ana")
    assert run("list") == (0, f"{'ana':<32} {identifier}\n")
    assert verify_password("one", accounts.find_password("ana") or "")
    assert run("password", "ana", "--password-file", str(second)) == (0, "")
    assert verify_password("two", accounts.find_password("ana") or "")
    assert run("add", "ana", "--password-file", str(first)) == (1, "cardume account: there is an account ana already\n")
    assert run("add", "bia", "--password-file", str(empty))[0] == 1
    assert run("remove", "ana") == (0, "")
    assert run("remove", "ana") == (1, "cardume account: there is no account ana\n")
    assert accounts.names() == []
