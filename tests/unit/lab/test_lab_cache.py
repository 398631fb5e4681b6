import json
import os
import threading
from pathlib import Path

import pytest

from cardume.lab.cache import built, key_of, key_of_files, prune
from cardume.lab.room import list_used_layers


def quiet(part: str, step: str) -> None:
    pass


def test_what_was_built_is_not_built_again(tmp_path: Path) -> None:
    builds = []

    def build(fresh: Path) -> None:
        builds.append(fresh.name)
        (fresh / "file").write_text("made")

    first = built(tmp_path, "image", "a" * 16, build, quiet)
    second = built(tmp_path, "image", "a" * 16, build, quiet)
    assert first == second == tmp_path / "image-aaaaaaaaaaaaaaaa"
    assert (first / "file").read_text() == "made"
    assert len(builds) == 1


def test_a_build_that_fails_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    def fail(fresh: Path) -> None:
        (fresh / "half").write_text("")
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError):
        built(tmp_path, "image", "a" * 16, fail, quiet)
    assert list(tmp_path.glob("*image-*")) == []
    assert built(tmp_path, "image", "a" * 16, lambda fresh: None, quiet).is_dir()


def test_what_an_interrupted_build_left_is_removed_before_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".building-image-bbbbbbbbbbbbbbbb"
    (left / "deep").mkdir(parents=True)
    built(tmp_path, "image", "a" * 16, lambda fresh: None, quiet)
    assert not left.exists()


def test_two_at_once_build_once_and_the_second_says_that_it_waits(tmp_path: Path) -> None:
    building, finish = threading.Event(), threading.Event()
    builds, said = [], []

    def build(fresh: Path) -> None:
        builds.append(fresh)
        building.set()
        assert finish.wait(10)

    def say(part: str, step: str) -> None:
        said.append((part, step))
        finish.set()

    first = threading.Thread(target=built, args=(tmp_path, "image", "a" * 16, build, quiet))
    first.start()
    assert building.wait(10)
    built(tmp_path, "image", "a" * 16, build, say)
    first.join(10)
    assert len(builds) == 1
    assert said[0] == ("image", "another command builds this: waiting for it")


def test_keys_follow_contents_and_names_of_files(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one")
    before = key_of_files(tmp_path, [file])
    file.write_text("two")
    assert key_of_files(tmp_path, [file]) != before
    assert len(before) == 16
    assert key_of("x", {"b": 1, "a": 2}) == key_of("x", {"a": 2, "b": 1})


def test_prune_keeps_what_is_in_use_or_young(tmp_path: Path) -> None:
    used, old, asked_for, test_tools = (
        tmp_path / f"{name}-{'c' * 16}" for name in ("product", "dependencies", "wheels", "test-tools")
    )
    being_built, not_ours = tmp_path / f".building-product-{'d' * 16}", tmp_path / "notes"
    for directory in (used, old, asked_for, test_tools, being_built, not_ours):
        directory.mkdir()
        (directory / "file").write_text("")
    tomorrow = old.stat().st_mtime + 25 * 3600
    assert prune(tmp_path, {used}, now=tomorrow - 3600 - 60) == []

    os.utime(built(tmp_path, "wheels", "c" * 16, lambda fresh: None, quiet), (tomorrow, tomorrow))
    assert prune(tmp_path, {used}, now=tomorrow) == [old, test_tools]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(
        path.name for path in (used, asked_for, being_built, not_ours)
    )


def test_what_a_box_of_any_lab_was_made_of_is_in_use(tmp_path: Path) -> None:
    cache, state = tmp_path / "cache", tmp_path / "state"
    used, unused = cache / f"product-{'a' * 16}", cache / f"product-{'b' * 16}"
    for directory in (used, unused, state / "other" / "boxes" / "d1-g1"):
        directory.mkdir(parents=True)
    (state / "other" / "boxes" / "d1-g1" / "box.json").write_text(json.dumps({"layers": ["/x", str(used)]}))
    assert list_used_layers(cache, state) == [used]
