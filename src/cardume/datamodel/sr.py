"""SR: a storage repository."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.blob import Blob
    from cardume.datamodel.data_source import DataSource
    from cardume.datamodel.dr_task import DRTask
    from cardume.datamodel.host import Host
    from cardume.datamodel.pbd import PBD
    from cardume.datamodel.probe_result import ProbeResult
    from cardume.datamodel.vdi import VDI


@named("storage_operations")
class StorageOperation(StrEnum):
    """Operations on an SR that exclude others while they run."""

    SCAN = "scan"
    DESTROY = "destroy"
    FORGET = "forget"
    PLUG = "plug"
    UNPLUG = "unplug"
    UPDATE = "update"
    VDI_CREATE = "vdi_create"
    VDI_INTRODUCE = "vdi_introduce"
    VDI_DESTROY = "vdi_destroy"
    VDI_RESIZE = "vdi_resize"
    VDI_CLONE = "vdi_clone"
    VDI_SNAPSHOT = "vdi_snapshot"
    VDI_MIRROR = "vdi_mirror"
    VDI_ENABLE_CBT = "vdi_enable_cbt"
    VDI_DISABLE_CBT = "vdi_disable_cbt"
    VDI_DATA_DESTROY = "vdi_data_destroy"
    VDI_LIST_CHANGED_BLOCKS = "vdi_list_changed_blocks"
    VDI_SET_ON_BOOT = "vdi_set_on_boot"
    VDI_BLOCKED = "vdi_blocked"
    VDI_COPY = "vdi_copy"
    VDI_FORCE_UNLOCK = "vdi_force_unlock"
    VDI_FORGET = "vdi_forget"
    VDI_GENERATE_CONFIG = "vdi_generate_config"
    VDI_RESIZE_ONLINE = "vdi_resize_online"
    VDI_UPDATE = "vdi_update"
    VDI_REVERT = "vdi_revert"
    PBD_CREATE = "pbd_create"
    PBD_DESTROY = "pbd_destroy"


@xenclass(role=Role.POOL_OPERATOR)
class SR:
    """A storage repository: a place that disks are kept in."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the SR's name", "")
    name_description: str = field(STATIC_RO, "notes about the SR", "")
    type: str = field(STATIC_RO, "the driver that keeps the disks: lvmoiscsi, nfs, iso, ext …")
    content_type: str = field(STATIC_RO, "what it is for: user holds disks, iso holds CD images")
    shared: bool = field(RO, "true when every host can reach it, so that VMs on it can move")
    physical_size: int = field(STATIC_RO, "bytes it has")
    physical_utilisation: int = field(RO, "bytes that are really used")
    virtual_allocation: int = field(RO, "bytes that its disks may grow to")
    PBDs: Set[Ref[PBD]] = field(RO, "the links through which hosts reach it", backref="PBD.SR")
    VDIs: Set[Ref[VDI]] = field(RO, "its disks", backref="VDI.SR")
    sm_config: Mapping[str, str] = field(RW, "what its driver keeps", {})
    is_tools_sr: bool = field(RO, "true for the SR with the guest tools' CD")
    introduced_by: Ref[DRTask] = field(RO, "the disaster recovery task that brought it in")
    clustered: bool = field(RO, "true when it lies on a file system that hosts mount together")
    local_cache_enabled: bool = field(RO, "true when disks of other SRs may be cached on it")
    blobs: Mapping[str, Ref[Blob]] = field(RO, "files attached to the SR, by name")
    tags: Set[str] = field(RW, "words for sorting and finding", (), role=Role.VM_OPERATOR)
    other_config: Mapping[str, str] = field(
        RW,
        "more facts, for clients to keep; auto-scan asks for regular scans",
        key_roles={"folder": Role.VM_OPERATOR, "XenCenter.CustomFields.*": Role.VM_OPERATOR},
    )
    allowed_operations: Set[StorageOperation] = field(RO, "operations that the SR could begin now", volatile=True)
    current_operations: Mapping[str, StorageOperation] = field(
        RO, "operations that run on the SR now, by task", volatile=True
    )

    @message(errors=("SR_UNKNOWN_DRIVER",))
    @staticmethod
    def create(
        host: Ref[Host],
        device_config: Mapping[str, str],
        physical_size: int,
        name_label: str,
        name_description: str,
        type: str,
        content_type: str,
        shared: bool,
        sm_config: Mapping[str, str] = NO_MAP,
    ) -> Ref[SR]:
        """Format storage as a new SR, erasing what was there, and attach it: on every host when it is shared."""

    @message()
    @staticmethod
    def introduce(
        uuid: str,
        name_label: str,
        name_description: str,
        type: str,
        content_type: str,
        shared: bool,
        sm_config: Mapping[str, str] = NO_MAP,
    ) -> Ref[SR]:
        """Make an SR that already exists known, from its uuid; PBDs are then made and plugged by the caller."""

    @message()
    @staticmethod
    def probe(
        host: Ref[Host], device_config: Mapping[str, str], type: str, sm_config: Mapping[str, str] = NO_MAP
    ) -> str:
        """What this storage offers, as XML: targets, LUNs, exports or SRs, as far as device_config leads."""

    @message()
    @staticmethod
    def probe_ext(
        host: Ref[Host], device_config: Mapping[str, str], type: str, sm_config: Mapping[str, str] = NO_MAP
    ) -> Set[ProbeResult]:
        """What this storage offers, as records; for drivers of the newer kind only."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_supported_types() -> Set[str]:
        """The types of SR that can be made."""

    @message(role=Role.VM_POWER_ADMIN)
    def scan(sr) -> None:
        """Look which disks are really there, and bring VDIs and sizes up to date."""

    @message()
    def update(sr) -> None:
        """Bring the SR's sizes up to date."""

    @message(errors=("SR_HAS_PBD",))
    def forget(sr) -> None:
        """Forget the SR and its VDIs; the data stays. No PBD of it may be plugged."""

    @message(errors=("SR_HAS_PBD",))
    def destroy(sr) -> None:
        """Delete the SR, which must hold no disks any more. No PBD of it may be plugged."""

    @message()
    @staticmethod
    def make(
        host: Ref[Host],
        device_config: Mapping[str, str],
        physical_size: int,
        name_label: str,
        name_description: str,
        type: str,
        content_type: str,
        sm_config: Mapping[str, str] = NO_MAP,
    ) -> str:
        """Format storage as an SR without making it known."""

    @message()
    def set_name_label(sr, value: str) -> None:
        """Rename the SR."""

    @message()
    def set_name_description(sr, value: str) -> None:
        """Change the notes about the SR."""

    @message()
    def set_shared(sr, value: bool) -> None:
        """Say whether every host can reach the SR."""

    @message(has_async=False)
    def set_physical_size(self, value: int) -> None:
        """Say how many bytes the SR has."""

    @message()
    def create_new_blob(sr, name: str, mime_type: str, public: bool = False) -> Ref[Blob]:
        """Attach a new, empty file to the SR."""

    @message()
    def assert_can_host_ha_statefile(sr) -> None:
        """Fail with the reason when HA could not keep its statefile on this SR."""

    @message()
    def assert_supports_database_replication(sr) -> None:
        """Fail with the reason when the SR could not hold a copy of the pool database."""

    @message()
    def enable_database_replication(sr) -> None:
        """Keep a copy of the pool database on this SR."""

    @message()
    def disable_database_replication(sr) -> None:
        """Stop keeping a copy of the pool database on this SR."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_data_sources(sr) -> Set[DataSource]:
        """What is measured on this SR."""

    @message(role=Role.READ_ONLY, has_async=False)
    def query_data_source(sr, data_source: str) -> float:
        """The latest value of one measured source."""

    @message(has_async=False)
    def record_data_source(sr, data_source: str) -> None:
        """Begin to keep the history of a source."""

    @message(has_async=False)
    def forget_data_source_archives(sr, data_source: str) -> None:
        """Drop the history of a source."""
