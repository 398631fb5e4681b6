"""Which files of a folder of disk images are still needed, from the files alone."""

import json
import os
import struct
from pathlib import Path

import pytest

from cardume.hostops.errors import StorageError, VolumeNotFound
from cardume.hostops.storage import folder, layers, sweep

SR = "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"
A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
C = "cccccccc-0000-4000-8000-000000000003"
A1, A2 = f"{A}.layer-01.qcow2", f"{A}.layer-02.qcow2"


def image(backing: str = "", format: str = "qcow2", size: int = 1 << 30) -> bytes:
    """An empty qcow2 image, as qemu-img writes its header."""
    extension = struct.pack(">II", 0xE2792ACA, len(format)) + format.encode().ljust(8, b"\0") if backing else b""
    offset = 104 + len(extension) + 8
    first = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, offset if backing else 0, len(backing), 16, size, 0, 0, 0, 0, 0, 0, 0
    )
    return (first + struct.pack(">QQQII", 0, 0, 0, 4, 104) + extension + bytes(8) + backing.encode()).ljust(512, b"\0")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "sr"
    folder.make_repository(path, SR)
    return path


def fill(path: Path, files: dict[str, bytes | dict[str, object]]) -> None:
    for name, content in files.items():
        (path / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def names(path: Path) -> set[str]:
    return set(os.listdir(path)) - {".cardume-sr.json"}


# A was snapshotted twice: B and C are its snapshots, A goes on in A2.
TREE: dict[str, bytes | dict[str, object]] = {
    f"{A}.qcow2": image(),
    A1: image(f"{A}.qcow2"),
    A2: image(A1),
    f"{A}.json": {"name_label": "web", "image": A2},
    f"{B}.json": {"name_label": "web", "image": f"{A}.qcow2", "frozen": True},
    f"{C}.json": {"name_label": "web", "image": A1, "frozen": True},
}


def test_a_disk_with_snapshots_is_three_volumes(repository: Path) -> None:
    fill(repository, TREE)
    volumes, skipped = folder.list_volumes(repository)
    assert [(volume.uuid, volume.location) for volume in volumes] == [
        (A, f"{A}.qcow2"),
        (B, f"{B}.qcow2"),
        (C, f"{C}.qcow2"),
    ]
    assert skipped == ()
    assert sweep.sweep(repository) == ()
    assert names(repository) == set(TREE)


@pytest.mark.parametrize(
    ("destroyed", "left"),
    [
        # A disk that goes leaves its snapshots, with the file that began under its name.
        ((A,), {f"{A}.qcow2", A1, f"{A}.json", f"{B}.json", f"{C}.json"}),
        # A snapshot that goes leaves what the disk stands on.
        ((B,), {f"{A}.qcow2", A1, A2, f"{A}.json", f"{C}.json"}),
        ((B, C), {f"{A}.qcow2", A1, A2, f"{A}.json"}),
        ((A, C), {f"{A}.qcow2", f"{A}.json", f"{B}.json"}),
        # The last one that stands on a file takes it along.
        ((A, B, C), set()),
        ((C, B, A), set()),
    ],
)
def test_what_is_left_when_volumes_go(repository: Path, destroyed: tuple[str, ...], left: set[str]) -> None:
    fill(repository, TREE)
    for uuid in destroyed:
        sweep.bury(repository, uuid)
        sweep.sweep(repository)
    assert names(repository) == left
    volumes, _ = folder.list_volumes(repository)
    assert {volume.uuid for volume in volumes} == {A, B, C} - set(destroyed)
    assert sweep.remove_leftovers(repository, frozenset()) == ()


def test_a_crash_before_the_sweep_is_made_good_by_the_next(repository: Path) -> None:
    fill(repository, TREE)
    for uuid in (A, B, C):
        sweep.bury(repository, uuid)
    assert folder.list_volumes(repository) == ((), ())
    assert set(sweep.remove_leftovers(repository, frozenset())) == {f"{A}.qcow2", f"{A}.json", f"{C}.json"}
    assert names(repository) == set()


def test_a_layer_that_no_sidecar_came_to_name_is_a_leftover(repository: Path) -> None:
    fill(repository, {f"{A}.qcow2": image(), f"{A}.json": {"name_label": "web"}, A1: image(f"{A}.qcow2")})
    assert sweep.sweep(repository) == (A1,)
    assert folder.read_volume(repository, f"{A}.qcow2").name_label == "web"


def test_a_destroyed_volume_is_not_found_although_its_file_is_there(repository: Path) -> None:
    fill(repository, TREE)
    sweep.bury(repository, A)
    with pytest.raises(VolumeNotFound):
        folder.read_volume(repository, f"{A}.qcow2")


def test_nothing_goes_while_one_sidecar_cannot_be_read(repository: Path) -> None:
    fill(repository, {**TREE, f"{C}.json": b"{"})
    sweep.bury(repository, B)
    assert sweep.sweep(repository) == ()
    assert A1 in names(repository)


def test_nothing_goes_while_a_layer_cannot_be_read(repository: Path) -> None:
    fill(repository, {**TREE, A2: b"torn"})
    sweep.bury(repository, B)
    assert sweep.sweep(repository) == ()
    assert names(repository) == set(TREE) - {f"{B}.json"}


def test_a_crash_between_the_file_and_the_note_leaves_no_volume_with_old_content(repository: Path) -> None:
    fill(repository, TREE)
    (repository / A2).unlink()  # what destroying A does first
    assert [volume.uuid for volume in folder.list_volumes(repository)[0]] == [B, C]
    assert sweep.sweep(repository) == ()
    sweep.bury(repository, B)
    sweep.bury(repository, C)
    sweep.sweep(repository)
    assert names(repository) == set()


def test_leftovers_go_and_the_work_of_living_calls_stays(repository: Path) -> None:
    living = f"{B}.qcow2.part-00ff"
    keep = [f"{A}.raw", f"{A}.json", f"{B}.json", living, "notes.txt", f"{B}.json.tmp-12", f"{C}.qcow2"]
    stale = [f"{A}.qcow2.part-aa", f"{C}.raw.part-01", f"{A}.json.tmp-ab", A1, f"{A2}.part-0"]
    for name in keep + stale:
        (repository / name).write_text("{}" if name.endswith(".json") else "")
    removed = sweep.remove_leftovers(repository, frozenset({living, B}))
    assert sorted(removed) == sorted(stale)
    assert names(repository) == set(keep)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (image("/etc/passwd", "raw"), "no image of this folder"),
        (image("../x.qcow2"), "no image of this folder"),
        (image(f"{B}.raw", "qcow2"), "takes .* for qcow2"),
        (image(f"{C}.qcow2", ""), "takes .* for any format"),
        (image(f"{C}.qcow2"), "which is gone"),
        (image(f"{A}.qcow2"), "stands on itself"),
    ],
)
def test_a_layer_that_would_show_what_it_must_not_is_no_volume(repository: Path, layer: bytes, reason: str) -> None:
    fill(repository, {f"{A}.qcow2": layer, f"{B}.raw": bytes(4096)})
    with pytest.raises(StorageError, match=reason):
        layers.list_chain(repository, f"{A}.qcow2")
    assert [skipped.name for skipped in folder.list_volumes(repository)[1]] == [f"{A}.qcow2"]


def test_a_raw_disk_that_looks_like_a_layer_is_just_its_bytes(repository: Path) -> None:
    fill(repository, {f"{A}.raw": image("/etc/passwd", "raw")})
    assert [found.backing for found in layers.list_chain(repository, f"{A}.raw")] == [None]


def test_a_folder_with_layers_says_so_to_older_versions(repository: Path) -> None:
    folder.mark_layered(repository, SR)
    assert json.loads((repository / ".cardume-sr.json").read_text())["version"] == 2
    folder.assert_repository(repository, SR)
