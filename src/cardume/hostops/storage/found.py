"""What looking for storage finds: places to choose from, or repositories that are there already."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """An iSCSI target that a portal offers."""

    address: str
    port: int
    iqn: str


@dataclass(frozen=True, slots=True)
class FoundLUN:
    """A disk of an iSCSI target. Texts as the disk tells them; empty where it does not."""

    lun: int
    vendor: str
    serial: str
    scsi_id: str  # as `scsi_id` prints it
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class FoundExport:
    """A folder that an NFS server exports."""

    server: str
    path: str
    access: str = ""  # to whom, in the server's own words


@dataclass(frozen=True, slots=True)
class FoundRepository:
    """A repository that is there, whether the pool knows it or not. Sizes in bytes, 0 where they are not known."""

    uuid: str
    location: str
    size: int  # of all that lies under it
    name_label: str = ""
    name_description: str = ""
    free: int = 0


@dataclass(frozen=True, slots=True)
class FoundTargets:
    """device_config leads to a portal: one of its targets is to be chosen, as targetIQN."""

    targets: tuple[FoundTarget, ...]


@dataclass(frozen=True, slots=True)
class FoundLUNs:
    """device_config leads to a target: one of its disks is to be chosen, as SCSIid."""

    luns: tuple[FoundLUN, ...]


@dataclass(frozen=True, slots=True)
class FoundExports:
    """device_config leads to an NFS server: one of its exports is to be chosen, as serverpath."""

    exports: tuple[FoundExport, ...]


@dataclass(frozen=True, slots=True)
class FoundRepositories:
    """device_config leads all the way: these repositories are there, or none yet."""

    repositories: tuple[FoundRepository, ...]


Found = FoundTargets | FoundLUNs | FoundExports | FoundRepositories
