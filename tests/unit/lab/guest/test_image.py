"""The cache: built once, never half, again when the content changes."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cardume.lab.guest.image import GuestImage, content_key, guest_image

Report = Callable[[str], None]


def build_small(directory: Path, report: Report) -> None:
    """A builder that makes recognisable files and says so."""
    report("building")
    (directory / "scrap").write_text("left over")
    (directory / "guest.qcow2").write_text("a disk")
    (directory / "guest.iso").write_text("a CD")


def quiet(part: str, step: str) -> None:
    pass


def build_slowly(directory: Path, report: Report) -> None:
    time.sleep(0.3)
    build_small(directory, report)


def build_and_fail(directory: Path, report: Report) -> None:
    (directory / "guest.qcow2").write_text("half a disk")
    raise RuntimeError("the mirror is away")


def test_the_first_call_builds_and_the_second_finds_it(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []

    def say(part: str, step: str) -> None:
        said.append((part, step))

    first = guest_image(tmp_path / "cache", say, builder=build_small)
    second = guest_image(tmp_path / "cache", say, builder=build_small)
    assert first == second
    assert (first.disk.read_text(), first.iso.read_text()) == ("a disk", "a CD")
    assert said == [("guest", "building")]


def test_nothing_but_the_image_stays_in_the_cache(tmp_path: Path) -> None:
    image = guest_image(tmp_path, quiet, builder=build_small)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [image.disk.parent]
    assert {path.name for path in image.disk.parent.iterdir()} == {"guest.iso", "guest.qcow2"}


def test_a_build_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the mirror is away"):
        guest_image(tmp_path, quiet, builder=build_and_fail)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert guest_image(tmp_path, quiet, builder=build_small).disk.read_text() == "a disk"


def _build_in_process(cache: Path, log: Path) -> None:
    def note(part: str, step: str) -> None:
        with log.open("a") as file:
            file.write(f"{part}: {step}\n")

    image = guest_image(cache, note, builder=build_slowly)
    assert isinstance(image, GuestImage)


def test_two_processes_at_once_build_only_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    builders = [context.Process(target=_build_in_process, args=(tmp_path / "cache", log)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(timeout=20)
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert log.read_text().splitlines().count("guest: building") == 1


def test_the_key_changes_with_content_and_names_and_not_with_compiled_files(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/init").write_text("one")
    key = content_key(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/build.pyc").write_text("compiled")
    assert content_key(tmp_path) == key
    (tmp_path / "root/init").write_text("two")
    changed = content_key(tmp_path)
    assert changed != key
    (tmp_path / "root/init").rename(tmp_path / "root/start")
    assert content_key(tmp_path) not in {key, changed}
