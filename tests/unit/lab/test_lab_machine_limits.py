"""What the machine's kernel gives to all boxes together."""

import ctypes
import os

from cardume.lab import machine_limits
from cardume.lab.machine_limits import why_not_watched


def test_boxes_boot_while_the_kernel_lets_their_systemd_watch_files() -> None:
    assert why_not_watched(boxes=3, limit=128, taken=20) == ""
    assert why_not_watched(boxes=3, limit=128, taken=110) == ""


def test_a_full_limit_is_told_with_the_way_out() -> None:
    said = why_not_watched(boxes=4, limit=128, taken=120)
    assert "120 of which are taken" in said
    assert said.endswith("sysctl -w fs.inotify.max_user_instances=512")
    assert why_not_watched(boxes=64, limit=512, taken=300).endswith("=1368")


def test_instances_of_this_process_are_counted() -> None:
    libc = ctypes.CDLL(None)
    before = machine_limits._count_instances()
    made = [libc.inotify_init() for _ in range(20)]
    try:
        assert machine_limits._count_instances() > before + 10  # those of others come and go
    finally:
        for descriptor in made:
            os.close(descriptor)
