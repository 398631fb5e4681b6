import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from cardume.lab.cache import built, key_of, key_of_files, plan_prune, prune
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
        assert finish.wait(60)

    def say(part: str, step: str) -> None:
        said.append((part, step))
        finish.set()

    first = threading.Thread(target=built, args=(tmp_path, "image", "a" * 16, build, quiet))
    first.start()
    assert building.wait(60)
    built(tmp_path, "image", "a" * 16, build, say)
    first.join(60)
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


HOUR_S = 3600.0


def of_a_kind(kind: str, *used_hours_ago: float) -> dict[Path, float]:
    """Things of one kind, at the time 0, the first with the key 000...0."""
    return {Path(f"{kind}-{number:016x}"): -hours * HOUR_S for number, hours in enumerate(used_hours_ago)}


def keys(paths: list[Path]) -> list[int]:
    return [int(path.name.rpartition("-")[2], 16) for path in paths]


def test_what_was_used_within_a_day_and_the_two_newest_of_a_kind_stay() -> None:
    products = of_a_kind("product", 23, 25, 26, 1, 700)
    assert keys(plan_prune(products, (), now=0)) == [1, 2, 4]
    old = of_a_kind("host", 300, 200, 100)
    assert keys(plan_prune(old, (), now=0)) == [0]
    assert plan_prune({**products, **old}, (), now=0) == [*plan_prune(old, (), now=0), *plan_prune(products, (), now=0)]


def test_of_a_kind_that_is_built_often_a_dozen_stay_and_what_was_used_within_the_hour() -> None:
    busy = of_a_kind("product", *(0.5 + number / 100 for number in range(100)))
    assert keys(plan_prune(busy, (), now=0)) == list(range(51, 100))
    calm = of_a_kind("product", *(2 + number / 100 for number in range(100)))
    assert keys(plan_prune(calm, (), now=0)) == list(range(12, 100))


def test_what_is_in_use_stays_however_old() -> None:
    products = of_a_kind("product", 1, 2, 300, 400)
    used = list(products)[2]
    assert keys(plan_prune(products, {used}, now=0)) == [3]


def test_prune_takes_what_is_old_and_leaves_what_is_built_and_what_is_not_ours(tmp_path: Path) -> None:
    old, older, new, newer = (tmp_path / f"test-tools-{letter * 16}" for letter in "abcd")
    being_built, not_ours = tmp_path / f".building-product-{'d' * 16}", tmp_path / "notes"
    interrupted = tmp_path / ".removing-x" / f"product-{'e' * 16}"
    for directory in (old, older, new, newer, being_built, not_ours, interrupted):
        directory.mkdir(parents=True)
        (directory / "file").write_text("")
    long_ago = new.stat().st_mtime - 25 * HOUR_S
    for directory in (old, older):
        os.utime(directory, (long_ago, long_ago))
    assert sorted(prune(tmp_path, ())) == [old, older]
    assert sorted(path for path in tmp_path.iterdir() if path.is_dir()) == sorted([new, newer, being_built, not_ours])
    assert prune(tmp_path, ()) == []


def test_what_is_asked_for_counts_as_used_and_is_built_again_once_it_went(tmp_path: Path) -> None:
    one, two, three = (built(tmp_path, "image", letter * 16, lambda fresh: None, quiet) for letter in "abc")
    long_ago = one.stat().st_mtime - 25 * HOUR_S
    for directory in (one, two, three):
        os.utime(directory, (long_ago, long_ago))
    builds: list[Path] = []
    assert built(tmp_path, "image", "a" * 16, builds.append, quiet) == one
    assert prune(tmp_path, ()) == [three]
    assert builds == []
    assert built(tmp_path, "image", "c" * 16, builds.append, quiet).is_dir()
    assert len(builds) == 1


def _prune_and_use(cache: Path, numbers: list[int]) -> None:
    for number in numbers:
        prune(cache, ())
        ready = built(cache, "image", f"{number:016x}", _build_two_files, quiet)
        prune(cache, ())
        assert sorted(path.name for path in ready.iterdir()) == ["one", "two"], "in use, and whole"


def _build_two_files(fresh: Path) -> None:
    (fresh / "one").write_text("1")
    (fresh / "two").write_text("2")


def test_processes_that_prune_and_use_at_once_have_what_they_asked_for(tmp_path: Path) -> None:
    for number in range(8):
        ready = tmp_path / f"image-{number:016x}"
        ready.mkdir()
        _build_two_files(ready)
        os.utime(ready, (0, 0))
    context = multiprocessing.get_context("fork")
    orders = ([0, 1, 2, 3], [3, 2, 1, 0], [7, 6, 3, 0])
    others = [context.Process(target=_prune_and_use, args=(tmp_path, order)) for order in orders]
    for other in others:
        other.start()
    for other in others:
        other.join(timeout=120)
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert {0, 1, 2, 3, 6, 7} <= set(keys(list(tmp_path.glob("image-*"))))
    assert not list(tmp_path.glob(".removing-*"))


def test_what_a_box_of_any_lab_was_made_of_is_in_use(tmp_path: Path) -> None:
    cache, state = tmp_path / "cache", tmp_path / "state"
    used, unused = cache / f"product-{'a' * 16}", cache / f"product-{'b' * 16}"
    for directory in (used, unused, state / "other" / "boxes" / "d1-g1"):
        directory.mkdir(parents=True)
    (state / "other" / "boxes" / "d1-g1" / "box.json").write_text(json.dumps({"layers": ["/x", str(used)]}))
    (state / "going" / "boxes" / "d1-g1").mkdir(parents=True)  # without its paper
    assert list_used_layers(cache, state) == [used]
