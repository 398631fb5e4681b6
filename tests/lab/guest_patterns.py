"""A guest that writes patterns to a second disk of its own and verifies them, again and again, until it is ended."""

import base64
import json
import time
from dataclasses import dataclass

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
        self._lab, self._host, self._vm = lab, host, vm_uuid

    def start(self) -> None:
        self._exec(f"cat > /tmp/writer <<'END'\n{_SCRIPT}\nEND\nsetsid sh /tmp/writer </dev/null >/dev/null 2>&1 &")
        self.wait_more(1, timeout_s=30)

    def look(self) -> Patterns:
        told = self.ask("cat /tmp/pattern 2>/dev/null || echo 0 0").split()
        return Patterns(int(told[0]), int(told[1]))

    def wait_more(self, count: int, timeout_s: float) -> Patterns:
        """What it tells once it has written so many more."""
        before, deadline = self.look(), time.monotonic() + timeout_s
        while (now := self.look()).written < before.written + count:
            assert time.monotonic() < deadline, f"the guest wrote {now.written - before.written} of {count} patterns"
            time.sleep(0.3)
        return now

    def ask(self, command: str) -> str:
        """What a shell command prints in the guest."""
        pid = self._exec(command)
        deadline = time.monotonic() + 20
        while not (status := self._agent("guest-exec-status", pid=pid)).get("exited"):
            assert time.monotonic() < deadline, f"{command} did not end in the guest"
            time.sleep(0.05)
        return base64.b64decode(str(status.get("out-data", ""))).decode()

    def _exec(self, command: str) -> int:
        path, arguments = "/bin/sh", ["-c", command]
        started = self._agent("guest-exec", **{"path": path, "arg": arguments, "capture-output": True})
        pid = started["pid"]
        assert isinstance(pid, int)
        return pid

    def _agent(self, execute: str, **arguments: object) -> dict[str, object]:
        question = json.dumps({"execute": execute, "arguments": arguments})
        answer = self._lab.exec(self._host, "virsh", "qemu-agent-command", "--timeout", "20", self._vm, question)
        told: dict[str, object] = json.loads(answer)["return"]
        return told
