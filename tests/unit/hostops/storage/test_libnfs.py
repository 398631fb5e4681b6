"""Which libnfs is taken, and how the calls are made that its versions have changed."""

from typing import Any

import pytest

from cardume.hostops.errors import StorageError
from cardume.hostops.storage import libnfs


class Functions:
    """A library that has every function, and notes how those are called that matter here."""

    def __init__(self) -> None:
        self.called: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def function(*arguments: Any) -> int:
            self.called.append((name, arguments))
            return 0

        setattr(self, name, function)
        return function


def of(*sonames: str) -> libnfs.Library:
    def open_library(name: str) -> Functions:
        if name not in sonames:
            raise OSError(name)
        return Functions()

    return libnfs.load(open_library)


def test_a_host_without_libnfs_is_told_what_to_install() -> None:
    with pytest.raises(StorageError, match="libnfs13"):
        of("libnfs.so.99")


@pytest.mark.parametrize(
    ("soname", "read", "write"),
    [
        ("libnfs.so.13", ("context", "file", 7, 4), ("context", "file", 7, 3, b"abc")),
        ("libnfs.so.14", ("context", "file", 7, 4), ("context", "file", 7, 3, b"abc")),
        ("libnfs.so.16", ("context", "file", b"....", 4, 7), ("context", "file", b"abc", 3, 7)),
    ],
)
def test_reads_and_writes_are_asked_for_in_the_order_of_the_version(
    soname: str, read: tuple[Any, ...], write: tuple[Any, ...]
) -> None:
    library = of(soname)
    library.begin_read("context", "file", 7, b"....", "ended", 1)
    library.begin_write("context", "file", 7, b"abc", "ended", 2)
    assert library.functions.called == [
        ("nfs_pread_async", (*read, "ended", 1)),
        ("nfs_pwrite_async", (*write, "ended", 2)),
    ]
