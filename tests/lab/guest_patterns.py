"""A guest that writes patterns to a second disk of its own and verifies them, again and again, until it is ended."""

import time
from dataclasses import dataclass

from cardume.lab.guest_shell import GuestShell
from cardume.lab.handle import LabHandle

_SCRIPT = """
n=0; bad=0
pattern() { yes "pattern $1 of this disk" | head -c 65536; }
while :; do
  n=$((n + 1))
  pattern $n > /tmp/want
  dd if=/tmp/want of=/dev/vdb bs=65536 seek=$((n % 64)) conv=notrunc,fsync 2>/dev/null || bad=$((bad + 1))
  echo 1 > /proc/sys/vm/drop_caches
  old=$((n > 60 ? n - 60 : 1))
  for each in $n $old; do
    pattern $each > /tmp/want
    dd if=/dev/vdb of=/tmp/got bs=65536 skip=$((each % 64)) count=1 2>/dev/null || bad=$((bad + 1))
    cmp -s /tmp/want /tmp/got || bad=$((bad + 1))
  done
  echo "$n $bad" > /tmp/pattern.new; mv /tmp/pattern.new /tmp/pattern
done
"""


@dataclass(frozen=True)
class Patterns:
    """What the writer tells: how many patterns it has written and verified, and how many were wrong or failed."""

    written: int
    bad: int


class PatternWriter:
    """The writer in a guest whose second disk is `/dev/vdb`."""

    def __init__(self, lab: LabHandle, host: str, vm_uuid: str) -> None:
        self.shell = GuestShell(lab, host, vm_uuid)

    def start(self) -> None:
        self.shell.start_forever("writer", _SCRIPT)
        self.wait_more(1, timeout_s=120)

    def look(self) -> Patterns:
        told = self.shell.run("cat /tmp/pattern 2>/dev/null || echo 0 0").split()
        return Patterns(int(told[0]), int(told[1]))

    def wait_more(self, count: int, timeout_s: float) -> Patterns:
        """What it tells once it has written so many more."""
        before, deadline = self.look(), time.monotonic() + timeout_s
        while (now := self.look()).written < before.written + count:
            assert time.monotonic() < deadline, f"the guest wrote {now.written - before.written} of {count} patterns"
            time.sleep(0.3)
        return now
