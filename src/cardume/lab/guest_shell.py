"""Shell commands in the lab's guest, by its agent, from the host that runs it."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle

_LOOK_S = 0.05
_BOOT_S = 240.0


@dataclass(frozen=True, slots=True)
class GuestShell:
    """The agent of one guest; ProgramError where it does not answer."""

    lab: LabHandle
    host: str
    vm_uuid: str

    def run(self, command: str, timeout_s: float = 120.0) -> str:
        """What a command prints; LabError when it does not end within the time."""
        pid = self.start(command)
        deadline = time.monotonic() + timeout_s
        while not (status := self._ask("guest-exec-status", pid=pid))["exited"]:
            if time.monotonic() > deadline:
                raise LabError(f"no end in the guest: {command[:60]}")
            time.sleep(_LOOK_S)
        return base64.b64decode(status.get("out-data", "")).decode()

    def start(self, command: str) -> int:
        """Begin a command; its pid in the guest."""
        given = {"path": "/bin/sh", "arg": ["-c", command], "capture-output": True}
        return int(self._ask("guest-exec", **given)["pid"])

    def start_forever(self, name: str, script: str) -> None:
        """Begin a script that goes on by itself, kept below /tmp under its name."""
        self.run(f"cat > /tmp/{name} <<'END'\n{script}\nEND\nsetsid sh /tmp/{name} </dev/null >/dev/null 2>&1 &")

    def wait(self, timeout_s: float = _BOOT_S) -> None:
        """Wait until the agent answers."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.run("true", timeout_s=5)
                return
            except LabError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def _ask(self, execute: str, **arguments: object) -> dict[str, Any]:
        question = json.dumps({"execute": execute, "arguments": arguments})
        told = self.lab.exec(self.host, "virsh", "qemu-agent-command", "--timeout", "20", self.vm_uuid, question)
        return dict(json.loads(told)["return"])
