"""A lab in the hands of a program: tests, benchmarks and the walkthrough move its boxes through this."""

import time
from dataclasses import dataclass
from pathlib import Path

from cardume.lab import container, control, room, services, stalls, watchdog
from cardume.lab.layout import Lab, Network, get_lab
from cardume.lab.programs import run
from cardume.lab.services import Service
from cardume.lab.watchdog import WatchdogReport


@dataclass(frozen=True)
class LabHandle:
    """A lab that is up. Hosts are named as people name them: `d1-g1`, `freenas`."""

    lab: Lab

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(box.name for box in self.lab.hosts)

    def address(self, host: str, network: Network = Network.MANAGEMENT) -> str:
        """The address of a host in a network."""
        return str(self.lab.address(self.lab.get_box(host), network))

    def exec(self, host: str, *command: str, timeout_s: float = 60.0, stdin: str | None = None) -> str:
        """The output of a command inside a host; ProgramError when it fails."""
        leader = control.get_leader(self.lab, self.lab.get_box(host))
        return container.execute(leader, *command, timeout_s=timeout_s, stdin=stdin)

    def path(self, host: str, path: str) -> Path:
        """A file inside a running host, as this machine reaches it."""
        leader = control.get_leader(self.lab, self.lab.get_box(host))
        return Path(f"/proc/{leader}/root") / path.removeprefix("/")

    def power_off(self, host: str) -> float:
        """Cut a host's power; the time (seconds since the epoch) when it was gone."""
        return control.power_off(self.lab, self.lab.get_box(host))

    def power_on(self, host: str, booted: bool = True) -> None:
        """Give a host power, and wait until it has booted unless told not to."""
        box = self.lab.get_box(host)
        control.power_on(self.lab, box)
        if booted:
            room.wait_booted(self.lab, box)

    def unplug(self, host: str, *networks: Network) -> None:
        """Pull a host's cables, both when none is named."""
        control.unplug(self.lab, self.lab.get_box(host), networks or tuple(Network))

    def plug(self, host: str, *networks: Network) -> None:
        """Plug a host's cables in, both when none is named."""
        control.plug(self.lab, self.lab.get_box(host), networks or tuple(Network))

    def stall(self, host: str, program: str) -> None:
        """Make a program of a host stand still, as one that hangs does."""
        stalls.stall(self.lab, self.lab.get_box(host), program)

    def resume(self, host: str, program: str) -> None:
        """Let a program of a host go on that was made to stand still."""
        stalls.resume(self.lab, self.lab.get_box(host), program)

    def watchdog(self, host: str) -> WatchdogReport:
        """What the watchdog of a host has told since the host got its power, whether it has it still or not."""
        return watchdog.read_report(self.lab, self.lab.get_box(host))

    def stop_target(self, service: Service = Service.ISCSI) -> None:
        """Kill a service of the storage server, as a crash would; it stays away."""
        services.stop(self.lab, service)

    def start_target(self, service: Service = Service.ISCSI) -> None:
        """Give a service of the storage server back, and wait until it answers."""
        services.start(self.lab, service)

    def resize_lun(self, iqn: str, number: int, size_bytes: int) -> None:
        """Grow or shrink a LUN under its sessions."""
        services.resize_lun(self.lab, iqn, number, size_bytes)

    def answers_ping(self, address: str, timeout_s: float = 30.0, source: str = "freenas") -> bool:
        """True when an address answers a ping from a box within the time."""
        deadline = time.monotonic() + timeout_s
        leader = control.get_leader(self.lab, self.lab.get_box(source))
        probe = container.entering(
            leader, ("sh", "-c", 'ping -q -c1 -W1 "$1" >/dev/null && echo yes || true', "sh", address)
        )
        while run(*probe, timeout_s=10).strip() != "yes":
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def status(self, host: str) -> str:
        """Whether a host has power: `on`, `off`, or `ending` while a cut is tidied up."""
        return next(str(box["power"]) for box in control.list_status(self.lab) if box["name"] == host)


def handle(name: str) -> LabHandle:
    """The handle of a lab that is up."""
    return LabHandle(get_lab(name))


def quiet(part: str, step: str) -> None:
    """Progress for nobody."""
