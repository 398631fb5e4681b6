"""The end of this host: when its watchdog is about to fire, and how it goes before that, with a reason left behind."""

import contextlib
import json
import os
import select
import stat
from pathlib import Path
from typing import Any, NoReturn

from cardume.ha.profile import Profile
from cardume.had.clock import NS, now_ns, now_s
from cardume.had.config import HadConfig, write_durably
from cardume.had.disk import BlackBoxWritten, WriteBlackBox
from cardume.had.guests import are_gone
from cardume.had.last_words import keep_locally, parse
from cardume.had.reset import reset_now
from cardume.had.servants import DiskServant
from cardume.had.shared import SharedDeadline

LAST_WORDS_S = 0.2
FENCE_EARLY_S = 0.5
"""So long before the watchdog fires this host ends itself: its guests first, and with last words."""


def why_now(shared: SharedDeadline, profile: Profile) -> str | None:
    """Why an armed host has to end itself now, because the watchdog is about to; None when it need not."""
    fed_ns = shared.fed_ns
    if fed_ns is None:
        return None
    age_s = (now_ns() - fed_ns) / NS
    if age_s <= profile.watchdog_s - min(FENCE_EARLY_S, profile.feed_tick_s):
        return None
    looked_ns = shared.looked_ns or 0
    stands = (now_ns() - looked_ns) / NS > 4 * profile.feed_tick_s
    cause = "the feeder stands still" if stands else "there was no new evidence in time"
    return f"the watchdog was not fed for {age_s:.1f} s: {cause}"


def end_host(reason: str, text: bytes, local: Path, config: HadConfig | None, disk: DiskServant | None) -> NoReturn:
    """Leave the last words where they can be put at once, and reset; the guests have been killed."""
    writing = keep_locally(local, text)
    if disk is not None and config is not None and disk.send(WriteBlackBox(config.me, text)):
        _wait_for_black_box(disk)
    writing.join(LAST_WORDS_S)
    are_gone(LAST_WORDS_S)
    reset_now(reason, in_lab=config is None or _is_fifo(config.watchdog))


def take_reason(on_disk: bytes | None, local: Path, boot_id: str, kept: Path) -> dict[str, Any] | None:
    """Why the boot before this one ended itself, from the statefile, else from this host's disk; None when it did not.

    It is kept for other cores of this boot, and forgotten where it was found: after a later boot it would be taken for
    the end of a life that ended well. The black box is the caller's to empty.
    """
    try:
        local_text = local.read_bytes()
    except OSError:
        local_text = b""
    told = next((words for words in (parse(on_disk), parse(local_text)) if words is not None), None)
    if told is None or told.get("boot_id") == boot_id:
        return None
    # For people only: a disk that is full or broken shall not end this process.
    with contextlib.suppress(OSError):
        write_durably(kept, json.dumps(told))
    with contextlib.suppress(OSError):
        local.unlink(missing_ok=True)
    return told


def _wait_for_black_box(disk: DiskServant) -> None:
    until_s = now_s() + LAST_WORDS_S
    while (left_s := until_s - now_s()) > 0 and (number := disk.fileno()) is not None:
        readable, _, _ = select.select([number], [], [], left_s)
        if readable and any(isinstance(answer, BlackBoxWritten) for answer in disk.receive()):
            return


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False
