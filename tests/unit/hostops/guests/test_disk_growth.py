"""A slice grown under a running guest: what QEMU is asked, in which order, and what stays when it refuses."""

from collections.abc import Mapping
from typing import Any

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.disk_growth import grow_slice
from cardume.hostops.guests.guest import IscsiSource

SLICE = IscsiSource("10.0.0.10", 3260, "iqn.2005-10.org.x:lun1", 1, 9 << 20, 128 << 20, "iqn.2026-01.x:h1")


class QEMU:
    """Knows one disk, and refuses what it is told to."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, execute: str, arguments: Mapping[str, Any]) -> Any:
        if execute == "query-block":
            return [
                {
                    "qdev": "/machine/peripheral/ua-disk-10/virtio-backend",
                    "inserted": {"node-name": "libvirt-9-format"},
                },
                {"qdev": "/machine/peripheral/ua-disk-1/virtio-backend", "inserted": {"node-name": "libvirt-2-format"}},
            ]
        size = arguments["size"] if execute == "block_resize" else arguments["options"][0].get("size")
        self.asked.append((execute, size))
        if execute == self.refuses:
            raise GuestError("no")
        return None


def test_the_node_has_no_size_for_the_moment_of_the_resize_only() -> None:
    qemu = QEMU()
    grow_slice(qemu, "1", SLICE)
    assert qemu.asked == [("blockdev-reopen", None), ("block_resize", 128 << 20), ("blockdev-reopen", 128 << 20)]


def test_a_refused_resize_leaves_no_node_without_a_size() -> None:
    qemu = QEMU(refuses="block_resize")
    with pytest.raises(GuestError):
        grow_slice(qemu, "1", SLICE)
    assert qemu.asked[-1] == ("blockdev-reopen", 128 << 20)


def test_a_disk_that_is_not_there_is_refused_before_anything_is_changed() -> None:
    qemu = QEMU()
    with pytest.raises(GuestError, match="no disk 2"):
        grow_slice(qemu, "2", SLICE)
    assert qemu.asked == []
