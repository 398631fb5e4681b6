"""A guest as plain values: all that is needed to start it, and what is seen of it while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class DiskBus(StrEnum):
    VIRTIO = "virtio"
    SATA = "sata"


class NicModel(StrEnum):
    VIRTIO = "virtio"
    E1000E = "e1000e"


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A disk image in a file of this host."""

    path: str
    format: str  # raw, qcow2


@dataclass(frozen=True, slots=True)
class NBDSource:
    """A disk served on a Unix socket of this host."""

    socket: str
    export: str


@dataclass(frozen=True, slots=True)
class IscsiSource:
    """A slice of a LUN, which QEMU reaches by itself."""

    address: str
    port: int
    target: str  # IQN
    lun: int
    offset: int  # bytes, of the slice on the LUN
    size: int  # bytes
    initiator: str  # IQN that this host logs in with
    chap_user: str = ""
    chap_secret: str = ""  # name among the host's CHAP secrets (`chap_secrets.py`)


@dataclass(frozen=True, slots=True)
class NfsSource:
    """A disk image in an exported folder of a server, which QEMU reaches by itself."""

    server: str
    path: str  # of the file, as the server exports it
    format: str  # raw, qcow2


DiskSource = FileSource | NBDSource | IscsiSource | NfsSource


def disk_name(source: DiskSource) -> str:
    """What people are told when something is wrong with the place of a disk."""
    match source:
        case FileSource(path):
            return path
        case NBDSource(socket):
            return socket
        case NfsSource(server, path):
            return f"nfs://{server}{path}"
        case IscsiSource():
            return f"iscsi://{source.address}:{source.port}/{source.target}/{source.lun} at byte {source.offset}"


@dataclass(frozen=True, slots=True)
class CommitLayers:
    """Two neighbours in a disk's chain of layers, by their paths, and the layer that the guest writes to."""

    base: str
    top: str
    active: str

    @property
    def moves_guest(self) -> bool:
        """True when the guest writes to the layer that goes."""
        return self.top == self.active


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk or CD drive; `device` is XenAPI's userdevice ("0", "1", …), unique in the guest."""

    device: str
    source: DiskSource | None  # None: an empty CD drive
    bus: DiskBus = DiskBus.VIRTIO
    is_cdrom: bool = False
    readonly: bool = False
    boot_index: int | None = None


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card; `device` is XenAPI's device number ("0", "1", …), unique in the guest."""

    device: str
    mac: str
    bridge: str
    mtu: int = 1500
    model: NicModel = NicModel.VIRTIO
    boot_index: int | None = None


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """Everything needed to start a guest, no reference to a database in it."""

    uuid: str
    name: str
    memory_bytes: int
    vcpus_max: int
    vcpus: int
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    firmware: Firmware = Firmware.BIOS
    cores_per_socket: int = 1
    video: str = "std"  # std, cirrus
    clock_offset_s: int = 0  # guest's clock against UTC
    localtime: bool = False  # Windows keeps local time in its hardware clock
    hyperv: bool = False
    platform: Mapping[str, str] = field(default_factory=dict)
    hidden_features: tuple[str, ...] = ()  # of the host's processor, in Linux's words
    serial_line: bool = True
    bios_strings: Mapping[str, str] = field(default_factory=dict)  # what it reads as its maker, by XenAPI's keys


class GuestPower(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"


class StopReason(StrEnum):
    """Why a guest is no longer running here."""

    SHUTDOWN = "shutdown"  # powered itself off
    DESTROYED = "destroyed"  # we ended it
    CRASHED = "crashed"  # the guest's kernel panicked or QEMU died
    SAVED = "saved"  # suspended to a file
    FAILED = "failed"  # it did not start
    MIGRATED = "migrated"  # it runs on, on another host


@dataclass(frozen=True, slots=True)
class RunningGuest:
    """What is seen of a guest that has a QEMU process on this host."""

    uuid: str
    power: GuestPower
    domid: int
    vcpus: int
    memory_bytes: int
    start_time: float  # Unix seconds when its QEMU process started
    disks: tuple[str, ...]  # userdevices
    nics: tuple[str, ...]
    vnc_socket: str | None


class GuestEventKind(StrEnum):
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPED = "stopped"
    REBOOTED = "rebooted"
    AGENT = "agent"  # the guest agent came or went
    DISK_ERROR = "disk_error"


@dataclass(frozen=True, slots=True)
class GuestEvent:
    """Something that happened to a guest, told as soon as libvirt tells."""

    uuid: str
    kind: GuestEventKind
    reason: StopReason | None = None  # for STOPPED
    agent_connected: bool | None = None  # for AGENT
    device: str | None = None  # for DISK_ERROR
    is_migrated: bool = False  # for RESUMED: it stood still for the last moment of its move


@dataclass(frozen=True, slots=True)
class GuestInterface:
    """A network interface as the guest's agent reports it."""

    name: str
    mac: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What the guest agent tells; empty fields are unknown."""

    version: str = ""
    hostname: str = ""
    os_name: str = ""  # pretty name
    os_id: str = ""  # e.g. debian, mswindows
    os_version: str = ""  # e.g. 12
    kernel: str = ""
    interfaces: tuple[GuestInterface, ...] = ()
