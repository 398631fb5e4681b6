"""Live migration of a guest on the LUN against `virsh migrate` of another such guest, in turns, both under pings.

The second guest is what the product started, given to libvirt by hand under another name: the same XML, a disk of the
same kind on the same LUN, the same flags and TLS.
"""

import re
import statistics
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import partial
from typing import Any

from bench.copies import MASTER, MEMBER
from bench.table import Row, seconds
from cardume.lab.api import find_vm_address
from cardume.lab.handle import LabHandle
from cardume.lab.pings import Pings
from cardume.lab.programs import wait_until

ROUNDS = 10
LIMIT = 1.15
LONGEST_GAP_S, MEDIAN_GAP_S = 1.0, 0.6
QUIET_S = 1.0
_BOOT_S = 120.0


def rows(lab: LabHandle, api: Any, sr: str) -> Iterator[Row]:
    """The rows; both guests are gone at the end."""
    ours, theirs = (_make(api, sr, name) for name in ("moved", "moved by hand"))
    (master,) = api.host.get_by_name_label(MASTER)
    api.VM.start_on(theirs, master, False, False)
    address = _address(api, theirs)
    plain = _Plain(lab, lab.exec(MASTER, "virsh", "dumpxml", "--migratable", api.VM.get_uuid(theirs)))
    api.VM.hard_shutdown(theirs)
    plain.start()
    try:
        api.VM.start_on(ours, master, False, False)
        wait_until("the guest by hand answers", partial(lab.answers_ping, address), _BOOT_S)
        yield from _measured(lab, api, ours, plain, _address(api, ours), address)
    finally:
        plain.end()
        for vm in (ours, theirs):
            _remove(api, vm)


class _Plain:
    """A guest that libvirt alone knows of."""

    def __init__(self, lab: LabHandle, xml: str) -> None:
        self._lab, self._host, self.uuid = lab, MASTER, str(uuid.uuid4())
        domain = ET.fromstring(re.sub(r"<metadata>.*?</metadata>", "", xml, flags=re.DOTALL))
        for tag in ("name", "uuid"):
            domain.find(tag).text = self.uuid  # type: ignore[union-attr]  # every domain has both
        for channel in domain.iterfind("devices/channel/source[@path]"):
            channel.attrib.pop("path")  # named after the guest
        self._xml = ET.tostring(domain, encoding="unicode")

    def start(self) -> None:
        self._lab.exec(self._host, "virsh", "create", "/dev/stdin", stdin=self._xml)

    def move(self) -> None:
        target = MEMBER if self._host == MASTER else MASTER
        address = self._lab.address(target)
        flags = ("--live", "--p2p", "--tls", "--auto-converge")
        where = (f"qemu+tls://{address}/system", f"tcp://{address}")
        self._lab.exec(self._host, "virsh", "migrate", *flags, self.uuid, *where, timeout_s=120)
        self._host = target

    def end(self) -> None:
        self._lab.exec(self._host, "virsh", "destroy", self.uuid)


def _measured(lab: LabHandle, api: Any, vm: str, plain: _Plain, address: str, plain_address: str) -> Iterator[Row]:
    hosts = api.host.get_all()

    def move() -> None:
        here = api.VM.get_resident_on(vm)
        api.VM.pool_migrate(vm, next(host for host in hosts if host != here), {})

    took: dict[str, list[float]] = {"ours": [], "theirs": []}
    gaps: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(ROUNDS):
        turns = [("ours", move, address), ("theirs", plain.move, plain_address)]
        for name, work, at in turns if number % 2 else reversed(turns):
            with Pings(lab, at) as pings:
                time.sleep(QUIET_S)
                began = time.perf_counter()
                work()
                took[name].append(time.perf_counter() - began)
                time.sleep(QUIET_S)
            gaps[name].append(pings.answers.longest_gap_s)
    yield _row("VM.pool_migrate, in all", took)
    yield _row("VM.pool_migrate, longest gap in pings each 50 ms", gaps)
    median, worst = statistics.median(gaps["ours"]), max(gaps["ours"])
    held = median <= MEDIAN_GAP_S and worst <= LONGEST_GAP_S
    limit = f"median {MEDIAN_GAP_S:g} s, worst {LONGEST_GAP_S:g} s"
    yield Row("the same gap by itself", f"median {median:.2f} s, worst {worst:.2f} s", "", limit, held)


def _row(what: str, samples: dict[str, list[float]]) -> Row:
    ratio = statistics.median(samples["ours"]) / statistics.median(samples["theirs"])
    measured = f"{ratio:.2f} ×; {seconds(samples['ours'])}"
    return Row(what, measured, f"{seconds(samples['theirs'])} virsh migrate", f"{LIMIT:g} ×", ratio <= LIMIT)


def _make(api: Any, sr: str, name: str) -> str:
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    vm = str(api.VM.copy(template, name, sr))
    api.VM.provision(vm)
    return vm


def _address(api: Any, vm: str) -> str:
    wait_until("the guest's address", lambda: find_vm_address(api, api.VM.get_name_label(vm)) is not None, _BOOT_S)
    return str(find_vm_address(api, api.VM.get_name_label(vm)))


def _remove(api: Any, vm: str) -> None:
    if api.VM.get_power_state(vm) != "Halted":
        api.VM.hard_shutdown(vm)
    disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(vm) if not api.VBD.get_empty(vbd)]
    api.VM.destroy(vm)
    for disk in disks:
        api.VDI.destroy(disk)
