"""The host's software RAID, as the kernel tells of it."""

from pathlib import Path
from typing import Any

BLOCK = Path("/sys/block")


def read_raid(block: Path = BLOCK) -> dict[str, Any]:
    """The first array: `raid` with its properties and `volumes` with its disks; empty when there is no array."""
    for array in sorted(block.glob("md*")):
        if (array / "md" / "array_state").exists():
            return {"raid": _properties(array), "volumes": _volumes(array / "md")}
    return {}


def _properties(array: Path) -> dict[str, str]:
    md = array / "md"
    states = [_text(disk / "state").split(",") for disk in md.glob("dev-*")]
    degraded = _text(md / "degraded") not in ("", "0")
    state = _text(md / "array_state")
    return {
        "Name": array.name,
        "Raid Level": _text(md / "level"),
        "Version": _text(md / "metadata_version"),
        "State": f"{state}, degraded" if degraded else state,
        "Array Size": str(int(_text(array / "size") or 0) // 2),  # KiB; the kernel counts in sectors of 512 bytes
        "Raid Devices": _text(md / "raid_disks"),
        "Total Devices": str(len(states)),
        "Active Devices": str(sum("in_sync" in state for state in states)),
        "Working Devices": str(sum("faulty" not in state for state in states)),
        "Failed Devices": str(sum("faulty" in state for state in states)),
        "Spare Devices": str(sum("spare" in state for state in states)),
    }


def _volumes(md: Path) -> list[list[str]]:
    """A row a disk: number, major, minor, place in the array, state, device."""
    rows = []
    for number, disk in enumerate(sorted(md.glob("dev-*"))):
        major, _, minor = _text(disk / "block" / "dev").partition(":")
        place = _text(disk / "slot")
        rows.append(
            [str(number), major, minor, "-" if place == "none" else place, _state(disk), f"/dev/{disk.name[4:]}"]
        )
    return rows


def _state(disk: Path) -> str:
    states = _text(disk / "state").split(",")
    if "faulty" in states:
        return "faulty"
    return "active sync" if "in_sync" in states else "spare"


def _text(path: Path) -> str:
    """The file's line; empty when it is not there."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
