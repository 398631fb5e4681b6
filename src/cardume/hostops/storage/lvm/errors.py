"""What can be wrong with a volume group on a LUN."""

from cardume.hostops.errors import StorageError, StorageFull


class NotAPhysicalVolume(StorageError):
    """The bytes are no LVM physical volume."""


class DamagedMetadata(StorageError):
    """LVM's metadata is there and cannot be read; the text says what is wrong."""


class LvmFailed(StorageError):
    """LVM refused or failed on the shadow; nothing was changed on the LUN."""


class VolumeGroupChanged(StorageError):
    """Somebody else changed the volume group since it was read; nothing was changed by this call."""


class VolumeGroupMissing(StorageError):
    """The LUN does not hold the volume group that was to be changed."""


class NoSuchVolume(StorageError):
    """The group has no volume of this name."""


class LunShrunk(StorageError):
    """The LUN is smaller than the volume group on it: the end of some volumes may be gone."""


class LunNotEmpty(StorageError):
    """The LUN holds something, and nobody said that it may go."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the LUN is not empty: {found}")
        self.found = found


class NoContiguousSpace(StorageFull):
    """No free piece of the group is large enough, though all of them together may be."""

    def __init__(self, needed_bytes: int, largest_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{needed_bytes} bytes are needed in one piece; the largest free piece has {largest_bytes}, "
            f"all together have {free_bytes}",
            needed_bytes,
            free_bytes,
        )
        self.largest_bytes = largest_bytes
