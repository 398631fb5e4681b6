"""The machine room as a whole: brought up, completed, and removed without a trace."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network
from pathlib import Path

from cardume.lab import container, control, network, services, volume, watchdog, web_console
from cardume.lab.cache import CACHE, Progress
from cardume.lab.errors import LabError, ProgramError
from cardume.lab.guest import GuestImage
from cardume.lab.images import Images, build_images, prune
from cardume.lab.layers import get_project
from cardume.lab.layout import (
    DEFAULT_SUBNET,
    MAX_HOSTS,
    STATE,
    Box,
    Lab,
    Network,
    Role,
    check_name,
    find_lab,
    plan_lab,
    remember,
)
from cardume.lab.machine_limits import assert_inotify_left
from cardume.lab.power import read_facts
from cardume.lab.programs import run, wait_until

BOOT_TIMEOUT_S = 180.0
_NEEDED = {  # program: Debian package
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "fstrim": "util-linux",
    "nsenter": "util-linux",
}
_KERNEL = ("overlay", "ext4")  # file systems
_MODULES = ("overlay", "loop", "veth", "bridge", "tun", "fuse")

Furnish = Callable[[Lab, GuestImage, Progress], None]


def assert_can_run() -> None:
    """LabError in one sentence when the lab cannot run here at all."""
    if os.geteuid() != 0:
        raise LabError("the lab makes containers, networks and loop devices: run it as root")
    missing = sorted({package for program, package in _NEEDED.items() if shutil.which(program) is None})
    if missing:
        raise LabError(f"programs are missing; as root: apt-get install {' '.join(missing)}")


def _assert_kernel() -> None:
    for module in _MODULES:
        with suppress(LabError):  # built in, or there is no modprobe: what counts is checked below
            run("modprobe", "--quiet", module, timeout_s=30)
    known = Path("/proc/filesystems").read_text().split()
    missing = [name for name in _KERNEL if name not in known]
    missing += [device for device in ("/dev/loop-control", "/dev/net/tun", "/dev/fuse") if not Path(device).exists()]
    if missing:
        raise LabError(f"the kernel of this machine has no {', '.join(missing)}; the lab needs it")


def plan_up(name: str, subnet: str | None, host_count: int | None, more_targets: bool = False) -> Lab:
    """The lab that `up` is to bring about: a present one grows, but keeps its subnet and the targets it offers."""
    check_name(name)
    present = find_lab(name)
    if present is None:
        return plan_lab(name, subnet or DEFAULT_SUBNET, host_count or 2, more_targets)
    if subnet is not None and present.subnet != IPv4Network(plan_lab(name, subnet, 1).subnet):
        raise LabError(
            f"the lab {name} is on {present.subnet}; to move it to {subnet}, forget it first: "
            f"cardume lab down --name {name}"
        )
    if host_count is not None and host_count < present.host_count:
        raise LabError(f"the lab {name} has {present.host_count} hosts and does not shrink; `lab down` forgets it")
    return plan_lab(name, str(present.subnet), host_count or present.host_count, more_targets or present.more_targets)


def up(lab: Lab, progress: Progress, furnish: Furnish | None = None, cache: Path = CACHE) -> None:
    """Bring about the lab: what is missing is made, what is off gets power, pulled cables are plugged, disks stay.

    `furnish` then brings the booted hosts to a starting point.
    """
    assert_can_run()
    _assert_kernel()
    with _alone_with(lab.name):
        network.assert_no_overlap(lab)
        images = build_images(cache, get_project(), progress)
        assert_inotify_left(sum(container.find(lab, box) is None for box in lab.boxes))
        remember(lab)
        progress("network", f"{lab.subnet} in the namespace {lab.netns}")
        network.build_network(lab)
        control.ensure_supervisor(lab)
        _power_on(lab, images, progress)
        prune(cache, images, list_used_layers(cache))
        if furnish is not None:
            furnish(lab, images.guest, progress)


def _power_on(lab: Lab, images: Images, progress: Progress) -> None:
    def runs(box: Box) -> bool:
        """True when the box runs on these images: one that had power keeps the ones it started with."""
        return bool([str(layer) for layer in images.layers[box.role]] == read_facts(lab, box)["layers"])

    def bring(box: Box) -> None:
        progress(box.name, "power on")
        control.plug(lab, box, tuple(Network))
        control.power_on(lab, box, images.layers[box.role])
        progress(box.name, "booting")
        wait_booted(lab, box)
        if box.role is Role.FREENAS:
            services.complete(lab)
        progress(box.name, "up" if runs(box) else "up, with an older build: cut its power and `up` again to renew it")

    each(lab.boxes, bring)


def each(boxes: Sequence[Box], work: Callable[[Box], None]) -> None:
    """Do the work for all boxes side by side; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        for done in [pool.submit(work, box) for box in boxes]:
            done.result()


