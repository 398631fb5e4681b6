"""What this machine's kernel gives to all boxes together, looked at before they boot."""

import os
from pathlib import Path

from cardume.lab.errors import LabError

INSTANCES_A_BOX = 6
"""Measured: five of systemd and one of the login manager."""
_SETTING = "fs.inotify.max_user_instances"


def assert_inotify_left(boxes: int) -> None:
    """LabError when systemd in so many boxes could not watch files: it would hang without a word while it boots."""
    limit = int(Path("/proc/sys", *_SETTING.split(".")).read_text())
    refusal = why_not_watched(boxes, limit, _count_instances())
    if refusal:
        raise LabError(refusal)


def why_not_watched(boxes: int, limit: int, taken: int) -> str:
    """Why so many boxes cannot boot where `taken` of the inotify instances of root are in use; empty when they can."""
    needed = taken + boxes * INSTANCES_A_BOX
    if needed <= limit:
        return ""
    enough = max(512, 2 * needed)
    return (
        f"the kernel lets root watch files {limit} times at once ({_SETTING}), {taken} of which are taken, and {boxes} "
        f"boxes need about {boxes * INSTANCES_A_BOX}: end other labs, or allow more: sysctl -w {_SETTING}={enough}"
    )


def _count_instances(proc: Path = Path("/proc")) -> int:
    """How many inotify instances root's processes have open, those in containers included."""
    count = 0
    for process in proc.glob("[0-9]*"):
        try:
            if process.stat().st_uid == 0:
                count += sum(_is_inotify(link) for link in (process / "fd").iterdir())
        except OSError:
            continue  # it has just ended
    return count


def _is_inotify(link: Path) -> bool:
    try:
        return os.readlink(link) == "anon_inode:inotify"
    except OSError:
        return False
