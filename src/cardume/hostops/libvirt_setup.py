"""What libvirt needs on a host beyond its package's defaults: QEMU may reach KVM and the sockets of disks."""

import grp
import os
import stat
from pathlib import Path

from cardume.hostops.durable import write_text
from cardume.hostops.errors import GuestError
from cardume.hostops.run import run

KVM = Path("/dev/kvm")
KVM_RULE = Path("/etc/udev/rules.d/65-cardume-kvm.rules")
APPARMOR = Path("/etc/apparmor.d/local/abstractions/libvirt-qemu")
APPARMOR_RULE = "/run/cardume/** rw,"


async def configure_libvirt(*, timeout_s: float = 60) -> None:
    """Let QEMU's user open /dev/kvm and AppArmor let it reach our sockets; libvirtd runs when this returns."""
    _open_kvm()
    if APPARMOR.parent.is_dir() and APPARMOR_RULE not in _read(APPARMOR):
        write_text(APPARMOR, _read(APPARMOR) + APPARMOR_RULE + "\n")
    await run("systemctl", "enable", "--now", "--quiet", "libvirtd.service", timeout_s=timeout_s)


def _open_kvm() -> None:
    """Give /dev/kvm to the group kvm, as udev does where it runs.

    A device that only root can open costs dear: libvirt then asks QEMU for its abilities anew at every start of a
    guest, which takes most of a minute.
    """
    if not KVM.exists():
        return
    try:
        group = grp.getgrnam("kvm").gr_gid
    except KeyError:
        raise GuestError("there is no group kvm: is libvirt-daemon-system installed?") from None
    now = KVM.stat()
    if now.st_gid == group and stat.S_IMODE(now.st_mode) & 0o060 == 0o060:
        return
    os.chown(KVM, -1, group)
    KVM.chmod(0o660)
    if KVM_RULE.parent.is_dir():
        write_text(KVM_RULE, 'KERNEL=="kvm", GROUP="kvm", MODE="0660"\n')


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
