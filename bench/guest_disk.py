"""What a guest gets of a disk on the LUN, against the same guest on a whole LUN that libvirt was given by hand.

Both disks are of one target, open in one guest at the same time, and used in turns. The guest's own part is small:
`dd` around its page cache, where each request waits for the last one.
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.copies import MASTER, MIB, new_vdi
from bench.table import Row, seconds
from cardume.lab.guest_shell import GuestShell
from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network
from cardume.lab.targets import IQN, MORE

ROUNDS = 7
LIMIT = 1.15
SEQUENTIAL_MIB, NOISE_MIB = 128, 8
PLACES, PLACE_BLOCKS = 32, 64
GUEST = f"vm-{MASTER}"
TARGET = f"{IQN}:scratch"

_PLAIN = """
<disk type='network' device='disk'>
  <driver name='qemu' type='raw' cache='none' io='threads' discard='unmap'/>
  <source protocol='iscsi' name='{target}/1'>
    <host name='{address}' port='3260'/>
    <initiator><iqn name='iqn.2026-01.org.cardume:bench'/></initiator>
  </source>
  <target dev='vdz' bus='virtio'/>
  <serial>plain</serial>
</disk>
"""

# Scattered places, the same for both disks; in each some blocks of 4 KiB, so that starting `dd` weighs little.
_SCRIPT = """
disk=$1 what=$2
moved() { dd "$@" 2>&1 | grep -q "^$count+0 records out" || echo failed; }
began=$(cut -d' ' -f1 /proc/uptime)
case $what in
write) count=%(noise)d n=0; while [ $n -lt %(mib)d ]; do
     moved if=/tmp/noise of=$disk bs=1M seek=$n count=$count oflag=direct conv=notrunc,fsync
     n=$((n + %(noise)d))
   done ;;
*) count=%(blocks)d n=0; while [ $n -lt %(places)d ]; do
     at=$((n * 7919 %% 240 * 1024))
     case $what in
     small-write) moved if=/tmp/noise of=$disk bs=4k seek=$at count=$count oflag=direct conv=notrunc ;;
     small-read) moved if=$disk of=/dev/null bs=4k skip=$at count=$count iflag=direct ;;
     esac
     n=$((n + 1))
   done ;;
esac
echo "$began $(cut -d' ' -f1 /proc/uptime)"
"""


def rows(lab: LabHandle, api: Any, sr: str) -> Iterator[Row]:
    """The rows; the guest has its disks as before at the end."""
    (vm,) = api.VM.get_by_name_label(GUEST)
    if api.VM.get_power_state(vm) == "Halted":
        api.VM.start(vm, False, False)
    uuid = api.VM.get_uuid(vm)
    guest = GuestShell(lab, MASTER, uuid)
    guest.wait()
    size_bytes = next(lun.size_bytes for target in MORE if target.iqn == TARGET for lun in target.luns)
    vdi = new_vdi(api, sr, size_bytes, "for a guest")
    vbd = _plug(api, vm, vdi)
    plain = _PLAIN.format(target=TARGET, address=lab.address("freenas", Network.STORAGE))
    lab.exec(MASTER, "virsh", "attach-device", uuid, "/dev/stdin", stdin=plain)
    try:
        yield from _measured(guest, _find(guest, "/sys/block/vdb"), _find(guest, "/sys/block/vdc"))
    finally:
        lab.exec(MASTER, "virsh", "detach-device", uuid, "/dev/stdin", stdin=plain)
        api.VBD.unplug(vbd)
        api.VBD.destroy(vbd)
        api.VDI.destroy(vdi)


def _plug(api: Any, vm: str, vdi: str) -> str:
    kind = {"userdevice": "1", "bootable": False, "mode": "RW", "type": "Disk", "empty": False}
    qos = {"other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
    vbd = api.VBD.create({"VM": vm, "VDI": vdi, **kind, **qos})
    api.VBD.plug(vbd)
    return str(vbd)


def _measured(guest: GuestShell, ours: str, plain: str) -> Iterator[Row]:
    numbers = {"mib": SEQUENTIAL_MIB, "noise": NOISE_MIB, "places": PLACES, "blocks": PLACE_BLOCKS}
    guest.run(
        f"cat > /tmp/disk-bench <<'END'\n{_SCRIPT % numbers}END\nhead -c {NOISE_MIB * MIB} /dev/urandom > /tmp/noise"
    )
    requests = PLACES * PLACE_BLOCKS
    for what, told, size_bytes in (
        ("write", f"{SEQUENTIAL_MIB} MiB written in requests of 1 MiB", SEQUENTIAL_MIB * MIB),
        ("small-write", f"{requests} scattered writes of 4 KiB", 0),
        ("small-read", f"{requests} scattered reads of 4 KiB", 0),
    ):
        for disk in (ours, plain):
            _took_s(guest, disk, what)  # the target's file has these blocks from then on
        took: dict[str, list[float]] = {ours: [], plain: []}
        for number in range(ROUNDS):
            for disk in (ours, plain) if number % 2 else (plain, ours):
                took[disk].append(_took_s(guest, disk, what))
        mine, theirs = took[ours], took[plain]
        median = statistics.median(mine)
        ratio = median / statistics.median(theirs)
        rate = f"{size_bytes / median / 1e6:.0f} MB/s" if size_bytes else f"{requests / median:.0f}/s"
        measured = f"{ratio:.2f} ×; {rate}; {seconds(mine)}"
        yield Row(f"in a guest: {told}", measured, f"{seconds(theirs)} plain LUN", f"{LIMIT:g} ×", ratio <= LIMIT)


def _took_s(guest: GuestShell, disk: str, what: str) -> float:
    told = guest.run(f"sh /tmp/disk-bench {disk} {what}")
    if "failed" in told:
        raise RuntimeError(f"{what} of {disk} failed in the guest")
    began, ended = told.split()
    return float(ended) - float(began)


def _find(guest: GuestShell, entry: str, timeout_s: float = 30) -> str:
    """The device of a disk, once the guest has it."""
    deadline = time.monotonic() + timeout_s
    while guest.run(f"test -e {entry} && echo yes").strip() != "yes":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the guest has no {entry}")
        time.sleep(0.2)
    return f"/dev/{entry.rsplit('/', 1)[1]}"
