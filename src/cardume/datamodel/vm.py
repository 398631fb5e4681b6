"""VM: a virtual machine, a template or a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.vm_enums import (
    DomainType,
    OnCrash,
    OnNormalExit,
    OnSoftReboot,
    SecurebootCertificatesState,
    SecurebootReadiness,
    UefiMode,
    VMOperation,
    VMPowerState,
)
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.blob import Blob
    from cardume.datamodel.console import Console
    from cardume.datamodel.crashdump import Crashdump
    from cardume.datamodel.data_source import DataSource
    from cardume.datamodel.gpu_group import GPUGroup
    from cardume.datamodel.host import Host, UpdateGuidances
    from cardume.datamodel.network import Network
    from cardume.datamodel.pci import PCI
    from cardume.datamodel.removed import VMPP
    from cardume.datamodel.session import Session
    from cardume.datamodel.sr import SR
    from cardume.datamodel.vbd import VBD
    from cardume.datamodel.vdi import VDI
    from cardume.datamodel.vgpu import VGPU
    from cardume.datamodel.vif import VIF
    from cardume.datamodel.vm_appliance import VMAppliance
    from cardume.datamodel.vm_group import VMGroup
    from cardume.datamodel.vm_guest_metrics import VMGuestMetrics
    from cardume.datamodel.vm_metrics import VMMetrics
    from cardume.datamodel.vmss import VMSS
    from cardume.datamodel.vtpm import VTPM
    from cardume.datamodel.vusb import VUSB


_PLATFORM_ROLES = {"hvm_serial": Role.POOL_ADMIN}

_OTHER_CONFIG_ROLES = {
    "hvm_serial": Role.POOL_ADMIN,
    "pci": Role.POOL_ADMIN,
    "folder": Role.VM_OPERATOR,
    "XenCenter.CustomFields.*": Role.VM_OPERATOR,
}


@xenclass(role=Role.VM_ADMIN, constructor=True)
class VM:
    """A virtual machine; templates and snapshots are VMs too, marked as such."""

    # What it is
    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the VM's name, for people to read; need not be unique", "")
    name_description: str = field(RW, "what the VM is for, in people's words", "")
    tags: Set[str] = field(RW, "words that people group VMs by", (), role=Role.VM_OPERATOR)
    user_version: int = field(RW, "a number that its creator gave to this version of the VM")
    version: int = field(STATIC_RO, "how often the VM was recovered from a replicated disk", 0)
    is_a_template: bool = field(
        RW, "true for a template, which cannot start and which new VMs are made from", effect=True
    )
    is_default_template: bool = field(RO, "true for a template that Cardume brought along")
    is_control_domain: bool = field(RO, "true for a VM that stands for a host's own system; Cardume has none")
    reference_label: str = field(
        STATIC_RO, "the name of the default template that the VM comes from; clients pick an icon by it", ""
    )
    recommendations: str = field(RW, "limits for clients' forms, as XML; Cardume does not enforce them")
    other_config: Mapping[str, str] = field(STATIC_RO, "more facts, for clients to keep")
    blobs: Mapping[str, Ref[Blob]] = field(RO, "attached pieces of data, by name")

    # Where and how it runs
    power_state: VMPowerState = field(
        STATIC_RO,
        "whether the VM is halted, running, paused or suspended; survives a restart of the master",
        VMPowerState.HALTED,
    )
    resident_on: Ref[Host] = field(RO, "the host that it runs on or is paused on; null otherwise")
    scheduled_to_be_resident_on: Ref[Host] = field(
        RO, "the host that keeps memory for it while it is being started or moved there"
    )
    affinity: Ref[Host] = field(RW, "the host where it prefers to start; null for any", role=Role.VM_POWER_ADMIN)
    domid: int = field(RO, "the number of its domain on its host; -1 while it has none", -1)
    domarch: str = field(RO, "the architecture of its domain; empty while it is halted")
    domain_type: DomainType = field(
        STATIC_RO, "the kind of virtual machine; Cardume starts hvm alone", DomainType.UNSPECIFIED
    )
    requires_reboot: bool = field(RO, "true when a changed setting waits for the next reboot")
    last_booted_record: str = field(STATIC_RO, "its record at the last start, as text, to tell what it runs with", "")
    last_boot_CPU_flags: Mapping[str, str] = field(
        STATIC_RO, "the CPU features that it saw at its last start; a host it moves to must have them", {}
    )
    pending_guidances: Set[UpdateGuidances] = field(
        RO, "what must be restarted for the installed updates to take effect"
    )
    pending_guidances_recommended: Set[UpdateGuidances] = field(
        RO, "what should be restarted for the installed updates to take effect"
    )
    pending_guidances_full: Set[UpdateGuidances] = field(
        RO, "what would have to be restarted for every part of the updates to take effect"
    )
    allowed_operations: Set[VMOperation] = field(RO, "what may be done with the VM now", volatile=True)
    current_operations: Mapping[str, VMOperation] = field(
        RO, "what is being done with the VM, by task reference", volatile=True
    )
    blocked_operations: Mapping[VMOperation, str] = field(
        STATIC_RO, "what may not be done with it by an administrator's will, with the reason to tell", {}
    )

    # Memory and CPUs
    memory_overhead: int = field(RO, "the host's memory that the VM needs besides the guest's own, in bytes")
    memory_target: int = field(
        STATIC_RO, "the memory that the guest should have now, in bytes; kept for older clients", 0
    )
    memory_static_max: int = field(
        STATIC_RO, "the most memory the guest can ever have, in bytes; changes while it is halted"
    )
    memory_dynamic_max: int = field(STATIC_RO, "the memory the guest has when the host has enough, in bytes")
    memory_dynamic_min: int = field(STATIC_RO, "the memory the guest is squeezed to at most, in bytes")
    memory_static_min: int = field(STATIC_RO, "the least memory the guest may be configured with, in bytes")
    VCPUs_params: Mapping[str, str] = field(RW, "scheduling settings: weight, cap and mask")
    VCPUs_max: int = field(STATIC_RO, "the most virtual CPUs it can have; changes while it is halted")
    VCPUs_at_startup: int = field(STATIC_RO, "the virtual CPUs it starts with")
    hardware_platform_version: int = field(RW, "the least version of the virtual hardware that it needs", 0)
    has_vendor_device: bool = field(
        STATIC_RO, "true when Windows may fetch drivers by its own updates; kept for clients", True
    )

    # Devices
    VBDs: Set[Ref[VBD]] = field(RO, "its drives", backref="VBD.VM")
    VIFs: Set[Ref[VIF]] = field(RO, "its network cards", backref="VIF.VM")
    consoles: Set[Ref[Console]] = field(RO, "its screens and serial lines; there while it runs", backref="console.VM")
    VTPMs: Set[Ref[VTPM]] = field(RO, "its virtual security chips", backref="VTPM.VM")
    VGPUs: Set[Ref[VGPU]] = field(RO, "its virtual graphics cards", backref="VGPU.VM")
    VUSBs: Set[Ref[VUSB]] = field(RO, "the USB devices passed to it", backref="VUSB.VM")
    attached_PCIs: Set[Ref[PCI]] = field(RO, "the host's PCI devices that it has now")
    PCI_bus: str = field(RW, "PCI devices to pass to it, in an old notation; kept for clients, not used")
    crash_dumps: Set[Ref[Crashdump]] = field(RO, "records of its crashes", backref="crashdump.VM")

    # Start-up of the guest
    actions_after_shutdown: OnNormalExit = field(RW, "what happens when the guest shuts itself down")
    actions_after_reboot: OnNormalExit = field(RW, "what happens when the guest reboots itself")
    actions_after_softreboot: OnSoftReboot = field(
        RW, "what happens when the guest restarts without its firmware", OnSoftReboot.SOFT_REBOOT
    )
    actions_after_crash: OnCrash = field(STATIC_RO, "what happens when the guest crashes")
    HVM_boot_policy: str = field(
        STATIC_RO, 'empty for a paravirtual guest, else "BIOS order"; domain_type says it better'
    )
    HVM_boot_params: Mapping[str, str] = field(
        RW, "firmware is bios or uefi; order names what to boot from: c disk, d CD, n network"
    )
    HVM_shadow_multiplier: float = field(
        STATIC_RO, "spare room for shadow page tables; kept for clients, KVM has no use for it", 1.0
    )
    platform: Mapping[str, str] = field(
        STATIC_RO, "the virtual hardware's settings, for instance secureboot, viridian, cores-per-socket"
    )
    NVRAM: Mapping[str, str] = field(STATIC_RO, "what the firmware remembers, by name", {})
    secureboot_certificates_state: SecurebootCertificatesState = field(
        RO, "whether the firmware's certificates are current", SecurebootCertificatesState.OK
    )
    bios_strings: Mapping[str, str] = field(RO, "what the guest reads as its maker, model and serial number")
    generation_id: str = field(
        STATIC_RO, "the number by which Windows sees that it was cloned or reverted; 0:0 for one to be made", "0:0"
    )
    xenstore_data: Mapping[str, str] = field(RW, "facts for the guest; those under vm-data/ are shown to it", {})
    PV_bootloader: str = field(RW, "loader of a paravirtual guest; kept for clients, KVM runs no such guests")
    PV_kernel: str = field(RW, "kernel of a paravirtual guest; kept for clients")
    PV_ramdisk: str = field(RW, "initial ramdisk of a paravirtual guest; kept for clients")
    PV_args: str = field(RW, "kernel arguments of a paravirtual guest; kept for clients")
    PV_bootloader_args: str = field(RW, "the loader's arguments of a paravirtual guest; kept for clients")
    PV_legacy_args: str = field(RW, "arguments that old hosts gave to paravirtual guests; kept for clients")

    # What is measured
    metrics: Ref[VMMetrics] = field(RO, "what its host measures of it; null until it first starts")
    guest_metrics: Ref[VMGuestMetrics] = field(RO, "what the agent in the guest tells; null while none has answered")

    # High availability and order
    ha_restart_priority: str = field(STATIC_RO, "restart, best-effort or empty: what happens when its host is lost", "")
    ha_always_run: bool = field(STATIC_RO, "true when it should always run; kept for older clients", False)
    order: int = field(STATIC_RO, "its turn among restarted VMs: lower numbers start first", 0)
    start_delay: int = field(STATIC_RO, "the seconds to wait after its start, before VMs of the next turn start", 0)
    shutdown_delay: int = field(
        STATIC_RO, "the seconds to wait after its shutdown, before VMs of the turn before stop", 0
    )
    appliance: Ref[VMAppliance] = field(STATIC_RO, "the group that it starts and stops with; null for none", NULL)
    groups: Set[Ref[VMGroup]] = field(RO, "the placement groups that it is in")

    # Snapshots and suspended state
    is_a_snapshot: bool = field(RO, "true for a snapshot")
    snapshot_of: Ref[VM] = field(RO, "the VM that this is a snapshot of; null for other VMs")
    snapshots: Set[Ref[VM]] = field(RO, "its snapshots", backref="VM.snapshot_of")
    snapshot_time: datetime = field(RO, "when this snapshot was made; 1970 for other VMs")
    snapshot_info: Mapping[str, str] = field(RO, "facts about this snapshot, for clients to read")
    snapshot_metadata: str = field(RO, "the VM's fields at the time of this snapshot, as text, to revert to")
    transportable_snapshot_id: str = field(RO, "the identifier of a snapshot that can be carried elsewhere; not used")
    parent: Ref[VM] = field(RO, "the VM or snapshot that its present state grew from; null for none")
    children: Set[Ref[VM]] = field(RO, "the VMs and snapshots whose state grew from this one", backref="VM.parent")
    suspend_VDI: Ref[VDI] = field(STATIC_RO, "the disk that holds its memory while it is suspended", NULL)
    suspend_SR: Ref[SR] = field(
        RW, "the SR where its memory goes when it is suspended; null for the pool's choice", NULL
    )
    is_vmss_snapshot: bool = field(STATIC_RO, "true for a snapshot that a schedule made", False)
    snapshot_schedule: Ref[VMSS] = field(STATIC_RO, "the schedule that makes snapshots of it; null for none", NULL)
    protection_policy: Ref[VMPP] = field(STATIC_RO, "a removed way of backing up; always null", NULL)

    # Power
    @message(
        role=Role.VM_OPERATOR,
        errors=(
            "VM_BAD_POWER_STATE",
            "VM_HVM_REQUIRED",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
            "NO_HOSTS_AVAILABLE",
            "LICENCE_RESTRICTION",
        ),
    )
    def start(vm, start_paused: bool, force: bool) -> None:
        """Start the VM on the best host that can run it; start_paused stops it before its first instruction."""

    @message(
        role=Role.VM_POWER_ADMIN,
        errors=(
            "VM_BAD_POWER_STATE",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
        ),
        client_cert=True,
    )
    def start_on(vm, host: Ref[Host], start_paused: bool, force: bool) -> None:
        """Start the VM on this host."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
    )
    def pause(vm) -> None:
        """Stop the guest's CPUs where they are; its memory stays."""

    @message(role=Role.VM_OPERATOR, errors=("VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"))
    def unpause(vm) -> None:
        """Let a paused guest go on."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
    )
    def clean_shutdown(vm) -> None:
        """Ask the guest to shut down, and wait until it has."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
    )
    def hard_shutdown(vm) -> None:
        """Switch the VM off at once, as if its plug were pulled."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
        client_cert=True,
    )
    def shutdown(vm) -> None:
        """Ask the guest to shut down; switch it off if it has not after a while."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
    )
    def clean_reboot(vm) -> None:
        """Ask the guest to reboot, and wait until it goes down."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
    )
    def hard_reboot(vm) -> None:
        """Reset the VM at once; the guest is not asked."""

    @message(role=Role.POOL_OPERATOR)
    def power_state_reset(vm) -> None:
        """Take the VM for halted although its host cannot say so; dangerous while it may still run."""

    @message(
        role=Role.VM_OPERATOR,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
        client_cert=True,
    )
    def suspend(vm) -> None:
        """Save the guest's memory to disk and halt the VM."""

    @message(role=Role.VM_OPERATOR, errors=("VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"))
    def resume(vm, start_paused: bool, force: bool) -> None:
        """Bring a suspended VM back on the best host that can run it."""

    @message(
        role=Role.VM_POWER_ADMIN,
        errors=("VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"),
        client_cert=True,
    )
    def resume_on(vm, host: Ref[Host], start_paused: bool, force: bool) -> None:
        """Bring a suspended VM back on this host."""

    @message(
        role=Role.VM_POWER_ADMIN,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "VM_IS_TEMPLATE", "OPERATION_NOT_ALLOWED"),
        client_cert=True,
    )
    def pool_migrate(vm, host: Ref[Host], options: Mapping[str, str]) -> None:
        """Move the running VM to another host of the pool; its disks must be on SRs that both reach."""

    @message(role=Role.VM_POWER_ADMIN, errors=("VM_BAD_POWER_STATE", "LICENCE_RESTRICTION"))
    def migrate_send(
        vm,
        dest: Mapping[str, str],
        live: bool,
        vdi_map: Mapping[Ref[VDI], Ref[SR]],
        vif_map: Mapping[Ref[VIF], Ref[Network]],
        options: Mapping[str, str],
        vgpu_map: Mapping[Ref[VGPU], Ref[GPUGroup]] = {},
        vdi_format_map: Mapping[Ref[VDI], str] = {},
    ) -> Ref[VM]:
        """Move the VM and its disks, within the pool or to another one; dest comes from `host.migrate_receive`."""

    @message(role=Role.VM_POWER_ADMIN, errors=("LICENCE_RESTRICTION",))
    def assert_can_migrate(
        vm,
        dest: Mapping[str, str],
        live: bool,
        vdi_map: Mapping[Ref[VDI], Ref[SR]],
        vif_map: Mapping[Ref[VIF], Ref[Network]],
        options: Mapping[str, str],
        vgpu_map: Mapping[Ref[VGPU], Ref[GPUGroup]] = {},
    ) -> None:
        """Succeed when `migrate_send` with these arguments could work, else fail with the reason."""

    @message(role=Role.READ_ONLY)
    def get_possible_hosts(vm) -> Set[Ref[Host]]:
        """The hosts that can run the VM now."""

    @message(
        role=Role.READ_ONLY,
        errors=(
            "HOST_NOT_ENOUGH_FREE_MEMORY",
            "HOST_NOT_ENOUGH_PCPUS",
            "NETWORK_SRIOV_INSUFFICIENT_CAPACITY",
            "HOST_NOT_LIVE",
            "HOST_DISABLED",
            "HOST_CANNOT_ATTACH_NETWORK",
            "VM_HVM_REQUIRED",
            "VM_REQUIRES_GPU",
            "VM_REQUIRES_IOMMU",
            "VM_REQUIRES_NETWORK",
            "VM_REQUIRES_SR",
            "VM_REQUIRES_VGPU",
            "VM_HOST_INCOMPATIBLE_VERSION",
            "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
            "INVALID_VALUE",
            "MEMORY_CONSTRAINT_VIOLATION",
            "OPERATION_NOT_ALLOWED",
            "VALUE_NOT_SUPPORTED",
            "VM_INCOMPATIBLE_WITH_THIS_HOST",
        ),
    )
    def assert_can_boot_here(self, host: Ref[Host]) -> None:
        """Succeed when the VM could start on this host now, else fail with the reason."""

    @message(role=Role.READ_ONLY)
    def assert_agile(self) -> None:
        """Succeed when every host could run the VM: all its disks and networks are shared."""

    @message(role=Role.READ_ONLY)
    def retrieve_wlb_recommendations(vm) -> Mapping[Ref[Host], Set[str]]:
        """The hosts that an external load balancer recommends, with reasons; Cardume knows none."""

    @message(
        role=Role.VM_POWER_ADMIN,
        errors=("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "VM_IS_TEMPLATE", "OPERATION_NOT_ALLOWED"),
        client_cert=True,
    )
    def restart_device_models(self) -> None:
        """Give the running VM a fresh device model by moving it to its own host."""

    # Copies, templates, snapshots
    @message(role=Role.VM_POWER_ADMIN, errors=("VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED"))
    def snapshot(vm, new_name: str, ignore_vdis: Set[Ref[VDI]] = ()) -> Ref[VM]:
        """Keep the state of the VM's disks as a snapshot, without those named in ignore_vdis."""

    @message(
        role=Role.VM_POWER_ADMIN,
        errors=(
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "VM_CHECKPOINT_SUSPEND_FAILED",
            "VM_CHECKPOINT_RESUME_FAILED",
        ),
    )
    def checkpoint(vm, new_name: str) -> Ref[VM]:
        """Keep the state of the VM's disks and memory as a snapshot."""

    @message(
        role=Role.VM_POWER_ADMIN, errors=("VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "SR_FULL", "VM_REVERT_FAILED")
    )
    def revert(snapshot) -> None:
        """Set the VM back to this snapshot; what came after it is lost."""

    @message(errors=("VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"))
    def clone(vm, new_name: str) -> Ref[VM]:
        """Make a VM like this one whose disks start as quick clones on the same SRs."""

    @message(errors=("VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"))
    def copy(vm, new_name: str, sr: Ref[SR]) -> Ref[VM]:
        """Make a VM like this one with full copies of its disks, on this SR; null keeps each disk's own."""

    @message(errors=("VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"))
    def provision(vm) -> None:
        """Make the disks that the template's description asks for; a new VM calls for it once."""

    @message(role=Role.POOL_OPERATOR)
    @staticmethod
    def import_(url: str, sr: Ref[SR], full_restore: bool, force: bool) -> Set[Ref[VM]]:
        """Fetch an exported VM from the URL and make it here; its disks go to the SR."""

    @message()
    @staticmethod
    def import_convert(type: str, username: str, password: str, sr: Ref[SR], remote_config: Mapping[str, str]) -> None:
        """Import a VM from a virtual machine host of another make."""

    @message(role=Role.POOL_OPERATOR, has_async=False)
    def set_snapshot_schedule(self, value: Ref[VMSS]) -> None:
        """Choose the schedule that makes snapshots of the VM."""

    # Memory and CPUs, changed
    @message(role=Role.VM_POWER_ADMIN)
    def set_memory(self, value: int) -> None:
        """Give the VM this much memory: the dynamic limits and static_max become this."""

    @message(role=Role.VM_POWER_ADMIN)
    def set_memory_limits(self, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int) -> None:
        """Set all four memory limits at once; static_max changes only while the VM is halted."""

    @message(role=Role.VM_POWER_ADMIN, errors=("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",), has_async=False)
    def set_memory_static_max(self, value: int) -> None:
        """Set the most memory the guest can ever have; only while it is halted."""

    @message(role=Role.VM_POWER_ADMIN, has_async=False)
    def set_memory_static_min(self, value: int) -> None:
        """Set the least memory the guest may be configured with; only while it is halted."""

    @message(role=Role.VM_POWER_ADMIN)
    def set_memory_static_range(self, min: int, max: int) -> None:
        """Set both static limits of the memory; only while the VM is halted."""

    @message(role=Role.VM_POWER_ADMIN, has_async=False)
    def set_memory_dynamic_max(self, value: int) -> None:
        """Set the memory the guest has when the host has enough; a running guest follows."""

    @message(role=Role.VM_POWER_ADMIN, has_async=False)
    def set_memory_dynamic_min(self, value: int) -> None:
        """Set the memory the guest is squeezed to at most; a running guest follows."""

    @message(role=Role.VM_POWER_ADMIN)
    def set_memory_dynamic_range(self, min: int, max: int) -> None:
        """Set both dynamic limits of the memory; a running guest follows."""

    @message(role=Role.VM_POWER_ADMIN)
    def set_memory_target_live(self, target: int) -> None:
        """Ask the running guest to take this much memory; kept for older clients."""

    @message(role=Role.READ_ONLY)
    def wait_memory_target_live(self) -> None:
        """Wait until the running guest has the memory it was asked to take."""

    @message(role=Role.READ_ONLY)
    def get_cooperative(self) -> bool:
        """Whether the running guest follows its memory target; kept for older clients, always true."""

    @message(role=Role.READ_ONLY)
    def compute_memory_overhead(vm) -> int:
        """The host's memory that the VM needs besides the guest's own, in bytes."""

    @message(role=Role.READ_ONLY)
    def maximise_memory(self, total: int, approximate: bool) -> int:
        """The most memory the guest could have when the whole VM may take `total` bytes of a host."""

    @message(has_async=False)
    def set_VCPUs_max(self, value: int) -> None:
        """Set the most virtual CPUs that the VM can have; only while it is halted."""

    @message(has_async=False)
    def set_VCPUs_at_startup(self, value: int) -> None:
        """Set the virtual CPUs that the VM starts with; only while it is halted."""

    @message(errors=("OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"))
    def set_VCPUs_number_live(self, nvcpu: int) -> None:
        """Give the running guest this many virtual CPUs at once."""

    @message()
    def add_to_VCPUs_params_live(self, key: str, value: str) -> None:
        """Change a scheduling setting of the running VM at once."""

    @message(role=Role.VM_POWER_ADMIN, has_async=False)
    def set_HVM_shadow_multiplier(self, value: float) -> None:
        """Set the spare room for shadow page tables; kept for clients."""

    @message(role=Role.VM_POWER_ADMIN)
    def set_shadow_multiplier_live(self, multiplier: float) -> None:
        """Set a running VM's spare room for shadow page tables; kept for clients."""

    # Devices
    @message(role=Role.READ_ONLY, has_async=False)
    def get_allowed_VBD_devices(vm) -> Set[str]:
        """The positions where a new drive may go."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_allowed_VIF_devices(vm) -> Set[str]:
        """The positions where a new network card may go."""

    @message(role=Role.VM_POWER_ADMIN)
    def create_new_blob(vm, name: str, mime_type: str, public: bool = False) -> Ref[Blob]:
        """Attach a new, empty piece of data to the VM under this name."""

    # Settings that are checked or act at once
    @message()
    def set_actions_after_crash(self, value: OnCrash) -> None:
        """Choose what happens when the guest crashes; a running guest follows."""

    @message(has_async=False)
    def set_HVM_boot_policy(self, value: str) -> None:
        """Choose between paravirtual and hardware boot; set_domain_type says it better."""

    @message(has_async=False)
    def set_domain_type(self, value: DomainType) -> None:
        """Choose the kind of virtual machine; only while it is halted."""

    @message(has_async=False)
    def set_platform(self, value: Mapping[str, str]) -> None:
        """Replace the virtual hardware's settings; takes effect at the next start."""

    @message(has_async=False, key_roles=_PLATFORM_ROLES)
    def add_to_platform(self, key: str, value: str) -> None:
        """Add a setting of the virtual hardware; takes effect at the next start."""

    @message(has_async=False, key_roles=_PLATFORM_ROLES)
    def remove_from_platform(self, key: str) -> None:
        """Remove a setting of the virtual hardware; takes effect at the next start."""

    @message(has_async=False)
    def set_NVRAM(self, value: Mapping[str, str]) -> None:
        """Replace what the firmware remembers; only while the VM is halted."""

    @message(has_async=False)
    def add_to_NVRAM(self, key: str, value: str) -> None:
        """Let the firmware remember one more thing; only while the VM is halted."""

    @message(has_async=False)
    def remove_from_NVRAM(self, key: str) -> None:
        """Let the firmware forget a thing; only while the VM is halted."""

    @message(role=Role.POOL_ADMIN)
    def set_uefi_mode(self, mode: UefiMode) -> str:
        """Let the firmware start in setup mode, open for new keys, or in user mode; answers what was done."""

    @message(role=Role.POOL_ADMIN)
    def get_secureboot_readiness(self) -> SecurebootReadiness:
        """Whether the VM would boot with its firmware checking signatures."""

    @message()
    def update_secureboot_certificates_on_boot(self, mark: bool) -> None:
        """Mark the VM, or not, to renew its firmware's certificates at its next start."""

    @message(errors=("VM_BIOS_STRINGS_ALREADY_SET", "INVALID_VALUE"))
    def set_bios_strings(self, value: Mapping[str, str]) -> None:
        """Choose what the guest reads as its maker and model; only once and before the first start."""

    @message()
    def copy_bios_strings(vm, host: Ref[Host]) -> None:
        """Let the guest read this host's maker and model as its own."""

    @message()
    def set_has_vendor_device(self, value: bool) -> None:
        """Choose whether Windows may fetch drivers by its own updates; only while it is halted."""

    @message(has_async=False)
    def set_other_config(self, value: Mapping[str, str]) -> None:
        """Replace the facts that clients keep with the VM."""

    @message(has_async=False, key_roles=_OTHER_CONFIG_ROLES)
    def add_to_other_config(self, key: str, value: str) -> None:
        """Add a fact for clients to keep with the VM."""

    @message(has_async=False, key_roles=_OTHER_CONFIG_ROLES)
    def remove_from_other_config(self, key: str) -> None:
        """Remove a fact that clients keep with the VM."""

    @message()
    def set_blocked_operations(self, value: Mapping[VMOperation, str]) -> None:
        """Replace the operations that may not be done with the VM, with the reasons to tell."""

    @message()
    def add_to_blocked_operations(self, key: VMOperation, value: str) -> None:
        """Forbid an operation on the VM, with the reason to tell."""

    @message()
    def remove_from_blocked_operations(self, key: VMOperation) -> None:
        """Allow an operation again that was forbidden."""

    @message(role=Role.POOL_OPERATOR)
    def set_suspend_VDI(self, value: Ref[VDI]) -> None:
        """Name the disk that holds a suspended VM's memory; for tools that replicate disks."""

    @message(errors=("OPERATION_NOT_ALLOWED",))
    def set_groups(self, value: Set[Ref[VMGroup]]) -> None:
        """Choose the placement groups that the VM is in."""

    @message(role=Role.POOL_OPERATOR)
    def set_appliance(self, value: Ref[VMAppliance]) -> None:
        """Choose the group that the VM starts and stops with."""

    # High availability and order, set
    @message(role=Role.POOL_OPERATOR, has_async=False)
    def set_ha_restart_priority(self, value: str) -> None:
        """Choose what happens when the VM's host is lost: restart, best-effort or empty."""

    @message(role=Role.POOL_OPERATOR, has_async=False)
    def set_ha_always_run(self, value: bool) -> None:
        """Say whether the VM should always run; kept for older clients."""

    @message(role=Role.POOL_OPERATOR)
    def set_order(self, value: int) -> None:
        """Choose its turn among restarted VMs: lower numbers start first."""

    @message(role=Role.POOL_OPERATOR)
    def set_start_delay(self, value: int) -> None:
        """Choose the seconds to wait after its start, before VMs of the next turn start."""

    @message(role=Role.POOL_OPERATOR)
    def set_shutdown_delay(self, value: int) -> None:
        """Choose the seconds to wait after its shutdown, before VMs of the turn before stop."""

    # Recovery from replicated disks
    @message(role=Role.READ_ONLY)
    def recover(self, session_to: Ref[Session], force: bool) -> None:
        """Make this VM, found on a replicated disk, in the pool of the other session."""

    @message(role=Role.READ_ONLY, errors=("VM_IS_PART_OF_AN_APPLIANCE", "VM_REQUIRES_SR"))
    def assert_can_be_recovered(self, session_to: Ref[Session]) -> None:
        """Succeed when the other session's pool reaches all SRs that the VM needs."""

    @message(role=Role.READ_ONLY)
    def get_SRs_required_for_recovery(self, session_to: Ref[Session]) -> Set[Ref[SR]]:
        """The SRs that the other session's pool must reach for the VM's recovery."""

    # What is measured
    @message(role=Role.READ_ONLY, has_async=False)
    def get_data_sources(self) -> Set[DataSource]:
        """The measurements of the running VM, with what each one means."""

    @message(has_async=False)
    def record_data_source(self, data_source: str) -> None:
        """Keep a history of this measurement from now on."""

    @message(role=Role.READ_ONLY, has_async=False)
    def query_data_source(self, data_source: str) -> float:
        """The present value of this measurement."""

    @message(has_async=False)
    def forget_data_source_archives(self, data_source: str) -> None:
        """Throw away the history of this measurement."""

    # The rest
    @message(role=Role.READ_ONLY, has_async=False)
    def get_boot_record(self) -> VM:
        """The VM's record as it was at its last start; kept for older clients."""

    @message(role=Role.READ_ONLY)
    def assert_operation_valid(self, op: VMOperation) -> None:
        """Succeed when the operation may be done now, else fail with the reason."""

    @message(role=Role.POOL_ADMIN)
    def update_allowed_operations(self) -> None:
        """Work out anew what may be done with the VM."""

    @message(role=Role.POOL_ADMIN, errors=("VM_BAD_POWER_STATE",))
    def send_sysrq(vm, key: str) -> None:
        """Press the guest kernel's emergency key."""

    @message(role=Role.POOL_ADMIN, errors=("VM_BAD_POWER_STATE",))
    def send_trigger(vm, trigger: str) -> None:
        """Send a signal to the guest's machine, for instance nmi."""

    @message(role=Role.POOL_ADMIN)
    def query_services(self) -> Mapping[str, str]:
        """The services that the VM offers to its pool, by kind."""

    @message(role=Role.VM_OPERATOR)
    def call_plugin(vm, plugin: str, fn: str, args: Mapping[str, str]) -> str:
        """Run a function of a plugin about this VM on its host."""

    @message(role=Role.VM_OPERATOR)
    def call_host_plugin(vm, plugin: str, fn: str, args: Mapping[str, str]) -> str:
        """Run a function of a host's plugin for this VM on its host."""

    @message()
    def sysprep(self, unattend: str, timeout: float) -> None:
        """Prepare a Windows guest to be cloned, with this answer file, within the timeout."""
