"""What one guest can hold: refused here, with the limit named, before libvirt answers in riddles."""

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.guest import Disk, DiskBus, GuestSpec, Nic

MAX_DISKS = 16  # disks and CD drives together: userdevices 0 to 15
MAX_NICS = 7  # devices 0 to 6
MIN_MEMORY_BYTES = 1 << 20


def check_spec(spec: GuestSpec) -> None:
    """Raise GuestError, naming what is wrong, when no guest can be made of this."""
    if spec.memory_bytes < MIN_MEMORY_BYTES:
        raise GuestError(f"a guest needs at least 1 MiB of memory, not {spec.memory_bytes} bytes")
    if not 1 <= spec.vcpus <= spec.vcpus_max:
        raise GuestError(f"{spec.vcpus} virtual CPUs are not between 1 and the maximum of {spec.vcpus_max}")
    if spec.cores_per_socket < 1 or spec.vcpus_max % spec.cores_per_socket:
        raise GuestError(f"{spec.vcpus_max} virtual CPUs do not divide into sockets of {spec.cores_per_socket} cores")
    _check_unique("disk", [disk.device for disk in spec.disks])
    _check_unique("network card", [nic.device for nic in spec.nics])
    for disk in spec.disks:
        check_disk(disk)
    for nic in spec.nics:
        check_nic(nic)


def check_disk(disk: Disk) -> None:
    """Raise GuestError when the disk has no place in a guest."""
    number = _device_number("disk", disk.device)
    if number >= MAX_DISKS:
        raise GuestError(f"disk {disk.device}: a guest takes {MAX_DISKS} disks and CD drives, numbered 0 to 15")
    if disk.source is None and not disk.is_cdrom:
        raise GuestError(f"disk {disk.device} has no source; only a CD drive can be empty")


def check_nic(nic: Nic) -> None:
    """Raise GuestError when the card has no place in a guest."""
    if _device_number("network card", nic.device) >= MAX_NICS:
        raise GuestError(f"network card {nic.device}: a guest takes {MAX_NICS} cards, numbered 0 to 6")


def check_hotplug(disk: Disk) -> None:
    """Raise GuestError when the disk cannot be plugged into a guest that runs."""
    check_disk(disk)
    if disk.is_cdrom or disk.bus is DiskBus.SATA:
        kind = "a CD drive" if disk.is_cdrom else "a disk on the SATA bus"
        raise GuestError(f"disk {disk.device}: {kind} can be added only while the guest is off")


def _device_number(what: str, device: str) -> int:
    if not (device.isascii() and device.isdigit()) or str(int(device)) != device:
        raise GuestError(f"{what} {device!r}: a device is a plain number")
    return int(device)


def _check_unique(what: str, devices: list[str]) -> None:
    for device in devices:
        if devices.count(device) > 1:
            raise GuestError(f"two devices claim the place of {what} {device}")
