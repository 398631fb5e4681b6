"""The way back from an unfinished change of the network."""

from pathlib import Path

import pytest

from cardume.hostops.network import undo
from cardume.hostops.network.undo import Undo


def test_a_way_back_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    way = Undo({"a.network": "old\n", "b.network": None}, ("eth0.30",))
    undo.keep(tmp_path / "state", way)
    assert undo.find(tmp_path / "state") == way
    undo.forget(tmp_path / "state")
    assert undo.find(tmp_path / "state") is None


def test_before_networkd_starts_an_unfinished_change_is_taken_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, state = tmp_path / "network", tmp_path / "state"
    folder.mkdir()
    (folder / "a.network").write_text("new\n")
    (folder / "b.network").write_text("new\n")
    (folder / "theirs.network").write_text("kept\n")
    undo.keep(state, Undo({"a.network": "old\n", "b.network": None}, ()))
    monkeypatch.setattr(undo, "FOLDER", folder)
    monkeypatch.setattr("sys.argv", ["undo", str(state)])

    undo.main()
    undo.main()

    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "a.network": "old\n",
        "theirs.network": "kept\n",
    }
    assert undo.find(state) is None
