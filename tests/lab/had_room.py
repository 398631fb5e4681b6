"""The HA daemons of two hosts of a lab, without a pool: brought together on the LUN of a target that needs CHAP."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from cardume.lab.errors import ProgramError
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

HOSTS = ("d1-g1", "d2-g1")
UUIDS = ("0a000000-0000-4000-8000-000000000001", "0a000000-0000-4000-8000-000000000002")
_IQN = "iqn.2005-10.org.freenas.cttl:chap"
_PREPARE = """
import json, sys
from dataclasses import replace
from cardume.ha.records import HostEntry
from cardume.had.config import ChapFacts, HadConfig, StatefileFacts, write_config
from cardume.had.disk import open_statefile_lun
from cardume.had.places import CONFIG
from cardume.had.statefile import format_statefile

wish = json.loads(sys.argv[1])
chap = ChapFacts("cardume", "chap-secret-12")
facts = StatefileFacts(0, 8 << 20, "", wish["portal"], wish["iqn"], 1, "iqn.2026-01.org.cardume:" + wish["me"], chap)
lun = open_statefile_lun(facts, "ffffffff-0000-4000-8000-" + wish["me"][-12:], 5)
facts = replace(facts, scsi_id=lun.facts.scsi_id)
hosts = tuple(HostEntry(one, tuple(addresses)) for one, addresses in wish["hosts"])
config = HadConfig(wish["generation"], wish["me"], "lab", hosts, b"a secret of the lab's tests alone", facts)
if wish["format"]:
    format_statefile(lun, 0, 8 << 20, config.superblock(512))
lun.close()
write_config(CONFIG, config)
"""
_GUEST = """
exec qemu-system-x86_64 -accel tcg -S -m 16 -nodefaults -display none -daemonize \\
  -pidfile /run/guest.pid -monitor unix:/run/guest,server=on,wait=off \\
  -drive "if=none,id=disk,format=raw,cache=none,file=iscsi://cardume%chap-secret-12@$0/$1/1"
"""
_WRITE = """
import socket, sys
with socket.socket(socket.AF_UNIX) as monitor:
    monitor.settimeout(10)
    monitor.connect("/run/guest")
    for at in range(int(sys.argv[1]), int(sys.argv[1]) + 64 * 4096, 4096):
        monitor.sendall(b'qemu-io disk "aio_write -P 0xcd %d 4k"\\n' % at)
    heard = b""
    while heard.count(b"(qemu)") < 65:
        heard += monitor.recv(65536)
"""
_READ = """
import sys
from cardume.had.config import read_config
from cardume.had.disk import open_statefile_lun
from cardume.had.places import CONFIG
lun = open_statefile_lun(read_config(CONFIG).statefile, "ffffffff-0000-4000-8000-000000000009", 5)
print(lun.read(int(sys.argv[1]), 64 * 4096).count(0xcd))
lun.close()
"""
_FORGET = "rm -f /var/lib/cardume/ha.json /var/lib/cardume/ha-last-words.json"


@dataclass(frozen=True)
class HadRoom:
    """What tests ask the daemons of the two hosts."""

    lab: LabHandle

    def prepare(self) -> None:
        """A new generation on both hosts, in which nobody takes part yet."""
        portal = f"{self.lab.address('freenas', Network.STORAGE)}:3260"
        addresses = [[self.lab.address(host, network) for network in Network] for host in HOSTS]
        wish = {"generation": str(uuid.uuid4()), "portal": portal, "iqn": _IQN}
        for host, me in zip(HOSTS, UUIDS, strict=True):
            own = {"me": me, "format": host == HOSTS[0], "hosts": list(zip(UUIDS, addresses, strict=True))}
            self.lab.exec(host, f"{VENV}/bin/python", "-c", _PREPARE, json.dumps(wish | own))

    def ask(self, host: str, do: str, /, **details: Any) -> dict[str, Any]:
        """The daemon's answer; ProgramError with its refusal."""
        answer: dict[str, Any] = json.loads(self.lab.exec(host, "cardume-had", json.dumps({"do": do, **details})))
        return answer

    def find(self, host: str) -> dict[str, Any]:
        """The daemon's status; nothing while it, or its host, is away."""
        try:
            return self.ask(host, "status")
        except Exception:  # whatever a host says that has just lost its power
            return {}

    def wait(self, what: str, host: str, timeout_s: float, **facts: Any) -> dict[str, Any]:
        """The first status that says all of these."""
        found: list[dict[str, Any]] = []

        def says_so() -> bool:
            status = self.find(host)
            found[:] = [status]
            return all(status.get(key) == value for key, value in facts.items())

        wait_until(f"{what} on {host}", says_so, timeout_s, every_s=0.3)
        return found[0]

    def start_guest(self, host: str) -> None:
        """A guest of that host on the LUN, that does nothing of its own accord."""
        portal = f"{self.lab.address('freenas', Network.STORAGE)}:3260"
        self.lab.exec(host, "sh", "-c", _GUEST, portal, _IQN)

    def write_as_guest(self, host: str, at: int) -> None:
        """Have the guest write 256 KiB; nobody waits for the target's answer."""
        self.lab.exec(host, f"{VENV}/bin/python", "-c", _WRITE, str(at))

    def written(self, host: str, at: int) -> int:
        """How much of what `write_as_guest` writes there is on the LUN, as another host reads it."""
        return int(self.lab.exec(host, f"{VENV}/bin/python", "-c", _READ, str(at)))

    def forget(self) -> None:
        """Leave nothing of it on the hosts, whatever state they are in."""
        for host in HOSTS:
            if self.lab.status(host) != "on":
                self.lab.power_on(host)
            self.lab.plug(host)
        for host in HOSTS:
            for do in ("emergency-disable", "stop"):
                try:
                    self.ask(host, do)
                except ProgramError:
                    pass  # it takes no part
            self.lab.exec(host, "sh", "-c", "pkill -9 -F /run/guest.pid 2>/dev/null || true")
            self.lab.exec(host, "sh", "-c", f"{_FORGET} /var/lib/cardume/ha-void")
