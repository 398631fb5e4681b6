"""Power and cables of one box, as its supervisor holds them."""

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from cardume.lab import container, entered, network, volume, watchdog
from cardume.lab.container import Running
from cardume.lab.errors import LabError
from cardume.lab.layout import Box, Lab, Network, Role, write_whole
from cardume.lab.programs import wait_until
from cardume.lab.volume import HeldDisk

DISK_BYTES = {Role.HOST: 64 << 30, Role.FREENAS: 100 << 30}
END_TIMEOUT_S = 40.0
LOOK_AT_ENTERED_S = 1.0


class Power(StrEnum):
    """Whether a box has power; `ending` while what a cut left is tidied up."""

    ON = "on"
    OFF = "off"
    ENDING = "ending"


def read_facts(lab: Lab, box: Box) -> dict[str, Any]:
    """What is written down of a box: its layers, which cables are pulled, the device number of its overlay."""
    try:
        facts: dict[str, Any] = json.loads((lab.box_directory(box) / "box.json").read_text())
    except FileNotFoundError:
        return {"layers": [], "pulled": [], "overlay": None}
    return facts


class PoweredBox:
    """A box with its power switch and its cables. Safe to use from several threads."""

    def __init__(self, lab: Lab, box: Box, log: Callable[[str], None]) -> None:
        self.lab, self.box, self._log = lab, box, log
        self._directory = lab.box_directory(box)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._volume = volume.volume_of(self._directory)
        self._lock = threading.RLock()
        self._running: Running | None = None
        self._disk: HeldDisk | None = None
        self._cut = False
        self._facts = read_facts(lab, box)

    # Facts outlive a supervisor, and tell `down` what to look for.

    def _keep(self, **facts: Any) -> None:
        self._facts |= facts
        write_whole(self._directory / "box.json", json.dumps(self._facts))

    @property
    def layers(self) -> tuple[Path, ...]:
        return tuple(Path(layer) for layer in self._facts["layers"])

    def status(self) -> Mapping[str, Any]:
        """What a person, or a test, wants to know of the box."""
        running = self._running
        power = Power.OFF if running is None else Power.ENDING if self._cut else Power.ON
        return {
            "name": self.box.name,
            "role": self.box.role.value,
            "power": power.value,
            "leader": running.leader if running is not None and power is Power.ON else None,
            "layers": [layer.name for layer in self.layers],
            "networks": {
                one.value: {
                    "address": str(self.lab.address(self.box, one)),
                    "cable": "unplugged" if one.value in self._facts["pulled"] else "plugged",
                }
                for one in Network
            },
        }

    def adopt(self) -> None:
        """Take over the container that an earlier supervisor left running, or tidy up after one that ended."""
        with self._lock:
            running = container.find(self.lab, self.box)
            if running is not None:
                self._watch(running)
            elif self._volume.image.exists():
                volume.detach(self._volume, self._facts.get("overlay"))

    def power_on(self, layers: Sequence[str]) -> None:
        """Give it power: the journal is replayed and the box boots, the first time on a new disk.

        `layers` is the image for a box without one; a present box keeps its own unless a newer one is given.
        """
        wait_until(f"the end of {self.box.name}", lambda: self._running is None or not self._cut, END_TIMEOUT_S)
        with self._lock:
            if self._running is not None:
                return
            if layers:
                self._keep(layers=list(layers))
            if not self.layers:
                raise LabError(f"{self.box.name} was never made: `cardume lab up` makes it")
            first = not self._volume.image.exists()
            if first:
                volume.create(self._volume, DISK_BYTES[self.box.role])
            try:
                self._start()
            except BaseException:
                self._abandon()
                raise

    def _start(self) -> None:
        if self.box.role is Role.HOST:
            watchdog.make_fifo(self.lab, self.box)
        running = container.start(self.lab, self.box, self.layers)
        for one in Network:
            network.connect(self.lab, self.box, one, plugged=one.value not in self._facts["pulled"])
        self._watch(running)
        self._log(f"{self.box.name} has power, leader {running.leader}")

    def _abandon(self) -> None:
        """Undo a start that failed half-way."""
        running = container.find(self.lab, self.box)
        if running is not None:
            container.kill(running)
            container.wait_gone(self.lab, self.box, running)
        volume.detach(self._volume, self._facts.get("overlay"))

    def power_off(self, leader: int | None = None) -> float:
        """Cut its power; the time (seconds since the epoch) when it was gone. Cables, disk, processes, in this order:
        data already queued in the network must not reach a target after the disk has died.

        leader: only the boot with this first process is meant, not one that followed it meanwhile.
        """
        with self._lock:
            running = self._running
            if running is None or self._cut or leader not in (None, running.leader):
                return time.time()
            self._cut = True
            network.set_cables(self.lab, self.box, tuple(Network), plugged=False)
            assert self._disk is not None, "a running box's disk is held"
            self._disk.cut()
            container.kill(running)
            when = time.time()
            self._log(f"{self.box.name} lost power at {when:.3f}")
            return when

    def reset(self) -> None:
        """Cut its power and give it back, as a hardware watchdog or a reset button does."""
        self.power_off()
        self.power_on(())

    def pull(self, networks: Collection[Network]) -> None:
        """Pull cables."""
        self._move(networks, plugged=False)

    def plug(self, networks: Collection[Network]) -> None:
        """Plug cables in again."""
        self._move(networks, plugged=True)

    def _move(self, networks: Collection[Network], plugged: bool) -> None:
        with self._lock:
            moved = {one.value for one in networks}
            pulled = set(self._facts["pulled"])
            self._keep(pulled=sorted(pulled - moved if plugged else pulled | moved))
            if self._running is not None and not self._cut:
                network.set_cables(self.lab, self.box, networks, plugged)

    def _watch(self, running: Running) -> None:
        self._disk = HeldDisk(self._volume, self._directory / "root", running.nspawn)
        self._keep(overlay=self._disk.overlay)
        self._running, self._cut = running, False
        if self.box.role is Role.HOST and watchdog.fifo_path(self.lab, self.box).exists():
            watchdog.begin(self.lab, self.box)  # before the host can arm it: nobody arms one that nobody reads
        threading.Thread(target=self._attend, args=(running, self._disk), name=self.box.name, daemon=True).start()

    def _attend(self, running: Running, disk: HeldDisk) -> None:
        """Wait for the container's end, whatever ended it, and leave its disk as a power cut would."""
        looked = time.monotonic()
        while container.is_alive(running.leader):
            time.sleep(0.1)
            if time.monotonic() - looked > LOOK_AT_ENTERED_S:
                entered.wake_those_that_ended(running.leader)
                looked = time.monotonic()
        with self._lock:
            cut = self._cut
            self._cut = True
            if not cut:
                # A shutdown in order has synced (see the image); after anything else what is unwritten must go.
                disk.cut()
            disk.release()
            try:
                container.wait_gone(self.lab, self.box, running)
                watchdog.end(self.lab, self.box)
                volume.detach(self._volume, disk.overlay)
            except LabError as error:
                self._log(f"{self.box.name}: {error}")
                return  # stays `ending`: a second start beside what is left would destroy the disk
            self._running, self._cut = None, False
            again = not cut and container.asked_for_reboot(self.lab, self.box)
        self._log(f"{self.box.name} is off{', by its own wish to start again' if again else ''}")
        if again:
            try:
                self.power_on(())
            except LabError as error:
                self._log(f"{self.box.name} did not start again: {error}")
