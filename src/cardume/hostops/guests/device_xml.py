"""libvirt's XML of a guest's disks and network cards, from their declarations."""

from cardume.hostops.guests.guest import (
    Disk,
    DiskBus,
    DiskSource,
    FileSource,
    IscsiSource,
    NBDSource,
    NfsSource,
    Nic,
)
from cardume.hostops.guests.xml_element import Element, element

# libvirt keeps names that start with "ua-" as we gave them: a device is found again by its userdevice,
# whatever drive letter or PCI slot it got.
DISK_ALIAS = "ua-disk-"
NIC_ALIAS = "ua-nic-"


def disk_xml(disk: Disk, guest_uuid: str, *, boot_order: int | None = None, page_cache: bool = False) -> Element:
    """A `<disk>`. `page_cache` is for files on a file system that has no O_DIRECT (see `o_direct.py`)."""
    drive = "sd" if disk.is_cdrom or disk.bus is DiskBus.SATA else "vd"
    return element(
        "disk",
        _driver(disk, page_cache),
        source_xml(disk.source),
        element("target", dev=drive + "abcdefghijklmnop"[int(disk.device)], bus="sata" if drive == "sd" else "virtio"),
        element("readonly") if disk.readonly or disk.is_cdrom else None,
        element("serial", text=_serial(guest_uuid, disk.device)),
        element("boot", order=boot_order) if boot_order is not None else None,
        element("alias", name=DISK_ALIAS + disk.device),
        type_=source_type(disk.source),
        device="cdrom" if disk.is_cdrom else "disk",
    )


def source_xml(source: DiskSource | None) -> Element | None:
    """A disk's `<source>`; None for an empty drive."""
    match source:
        case FileSource(path):
            return element("source", **{"dev" if _is_block_device(path) else "file": path})
        case NBDSource(socket, export):
            host = element("host", transport="unix", socket=socket)
            return element("source", host, protocol="nbd", name=export)
        case IscsiSource():
            return _iscsi_xml(source)
        case NfsSource(server, path):
            # Root owns the images: the server is told so, whoever runs QEMU.
            return element(
                "source",
                element("host", name=server),
                element("identity", user="+0", group="+0"),
                protocol="nfs",
                name=path,
            )
        case None:
            return None


def source_type(source: DiskSource | None) -> str:
    """libvirt's `type` for a disk with this source; an empty drive waits for a file."""
    match source:
        case NBDSource() | IscsiSource() | NfsSource():
            return "network"
        case FileSource(path) if _is_block_device(path):
            return "block"
        case _:
            return "file"


def source_format(source: DiskSource | None) -> str:
    """The format QEMU reads the source with; what an NBD export holds is always plain blocks."""
    return source.format if isinstance(source, FileSource | NfsSource) else "raw"


def _iscsi_xml(source: IscsiSource) -> Element:
    secret = element("secret", type_="iscsi", usage=source.chap_secret)
    return element(
        "source",
        element("host", name=source.address, port=source.port),
        element("auth", secret, username=source.chap_user) if source.chap_user else None,
        element("initiator", element("iqn", name=source.initiator)),
        element("slices", element("slice", type_="storage", offset=source.offset, size=source.size)),
        protocol="iscsi",
        name=f"{source.target}/{source.lun}",
    )


def nic_xml(nic: Nic, *, boot_order: int | None = None) -> Element:
    """An `<interface>` on a bridge of this host."""
    return element(
        "interface",
        element("mac", address=nic.mac),
        element("source", bridge=nic.bridge),
        element("model", type_=nic.model.value),
        element("mtu", size=nic.mtu) if nic.mtu != 1500 else None,
        element("boot", order=boot_order) if boot_order is not None else None,
        element("alias", name=NIC_ALIAS + nic.device),
        type_="bridge",
    )


def _is_block_device(path: str) -> bool:
    return path.startswith("/dev/") and not path.startswith("/dev/shm/")


def _driver(disk: Disk, page_cache: bool) -> Element:
    if disk.is_cdrom:
        # A bad disc is the reader's problem: the guest gets the error, it is not stopped. Reading ahead through
        # the page cache is safe on what nobody writes.
        return element("driver", name="qemu", type_=source_format(disk.source))
    return element(
        "driver",
        name="qemu",
        type_=source_format(disk.source),
        cache="writeback" if page_cache else "none",
        # Native AIO blocks QEMU's main loop where a file has to grow; threads never do. It wants O_DIRECT too.
        io="native" if source_type(disk.source) == "block" and not page_cache else "threads",
        discard="unmap",
        detect_zeroes="unmap",
        error_policy="stop",
        rerror_policy="stop",
    )


def _serial(guest_uuid: str, device: str) -> str:
    # virtio cuts a serial number at 20 characters: 16 of the guest's UUID leave room for the device.
    return f"{guest_uuid.replace('-', '')[:16]}-{device}"
