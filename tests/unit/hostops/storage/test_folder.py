"""Names, sidecars and markers of a folder of disk images."""

import json
import os
import struct
from pathlib import Path

import pytest

from cardume.hostops.errors import StorageError, StorageUnreachable
from cardume.hostops.storage import folder

SR = "5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11"
A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
C = "cccccccc-0000-4000-8000-000000000003"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "sr"
    folder.make_repository(path, SR)
    return path


def qcow2_image(size: int) -> bytes:
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, size, 0, 0, 0, 0, 0, 0, 0)
    return (header + struct.pack(">QQQII", 0, 0, 0, 4, 104)).ljust(512, b"\0")


def test_a_new_repository_holds_its_marker_only_and_is_known_by_its_uuid(repository: Path) -> None:
    assert os.listdir(repository) == [".cardume-sr.json"]
    assert json.loads((repository / ".cardume-sr.json").read_text())["uuid"] == SR
    folder.assert_repository(repository, SR)
    with pytest.raises(StorageError, match=f"holds repository {SR}, not {A}"):
        folder.assert_repository(repository, A)


def test_making_the_same_repository_again_is_allowed_while_it_is_empty(repository: Path) -> None:
    (repository / ".cardume-sr.json.tmp-0011").write_text("half")
    (repository / "lost+found").mkdir()
    folder.make_repository(repository, SR)
    (repository / f"{A}.raw").touch()
    with pytest.raises(StorageError, match="not empty"):
        folder.make_repository(repository, SR)


def test_a_folder_that_holds_something_else_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(StorageError, match=r"photo\.jpg"):
        folder.make_repository(tmp_path, SR)
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_a_folder_of_another_repository_is_never_taken(repository: Path) -> None:
    with pytest.raises(StorageError, match="not empty"):
        folder.make_repository(repository, A)
    assert folder.read_marker(repository) == SR


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        (None, StorageUnreachable),
        ("{", StorageUnreachable),
        ("[]", StorageError),
        ('{"kind": "something", "uuid": "x"}', StorageError),
        ('{"kind": "cardume folder of disk images", "version": 3, "uuid": "x"}', StorageError),
    ],
)
def test_a_marker_that_is_missing_or_strange_is_no_repository(
    tmp_path: Path, marker: str | None, error: type[Exception]
) -> None:
    if marker is not None:
        (tmp_path / ".cardume-sr.json").write_text(marker)
    with pytest.raises(error):
        folder.read_marker(tmp_path)


def test_a_published_part_is_a_volume_with_its_name(repository: Path) -> None:
    part = folder.new_part_name(A, "qcow2")
    folder.make_private(repository / part)
    (repository / part).write_bytes(qcow2_image(1 << 30))
    assert folder.list_volumes(repository) == ((), ())
    folder.publish(repository, part, f"{A}.qcow2", folder.Sidecar("web", "the shop"))
    (volume,), skipped = folder.list_volumes(repository)
    assert (volume.uuid, volume.virtual_size, volume.name_label) == (A, 1 << 30, "web")
    assert (volume.name_description, volume.location, skipped) == ("the shop", f"{A}.qcow2", ())
    folder.remove_new_volume(repository, f"{A}.qcow2")
    folder.remove_new_volume(repository, f"{A}.qcow2")
    assert os.listdir(repository) == [".cardume-sr.json"]


@pytest.mark.parametrize("sidecar", [None, "", "{", "[1]"])
def test_a_volume_without_a_readable_sidecar_is_named_for_its_file(repository: Path, sidecar: str | None) -> None:
    (repository / f"{A}.raw").write_bytes(bytes(4096))
    if sidecar is not None:
        (repository / f"{A}.json").write_text(sidecar)
    assert folder.read_volume(repository, f"{A}.raw").name_label == f"{A}.raw"


def test_what_only_looks_like_a_volume_is_skipped_with_the_reason(repository: Path) -> None:
    (repository / f"{A}.qcow2").write_bytes(b"not an image")
    (repository / f"{B}.raw").symlink_to("/etc/passwd")
    (repository / f"{C}.qcow2").mkdir()
    (repository / "mine.qcow2").write_bytes(qcow2_image(512))
    volumes, skipped = folder.list_volumes(repository)
    assert volumes == ()
    assert [file.name for file in skipped] == [f"{A}.qcow2", f"{B}.raw", f"{C}.qcow2"]
    assert "does not begin" in skipped[0].reason
    assert "not a regular file" in skipped[2].reason


@pytest.mark.parametrize("uuid", ["", "../../etc/passwd", A.upper(), f"{A}/", f"{A}\n", A[:-1]])
def test_no_text_but_a_uuid_becomes_a_file_name(uuid: str) -> None:
    with pytest.raises(StorageError, match="no uuid"):
        folder.image_name(uuid, "qcow2")


@pytest.mark.parametrize("location", ["../x.qcow2", f"{A}.iso", f"{A}.json", f"{A}.qcow2.part-aa", ".cardume-sr.json"])
def test_no_location_leads_out_of_the_folder(tmp_path: Path, location: str) -> None:
    with pytest.raises(StorageError, match="no volume"):
        folder.head_name(tmp_path, location)
    with pytest.raises(StorageError, match="no volume"):
        folder.read_volume(tmp_path, location)


def test_a_part_is_never_taken_for_a_volume() -> None:
    part = folder.new_part_name(A, "raw")
    assert folder.is_part_name(part)
    assert folder.parse_image_name(part) is None
    assert folder.parse_image_name(f"{A}.raw") == (A, "raw")


def test_removing_a_repository_takes_its_marker_and_leaves_other_peoples_files(repository: Path) -> None:
    for name in (f"{A}.raw.part-1", f"{B}.json", "notes.txt"):
        (repository / name).touch()
    folder.remove_repository(repository)
    assert os.listdir(repository) == ["notes.txt"]
