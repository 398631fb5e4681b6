"""The cache of images: what was built once stays, named by a key of what it is made from."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cardume.lab.errors import LabError
from cardume.lab.programs import run

CACHE = Path("/var/cache/cardume")
UNUSED_FOR_S = 24 * 3600.0

Progress = Callable[[str, str], None]
"""Told what part of the work is at which step, as often as it changes."""


def key_of(*parts: object) -> str:
    """A short name of the things that something is made from: another thing, another name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def key_of_files(root: Path, paths: Collection[Path]) -> str:
    """A short name of the names and contents of files."""
    return key_of(
        [(str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(paths)]
    )


@contextmanager
def locked(cache: Path, name: str, progress: Progress, timeout_s: float = 1800.0) -> Iterator[None]:
    """Alone with one part of the cache: a second build of the same waits for the first, and says so."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name}.lock").open("w") as lock:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(name, "another command builds this: waiting for it")
                if time.monotonic() > deadline:
                    raise LabError(f"another command has been building {name} for too long") from None
                time.sleep(0.5)
        yield


def built(cache: Path, name: str, key: str, build: Callable[[Path], None], progress: Progress) -> Path:
    """The directory `name-key` of the cache, built now if it is missing.

    It appears whole or not at all: built under a temporary name, written to disk, then renamed.
    """
    ready = cache / f"{name}-{key}"
    if not ready.is_dir():
        with locked(cache, name, progress):
            if not ready.is_dir():
                _build(cache, name, ready, build)
    os.utime(ready)
    return ready


def _build(cache: Path, name: str, ready: Path, build: Callable[[Path], None]) -> None:
    for leftover in cache.glob(f".building-{name}-*"):  # of a build that was interrupted: the lock is ours
        _remove_leftover(leftover)
    fresh = cache / f".building-{ready.name}"
    fresh.mkdir()
    try:
        build(fresh)
        run("sync", "-f", str(fresh), timeout_s=300)  # a crash after the rename must not leave empty files behind it
        fresh.rename(ready)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _remove_leftover(directory: Path) -> None:
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed(mounted):
        if point.startswith(f"{directory}/"):
            run("umount", point, timeout_s=60)
    shutil.rmtree(directory)


def prune(cache: Path, keep: Collection[Path], now: float | None = None) -> list[Path]:
    """Remove what nobody has used for a day, of whatever kind, but nothing in `keep`; tells what went."""
    oldest = (time.time() if now is None else now) - UNUSED_FOR_S
    gone = [
        path
        for path in sorted(cache.glob("[!.]*-" + "[0-9a-f]" * 16))
        if path not in keep and path.stat().st_mtime < oldest
    ]
    for path in gone:
        shutil.rmtree(path)
    return gone