def wait_booted(lab: Lab, box: Box, timeout_s: float = BOOT_TIMEOUT_S) -> None:
    """Return when a box's systemd says `running`; LabError naming the units that failed."""
    leader = control.get_leader(lab, box)
    enter = container.entering(leader, ("systemctl", "is-system-running", "--wait"))

    def manager_answers() -> bool:
        with suppress(ProgramError):
            container.execute(leader, "systemctl", "show", "--property=Version", timeout_s=10)
            return True
        return False

    wait_until(f"the boot of {box.name}", manager_answers, timeout_s, every_s=0.2)
    try:
        run(*enter, timeout_s=timeout_s)
    except ProgramError as error:
        failed = container.execute(leader, "systemctl", "--failed", "--plain", "--no-legend", timeout_s=20)
        raise LabError(f"{box.name} came up {error.output.strip() or 'badly'}: {failed.strip()}") from None


def down(name: str, progress: Progress) -> bool:
    """Remove the lab: processes, disks, networks, everything. False when there was nothing.

    It needs no supervisor and no whole state: what a crash left is removed too.
    """
    assert_can_run()
    check_name(name)
    with _alone_with(name):
        # Without its paper the lab may have had any of these boxes.
        lab = find_lab(name) or plan_lab(name, DEFAULT_SUBNET, MAX_HOSTS)
        there = lab.directory.exists() or Path("/run/netns", lab.netns).exists()
        if lab.directory.exists():
            _end_boxes(lab, progress)
        progress("network", "removing")
        network.remove_network(lab)
        if lab.directory.exists():
            shutil.rmtree(lab.directory)
    return there


def _end_boxes(lab: Lab, progress: Progress) -> None:
    running = [box for box in lab.boxes if container.find(lab, box)]
    if running:
        with suppress(LabError):  # the way in order: whoever cuts the power also frees what the boxes held
            control.ensure_supervisor(lab)
            for box in running:
                progress(box.name, "power off")
                control.power_off(lab, box)
            wait_until("the end of the boxes", lambda: _all_off(lab), timeout_s=60)
    control.stop_supervisor(lab)
    web_console.stop(lab)
    for box in lab.boxes:
        left = container.find(lab, box)
        if left is not None:
            container.kill(left)
            container.wait_gone(lab, box, left)
        watchdog.end(lab, box)
        container.remove_cgroups(lab, box)
        volume.detach(volume.volume_of(lab.box_directory(box)), read_facts(lab, box)["overlay"])


def _all_off(lab: Lab) -> bool:
    return all(status["power"] == "off" for status in control.list_status(lab))


def list_used_layers(cache: Path, state: Path = STATE) -> list[Path]:
    """The images that the boxes of any lab of this machine run on."""
    texts = []
    for path in state.glob("*/boxes/*/box.json"):
        with suppress(FileNotFoundError):  # that lab is being brought down
            texts.append(path.read_text())
    return [path for path in cache.glob("*-*") if any(f'{path}"' in text for text in texts)]


@contextmanager
def _alone_with(name: str) -> Iterator[None]:
    """No other `up` or `down` of the same lab meanwhile."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another command is bringing the lab {name} up or down: wait for it") from None
        yield
