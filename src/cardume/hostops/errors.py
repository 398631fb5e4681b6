"""What can go wrong on a host, by layer. The layer above decides what a caller of XenAPI is told."""

from collections.abc import Sequence
from enum import StrEnum


class HostError(Exception):
    """Base of every failure of a host operation."""


class LinkLost(HostError):
    """The other host does not answer any more. What was asked of it may have been done, or not."""


class RunError(HostError):
    """A program failed; carries the command, its exit status and the end of its output."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)} exited with status {status}: {output.strip()[-2000:]}")
        self.command = tuple(command)
        self.status = status
        self.output = output


class RunTimeout(RunError):
    """A program did not end in time and was killed."""


class GuestError(HostError):
    """libvirt or QEMU refused or failed; the message is theirs."""


class GuestNotFound(GuestError):
    """No such guest runs here."""


class GuestBadState(GuestError):
    """The guest is not in the state the operation needs."""


class GuestUncertain(GuestError):
    """The call's outcome is not known: libvirtd went away, or did not answer in time."""


class DeviceRefused(GuestError):
    """The guest did not give up a device, or took too long to."""


class StorageError(HostError):
    """A storage operation failed."""


class VolumeNotFound(StorageError):
    """The file or extent behind a VDI is gone."""


class StorageFull(StorageError):
    """No space left in the repository."""

    def __init__(self, message: str, needed_bytes: int = 0, free_bytes: int = 0) -> None:
        super().__init__(message)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class Cause(StrEnum):
    """What exactly of a repository's storage does not answer, where that is known."""

    NAME = "name"  # the server's name does not resolve
    TARGET = "target"  # nobody answers at the iSCSI portal
    DISCOVERY = "discovery"  # the portal answers, but does not tell its targets
    LOGIN = "login"  # the target refuses this host, or its CHAP password
    SERVER = "server"  # nobody answers at the NFS server
    MOUNT = "mount"  # the NFS server does not give the folder
    UNKNOWN = ""


class StorageUnreachable(StorageError):
    """The server or device behind the repository does not answer, or not to us."""

    def __init__(self, message: str, cause: Cause = Cause.UNKNOWN) -> None:
        super().__init__(message)
        self.cause = cause


class StorageInUse(StorageError):
    """There is something else where the repository is to be made."""


class MergeStopped(StorageError):
    """The merging of layers was given up for a call that needs their disk."""


class StorageConfigError(StorageError):
    """A device_config is incomplete or wrong; names the key."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class NetworkError(HostError):
    """A bridge or interface operation failed."""
