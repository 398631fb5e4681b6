"""VDI: a virtual disk or CD image, kept in an SR."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import EPOCH, Set

if TYPE_CHECKING:
    from cardume.datamodel import sr
    from cardume.datamodel.crashdump import Crashdump
    from cardume.datamodel.pool import Pool
    from cardume.datamodel.session import Session
    from cardume.datamodel.vbd import VBD
    from cardume.datamodel.vdi_nbd_server_info import VDINbdServerInfo


@named("on_boot")
class OnBoot(StrEnum):
    """What happens to a disk's content when its VM starts."""

    RESET = "reset"
    PERSIST = "persist"


@named("vdi_operations")
class VDIOperation(StrEnum):
    """Operations on a disk that exclude others while they run."""

    CLONE = "clone"
    COPY = "copy"
    RESIZE = "resize"
    RESIZE_ONLINE = "resize_online"
    SNAPSHOT = "snapshot"
    MIRROR = "mirror"
    DESTROY = "destroy"
    FORGET = "forget"
    UPDATE = "update"
    FORCE_UNLOCK = "force_unlock"
    GENERATE_CONFIG = "generate_config"
    ENABLE_CBT = "enable_cbt"
    DISABLE_CBT = "disable_cbt"
    DATA_DESTROY = "data_destroy"
    LIST_CHANGED_BLOCKS = "list_changed_blocks"
    SET_ON_BOOT = "set_on_boot"
    BLOCKED = "blocked"
    REVERT_TO = "revert_to"
    REVERT_FROM = "revert_from"


@named("vdi_type")
class VDIType(StrEnum):
    """What a disk is for."""

    SYSTEM = "system"
    USER = "user"
    EPHEMERAL = "ephemeral"
    SUSPEND = "suspend"
    CRASHDUMP = "crashdump"
    HA_STATEFILE = "ha_statefile"
    METADATA = "metadata"
    REDO_LOG = "redo_log"
    RRD = "rrd"
    PVS_CACHE = "pvs_cache"
    CBT_METADATA = "cbt_metadata"


OF_THE_POOL = frozenset({VDIType.HA_STATEFILE, VDIType.REDO_LOG})
"""What the pool itself writes: no VM's, and never copied."""


