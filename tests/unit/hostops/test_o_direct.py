"""Which files can be used around the page cache."""

from pathlib import Path

import pytest

from cardume.hostops.o_direct import has_o_direct


def test_a_file_system_that_knows_only_the_page_cache_is_told_from_none_at_all(tmp_path: Path) -> None:
    assert not has_o_direct("/proc/self/status")
    with pytest.raises(FileNotFoundError):
        has_o_direct(str(tmp_path / "gone"))
