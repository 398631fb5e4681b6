"""The cache of images: what was built once stays, named by a key of what it is made from."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cardume.lab.errors import LabError
from cardume.lab.programs import run

CACHE = Path("/var/cache/cardume")
UNUSED_FOR_S = 24 * 3600.0
MANY_OF_A_KIND = 12
"""Of a kind that is built often, as the product is after each change of a source, no more stay than these ..."""
CROWDED_OUT_S = 3600.0
"""... and what was used within this time."""
FEW_OF_A_KIND = 2
"""So many of a kind stay however long ago they were used: the next lab may come up without a network."""

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
    if not _is_there_and_used(cache, ready):
        with locked(cache, name, progress):
            if not _is_there_and_used(cache, ready):
                _build(cache, name, ready, build)
    return ready


def _is_there_and_used(cache: Path, ready: Path) -> bool:
    """Whether it is there; if so it counts as used now, and no `prune` that began before takes it away."""
    if not ready.is_dir():
        return False
    with _noting_uses(cache):
        try:
            os.utime(ready)
        except FileNotFoundError:
            return False
    return True


@contextmanager
def _noting_uses(cache: Path) -> Iterator[None]:
    """Nobody else marks anything as used, or takes it away, meanwhile; held for moments only."""
    with (cache / ".uses.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(cache: Path, name: str, ready: Path, build: Callable[[Path], None]) -> None:
    for leftover in cache.glob(f".building-{name}-*"):  # of a build that was interrupted: the lock is ours
        _remove_leftover(leftover)
    fresh = cache / f".building-{ready.name}"
    fresh.mkdir()
    try:
        build(fresh)
        os.utime(fresh)  # it may have been begun long ago
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
    """Remove what nobody has used for a while, of whatever kind, but nothing in `keep`; tells what went.

    Others may build, use and prune meanwhile: each thing goes from its place whole.
    """
    with _noting_uses(cache):
        uses = {path: path.stat().st_mtime for path in cache.glob("[!.]*-" + "[0-9a-f]" * 16)}
        gone = plan_prune(uses, keep, time.time() if now is None else now)
        if gone:
            away = Path(tempfile.mkdtemp(dir=cache, prefix=".removing-"))
            for path in gone:
                path.rename(away / path.name)
        left = list(cache.glob(".removing-*"))  # of one that was interrupted too
    for directory in left:
        shutil.rmtree(directory, ignore_errors=True)  # another one may be at it
    return gone


def plan_prune(last_uses: Mapping[Path, float], keep: Collection[Path], now: float) -> list[Path]:
    """What is to be removed, of things named `kind-key` and when each was last used."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(last_uses, key=lambda path: (-last_uses[path], path)):
        kinds.setdefault(path.name.rpartition("-")[0], []).append(path)
    return [
        path
        for _, newest_first in sorted(kinds.items())
        for place, path in enumerate(newest_first)
        if path not in keep and _is_superseded(place, now - last_uses[path])
    ]


def _is_superseded(newer: int, unused_s: float) -> bool:
    """Whether a thing is to go that so many of its kind were used after."""
    if newer < FEW_OF_A_KIND:
        return False
    return unused_s > (UNUSED_FOR_S if newer < MANY_OF_A_KIND else CROWDED_OUT_S)