@xenclass(role=Role.VM_ADMIN, constructor=True)
class VDI:
    """A virtual disk or CD image, kept in an SR."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the disk's name", "")
    name_description: str = field(STATIC_RO, "notes about the disk", "")
    SR: Ref[sr.SR] = field(STATIC_RO, "the SR it is kept in")
    VBDs: Set[Ref[VBD]] = field(RO, "the devices through which VMs use it", backref="VBD.VDI")
    type: VDIType = field(STATIC_RO, "what it is for; disks of VMs are user or system")
    virtual_size: int = field(STATIC_RO, "bytes that a guest sees")
    physical_utilisation: int = field(RO, "bytes that it takes in the SR")
    sharable: bool = field(STATIC_RO, "true when several VMs may write to it at a time")
    read_only: bool = field(STATIC_RO, "true when nothing may be written to it")
    managed: bool = field(
        RO, "true for disks that users handle; false for what lies underneath, such as parents of clones"
    )
    missing: bool = field(RO, "true when the last scan of the SR did not find it")
    location: str = field(RO, "where its driver finds it in the SR")
    storage_lock: bool = field(RO, "true while the driver holds a lock on it; never in Cardume")
    on_boot: OnBoot = field(
        RO, "whether a starting VM keeps what was written or begins from the original again", OnBoot.PERSIST
    )
    allow_caching: bool = field(RO, "true when a host may cache it on a local SR")
    cbt_enabled: bool = field(RO, "true while changed blocks are recorded, for incremental backups")
    is_a_snapshot: bool = field(RO, "true for a snapshot")
    snapshot_of: Ref[VDI] = field(RO, "the disk that it is a snapshot of")
    snapshot_time: datetime = field(RO, "when the snapshot was taken")
    snapshots: Set[Ref[VDI]] = field(RO, "snapshots taken of it", backref="VDI.snapshot_of")
    parent: Ref[VDI] = field(RO, "the disk that it was made from; always null, sm_config has the driver's own link")
    crash_dumps: Set[Ref[Crashdump]] = field(RO, "crash dumps in it", backref="crashdump.VDI")
    is_tools_iso: bool = field(RO, "true for the CD with the guest tools")
    metadata_of_pool: Ref[Pool] = field(RO, "the pool whose database it holds a copy of")
    metadata_latest: bool = field(RO, "true when that copy is up to date")
    xenstore_data: Mapping[str, str] = field(RW, "pairs shown to the guest beside the disk", {})
    sm_config: Mapping[str, str] = field(RW, "what its driver keeps", {})
    tags: Set[str] = field(RW, "words for sorting and finding", (), role=Role.VM_OPERATOR)
    other_config: Mapping[str, str] = field(
        RW,
        "more facts, for clients to keep",
        key_roles={"folder": Role.VM_OPERATOR, "XenCenter.CustomFields.*": Role.VM_OPERATOR},
    )
    allowed_operations: Set[VDIOperation] = field(RO, "operations that the disk could begin now", volatile=True)
    current_operations: Mapping[str, VDIOperation] = field(
        RO, "operations that run on the disk now, by task", volatile=True
    )

    @message()
    def snapshot(vdi, driver_params: Mapping[str, str] = NO_MAP) -> Ref[VDI]:
        """Keep the disk's present content as a new VDI that stays as it is."""

    @message()
    def clone(vdi, driver_params: Mapping[str, str] = NO_MAP) -> Ref[VDI]:
        """Make a new disk with the same content in the same SR, without copying where the driver can."""

    @message(errors=("VDI_READONLY", "VDI_TOO_SMALL", "VDI_NOT_SPARSE"))
    def copy(vdi, sr: Ref[sr.SR] = NULL, base_vdi: Ref[VDI] = NULL, into_vdi: Ref[VDI] = NULL) -> Ref[VDI]:
        """Copy the content to a new disk in an SR, or into an existing one; with a base, only what differs from it."""

    @message(role=Role.VM_POWER_ADMIN, errors=("UNIMPLEMENTED_IN_SM_BACKEND",))
    def revert(snapshot) -> None:
        """Give the disk back the content of this snapshot."""

    @message()
    def resize(vdi, size: int) -> None:
        """Change the size of a disk that no VM uses; making it smaller is refused."""

    @message()
    def resize_online(vdi, size: int) -> None:
        """Make a disk larger while a VM uses it."""

    @message(errors=("SR_OPERATION_NOT_SUPPORTED",))
    @staticmethod
    def introduce(
        uuid: str,
        name_label: str,
        name_description: str,
        SR: Ref[sr.SR],
        type: VDIType,
        sharable: bool,
        read_only: bool,
        other_config: Mapping[str, str],
        location: str,
        xenstore_data: Mapping[str, str] = NO_MAP,
        sm_config: Mapping[str, str] = NO_MAP,
        managed: bool = True,
        virtual_size: int = 0,
        physical_utilisation: int = 0,
        metadata_of_pool: Ref[Pool] = NULL,
        is_a_snapshot: bool = False,
        snapshot_time: datetime = EPOCH,
        snapshot_of: Ref[VDI] = NULL,
    ) -> Ref[VDI]:
        """Make a disk that already lies in the SR known."""

    @message()
    def forget(vdi) -> None:
        """Forget the disk; its data stays and a scan finds it again."""

    @message(errors=("SR_OPERATION_NOT_SUPPORTED",))
    def update(vdi) -> None:
        """Bring what is known about the disk up to date from its SR."""

    @message(role=Role.VM_POWER_ADMIN)
    def pool_migrate(vdi, sr: Ref[sr.SR], options: Mapping[str, str]) -> Ref[VDI]:
        """Move the disk to another SR, and return the new one, which its VMs have from then on."""

    @message()
    def set_name_label(self, value: str) -> None:
        """Rename the disk."""

    @message()
    def set_name_description(self, value: str) -> None:
        """Change the notes about the disk."""

    @message(has_async=False)
    def set_sharable(self, value: bool) -> None:
        """Say whether several VMs may write to it at a time."""

    @message(has_async=False)
    def set_read_only(self, value: bool) -> None:
        """Forbid or allow writing to it."""

    @message()
    def set_on_boot(self, value: OnBoot) -> None:
        """Choose whether a starting VM keeps what was written."""

    @message()
    def set_allow_caching(self, value: bool) -> None:
        """Let hosts cache the disk on a local SR, or not."""

    @message(
        errors=(
            "SR_OPERATION_NOT_SUPPORTED",
            "VDI_MISSING",
            "SR_NOT_ATTACHED",
            "SR_HAS_NO_PBDS",
            "OPERATION_NOT_ALLOWED",
            "VDI_INCOMPATIBLE_TYPE",
            "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
        )
    )
    def enable_cbt(self) -> None:
        """Begin to record which blocks change."""

    @message(
        errors=(
            "SR_OPERATION_NOT_SUPPORTED",
            "VDI_MISSING",
            "SR_NOT_ATTACHED",
            "SR_HAS_NO_PBDS",
            "OPERATION_NOT_ALLOWED",
            "VDI_INCOMPATIBLE_TYPE",
            "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
        )
    )
    def disable_cbt(self) -> None:
        """Stop recording which blocks change."""

    @message(
        errors=(
            "SR_OPERATION_NOT_SUPPORTED",
            "VDI_MISSING",
            "SR_NOT_ATTACHED",
            "SR_HAS_NO_PBDS",
            "OPERATION_NOT_ALLOWED",
            "VDI_INCOMPATIBLE_TYPE",
            "VDI_NO_CBT_METADATA",
            "VDI_IN_USE",
            "VDI_IS_A_PHYSICAL_DEVICE",
        )
    )
    def data_destroy(self) -> None:
        """Delete a snapshot's data and keep only the record of its changed blocks."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("SR_OPERATION_NOT_SUPPORTED", "VDI_MISSING", "SR_NOT_ATTACHED", "SR_HAS_NO_PBDS", "VDI_IN_USE"),
    )
    def list_changed_blocks(vdi_from, vdi_to: Ref[VDI]) -> str:
        """Which blocks differ between two disks, as a bitmap in base64; a bit stands for 64 KiB."""

    @message(errors=("VDI_INCOMPATIBLE_TYPE",), has_async=False)
    def get_nbd_info(self) -> Set[VDINbdServerInfo]:
        """Where the disk can be read over NBD."""

    @message(role=Role.POOL_OPERATOR)
    def open_database(self) -> Ref[Session]:
        """Open the pool database copy in the disk and return a session to it."""

    @message(role=Role.READ_ONLY)
    def read_database_pool_uuid(self) -> str:
        """The uuid of the pool whose database copy is in the disk."""
