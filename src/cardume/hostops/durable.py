"""Files that survive a crash whole: written aside, brought to the disk, then named."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a small file so that a crash leaves the old or the new one, never half of it."""
    write_bytes(path, text.encode(), mode=mode)


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a small file as `write_text` does."""
    temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(6)}")
    try:
        with open(temporary, "xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Replace a small JSON file as `write_text` does."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def sync_file(path: Path) -> None:
    """Bring a file's data to the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
