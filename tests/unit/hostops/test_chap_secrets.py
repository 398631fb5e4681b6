"""CHAP passwords in files that only root reads."""

from pathlib import Path

import pytest

from cardume.hostops.chap_secrets import forget_secret, read_secret, secret_file, write_secret
from cardume.hostops.errors import StorageError


def test_a_password_is_there_until_it_is_forgotten_and_only_root_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "chap"
    write_secret("sr-1", "sêcret 12", folder)
    write_secret("sr-1", "another", folder)
    assert read_secret("sr-1", folder) == "another"
    assert secret_file("sr-1", folder).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["sr-1"]
    forget_secret("sr-1", folder)
    forget_secret("sr-1", folder)
    with pytest.raises(StorageError, match="plug the SR's PBD again"):
        read_secret("sr-1", folder)


@pytest.mark.parametrize("name", ["", "../passwd", "a/b", ".hidden", "a,b", "x" * 101])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(StorageError, match="cannot be the name"):
        secret_file(name)
