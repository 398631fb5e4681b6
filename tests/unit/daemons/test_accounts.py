"""The file of accounts: what is kept, who sees a change, and what is refused."""

from pathlib import Path

import pytest

from cardume.daemons.accounts import AccountError, AccountFile


async def test_an_account_is_kept_with_an_identifier_that_is_never_used_again(tmp_path: Path) -> None:
    file = AccountFile(tmp_path / "passwd")
    await file.set_password("root", "scrypt$r")
    await file.add("ana", "scrypt$a")
    first = file.find_identifier("ana")
    assert first is not None
    assert (tmp_path / "passwd").read_text() == f"root:scrypt$r\nana:scrypt$a:{first}\n"
    assert oct((tmp_path / "passwd").stat().st_mode & 0o777) == "0o600"
    assert (file.find_name(first), file.find_password("ana"), file.names()) == ("ana", "scrypt$a", ["ana", "root"])
    await file.set_password("ana", "scrypt$b")
    assert (file.find_identifier("ana"), file.find_password("ana")) == (first, "scrypt$b")
    await file.remove("ana")
    await file.add("ana", "scrypt$c")
    assert file.find_identifier("ana") != first
    assert file.find_name(first) is None


async def test_root_has_no_identifier_and_nobody_has_the_empty_one(tmp_path: Path) -> None:
    file = AccountFile(tmp_path / "passwd")
    await file.set_password("root", "scrypt$r")
    assert file.find_identifier("root") is None
    assert file.find_name("") is None


async def test_the_daemon_sees_what_the_command_wrote_and_the_other_way_round(tmp_path: Path) -> None:
    daemon, command = AccountFile(tmp_path / "passwd"), AccountFile(tmp_path / "passwd")
    assert daemon.names() == []
    await command.set_password("root", "scrypt$r")
    assert daemon.find_password("root") == "scrypt$r"
    await command.add("ana", "scrypt$a")
    await daemon.set_password("root", "scrypt$s")
    assert command.find_password("root") == "scrypt$s"
    assert daemon.find_password("ana") == "scrypt$a"
    await command.remove("ana")
    assert daemon.find_password("ana") is None


async def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    file = AccountFile(tmp_path / "passwd")
    await file.set_password("root", "scrypt$r")
    await file.add("ana", "scrypt$a")
    for name in ("", "a:b", "a\nb", "-x", "ana ana", "x" * 65):
        with pytest.raises(AccountError, match="is no name"):
            await file.add(name, "scrypt$x")
    with pytest.raises(AccountError, match="already"):
        await file.add("ana", "scrypt$x")
    with pytest.raises(AccountError, match="stays"):
        await file.remove("root")
    with pytest.raises(AccountError, match="no account bia"):
        await file.remove("bia")
    with pytest.raises(AccountError, match="no account bia"):
        await file.set_password("bia", "scrypt$x")
    assert file.names() == ["ana", "root"]


async def test_a_member_takes_the_accounts_of_its_pool_and_keeps_none_of_its_own(tmp_path: Path) -> None:
    master, member = AccountFile(tmp_path / "master"), AccountFile(tmp_path / "member")
    for file, owner in ((master, "ana"), (member, "bia")):
        await file.set_password("root", f"scrypt$root of {owner}")
        await file.add(owner, f"scrypt${owner}")
    await member.take(master.text())
    assert member.text() == master.text()
    assert (member.names(), member.find_password("root")) == (["ana", "root"], "scrypt$root of ana")


async def test_accounts_without_root_are_not_taken(tmp_path: Path) -> None:
    member = AccountFile(tmp_path / "member")
    await member.set_password("root", "scrypt$r")
    with pytest.raises(AccountError, match="without root"):
        await member.take("ana:scrypt$a:local-1\n")
    assert member.names() == ["root"]
