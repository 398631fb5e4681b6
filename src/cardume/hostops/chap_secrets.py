"""CHAP passwords on this host: files in memory that only root reads, named from where they are needed.

QEMU's programs are given the file's name, libvirt its content as a secret of its own: a password stands in no command
line, no XML, no log.
"""

import os
import re
from pathlib import Path

from cardume.hostops.errors import StorageError

FOLDER = Path("/run/cardume/chap")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")


def secret_file(name: str, folder: Path = FOLDER) -> Path:
    """Where the password of that name is, or would be."""
    if not _NAME.fullmatch(name):
        raise StorageError(f"{name!r} cannot be the name of a secret")
    return folder / name


def write_secret(name: str, password: str, folder: Path = FOLDER) -> None:
    """Keep a password until the next boot, or until it is forgotten. Blocking."""
    path = secret_file(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    fresh = path.with_name(f".{name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password)
    fresh.replace(path)


def read_secret(name: str, folder: Path = FOLDER) -> str:
    """The password; StorageError when this host was not given it."""
    try:
        return secret_file(name, folder).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StorageError("this host has no CHAP password for the target: plug the SR's PBD again") from None


def forget_secret(name: str, folder: Path = FOLDER) -> None:
    """Remove a password; one that is not there is no error."""
    secret_file(name, folder).unlink(missing_ok=True)
