"""Failures of a host's hands, told as XenAPI's errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.refs import NULL, Ref
from cardume.hostops.errors import (
    Cause,
    DeviceRefused,
    GuestBadState,
    GuestError,
    GuestNotFound,
    NetworkError,
    StorageConfigError,
    StorageError,
    StorageFull,
    StorageUnreachable,
    VolumeNotFound,
)
from cardume.hostops.ha.interface import HaError
from cardume.hostops.machine.interface import MachineError
from cardume.pooldb.db import Reader

CONFIG_WRONG = 90  # device_config lacks something, or holds what cannot be
NUMBERS: Mapping[Cause, errors.Backend] = {
    Cause.NAME: errors.Backend.DNS,
    Cause.TARGET: errors.Backend.ISCSI_TARGET,
    Cause.DISCOVERY: errors.Backend.ISCSI_DISCOVERY,
    Cause.LOGIN: errors.Backend.ISCSI_LOGIN,
    Cause.SERVER: errors.Backend.NFS_TARGET,
    Cause.MOUNT: errors.Backend.NFS_MOUNT,
    Cause.UNKNOWN: errors.Backend.NFS_MOUNT,
}
"""What clients are told of storage that does not answer."""
UNFORESEEN = 1  # the driver's own words are all there is


@contextmanager
def storage_failures(db: Reader, *, sr: Ref[Any] = NULL, vdi: Ref[Any] = NULL) -> Iterator[None]:
    """Turn a StorageError into the error that names the SR or VDI."""
    try:
        yield
    except VolumeNotFound:
        raise errors.VDI_MISSING(sr, vdi) from None
    except StorageFull as fault:
        raise errors.SR_FULL(fault.needed_bytes, fault.free_bytes) from None
    except StorageConfigError as fault:
        raise errors.sr_backend_failure(CONFIG_WRONG, f"device_config {fault.key}: {fault}") from None
    except StorageUnreachable as fault:
        raise errors.sr_backend_failure(NUMBERS[fault.cause], f"the storage does not answer: {fault}") from None
    except StorageError as fault:
        raise errors.sr_backend_failure(UNFORESEEN, str(fault)) from None


@contextmanager
def guest_failures(vm: Ref[Any], *, device: Ref[Any] = NULL, device_class: str = "") -> Iterator[None]:
    """Turn a GuestError into the error that names the VM or its device."""
    try:
        yield
    except DeviceRefused:
        raise errors.DEVICE_DETACH_TIMEOUT(device_class, device) from None
    except GuestNotFound:
        raise errors.VM_BAD_POWER_STATE(vm, "running", "halted") from None
    except GuestBadState as fault:
        raise errors.OTHER_OPERATION_IN_PROGRESS("VM", vm, str(fault), NULL) from None
    except NetworkError as fault:
        raise errors.INTERNAL_ERROR(f"network: {fault}") from None
    except HaError:  # the gate is closed: this host is no member
        raise errors.HA_POOL_IS_ENABLED_BUT_HOST_IS_DISABLED() from None
    except GuestError as fault:
        raise errors.INTERNAL_ERROR(f"the guest could not be changed: {fault}") from None


@contextmanager
def machine_failures() -> Iterator[None]:
    """Turn a MachineError into an error for the caller, with the program's own words."""
    try:
        yield
    except MachineError as fault:
        raise errors.INTERNAL_ERROR(str(fault)) from None
