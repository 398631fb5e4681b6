"""host: a physical machine of the pool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.blob import Blob
    from cardume.datamodel.certificate import Certificate
    from cardume.datamodel.data_source import DataSource
    from cardume.datamodel.feature import Feature
    from cardume.datamodel.host_cpu import HostCpu
    from cardume.datamodel.host_crashdump import HostCrashdump
    from cardume.datamodel.host_metrics import HostMetrics
    from cardume.datamodel.host_patch import HostPatch
    from cardume.datamodel.network import Network
    from cardume.datamodel.pbd import PBD
    from cardume.datamodel.pci import PCI
    from cardume.datamodel.pgpu import PGPU
    from cardume.datamodel.pif import PIF
    from cardume.datamodel.pool_update import PoolUpdate
    from cardume.datamodel.pusb import PUSB
    from cardume.datamodel.sr import SR
    from cardume.datamodel.vm import VM


@named("host_allowed_operations")
class HostOperation(StrEnum):
    """Operations on a host that exclude others while they run."""

    PROVISION = "provision"
    EVACUATE = "evacuate"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    POWER_ON = "power_on"
    VM_START = "vm_start"
    VM_RESUME = "vm_resume"
    VM_MIGRATE = "vm_migrate"
    APPLY_UPDATES = "apply_updates"
    ENABLE = "enable"


@named("host_display")
class HostDisplay(StrEnum):
    """Whether the host uses its own graphics card."""

    ENABLED = "enabled"
    DISABLE_ON_REBOOT = "disable_on_reboot"
    DISABLED = "disabled"
    ENABLE_ON_REBOOT = "enable_on_reboot"


@named("host_ntp_mode")
class HostNtpMode(StrEnum):
    """Where a host's clock takes the time from."""

    DHCP = "DHCP"
    CUSTOM = "Custom"
    FACTORY = "Factory"
    DISABLED = "Disabled"


@named("host_numa_affinity_policy")
class HostNumaAffinityPolicy(StrEnum):
    """Whether guests are kept on one NUMA node."""

    ANY = "any"
    BEST_EFFORT = "best_effort"
    DEFAULT_POLICY = "default_policy"


@named("host_sched_gran")
class HostSchedGran(StrEnum):
    """In which groups a host's processors are scheduled."""

    CORE = "core"
    CPU = "cpu"
    SOCKET = "socket"


@named("latest_synced_updates_applied_state")
class LatestSyncedUpdatesAppliedState(StrEnum):
    """Whether a host has the updates that were last synchronised."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@named("update_guidances")
class UpdateGuidances(StrEnum):
    """What has to be done for an update to take effect."""

    REBOOT_HOST = "reboot_host"
    REBOOT_HOST_ON_LIVEPATCH_FAILURE = "reboot_host_on_livepatch_failure"
    REBOOT_HOST_ON_KERNEL_LIVEPATCH_FAILURE = "reboot_host_on_kernel_livepatch_failure"
    REBOOT_HOST_ON_XEN_LIVEPATCH_FAILURE = "reboot_host_on_xen_livepatch_failure"
    RESTART_TOOLSTACK = "restart_toolstack"
    RESTART_DEVICE_MODEL = "restart_device_model"
    RESTART_VM = "restart_vm"


@xenclass(name="host", role=Role.POOL_OPERATOR)
class Host:
    """A physical machine of the pool: the guests it runs, the storage and networks it reaches."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the host's name as people see it", "")
    name_description: str = field(RW, "notes about the host", "")
    hostname: str = field(RW, "the name the operating system has; name_label is what people see")
    address: str = field(RW, "the address of its management interface, where its API and its peers reach it")
    enabled: bool = field(RO, "true while it may be given guests to start")
    metrics: Ref[HostMetrics] = field(RO, "what is measured of it: whether it is alive and its memory")
    host_CPUs: Set[Ref[HostCpu]] = field(RO, "its processors, one object a hardware thread", backref="host_cpu.host")
    cpu_info: Mapping[str, str] = field(RO, "processor count, vendor, model and features")
    cpu_configuration: Mapping[str, str] = field(RO, "how its processors are set up, where that is known")
    capabilities: Set[str] = field(STATIC_RO, "kinds of guests it can run, such as hvm-3.0-x86_64")
    chipset_info: Mapping[str, str] = field(
        RO, "what its chipset offers; iommu tells whether devices can be passed through"
    )
    bios_strings: Mapping[str, str] = field(RO, "vendor and model as the firmware names them")
    virtual_hardware_platform_versions: Set[int] = field(
        RO, "generations of virtual hardware that it can give to guests", (0,)
    )
    memory_overhead: int = field(RO, "bytes that the host itself needs, not free for guests")
    sched_policy: str = field(RO, "how the processors' time is shared between guests")
    supported_bootloaders: Set[str] = field(
        RO, "bootloaders for guests that do not boot from firmware; Cardume has none"
    )
    control_domain: Ref[VM] = field(RO, "the VM record that stands for the host itself")
    resident_VMs: Set[Ref[VM]] = field(
        RO, "VMs that run, are paused or are starting on this host", backref="VM.resident_on"
    )
    PIFs: Set[Ref[PIF]] = field(RO, "its physical network interfaces and what is built on them", backref="PIF.host")
    PBDs: Set[Ref[PBD]] = field(RO, "its links to SRs", backref="PBD.host")
    iscsi_iqn: str = field(STATIC_RO, "the initiator's name it shows to iSCSI targets", "")
    multipathing: bool = field(STATIC_RO, "true when it reaches LUNs over several paths", False)
    suspend_image_sr: Ref[SR] = field(RW, "where memory of suspended VMs goes when no other place is named")
    crash_dump_sr: Ref[SR] = field(RW, "where crash dumps of VMs go")
    local_cache_sr: Ref[SR] = field(STATIC_RO, "the SR that caches shared disks on this host; null means none", NULL)
    API_version_major: int = field(RO, "major version of XenAPI that it speaks")
    API_version_minor: int = field(RO, "minor version of XenAPI that it speaks")
    API_version_vendor: str = field(RO, "who makes the implementation")
    API_version_vendor_implementation: Mapping[str, str] = field(
        RO, "facts about the implementation, in the vendor's own keys"
    )
    software_version: Mapping[str, str] = field(
        STATIC_RO, "product, versions and build; clients choose their features by it"
    )
    license_params: Mapping[str, str] = field(RO, "what the licence allows; Cardume restricts nothing")
    license_server: Mapping[str, str] = field(
        RW, "where licences would be fetched; kept for clients only", {"address": "localhost", "port": "27000"}
    )
    edition: str = field(RO, "the licence edition; Cardume knows a single one, named free")
    editions: Set[str] = field(RO, "licence editions to choose from")
    ha_statefiles: Set[str] = field(RO, "VDIs that hold the HA statefile, while HA is on")
    ha_network_peers: Set[str] = field(RO, "uuids of the hosts whose heartbeats it hears, itself included")
    external_auth_type: str = field(RO, "kind of external user directory; empty means none")
    external_auth_service_name: str = field(RO, "the directory's name or domain")
    external_auth_configuration: Mapping[str, str] = field(RO, "settings of the external user directory")
    certificates: Set[Ref[Certificate]] = field(RO, "TLS certificates that it serves", backref="Certificate.host")
    tls_verification_enabled: bool = field(RO, "true when it checks certificates of the peers it connects to")
    ssl_legacy: bool = field(STATIC_RO, "true when old TLS versions are accepted; always false in Cardume", True)
    https_only: bool = field(RO, "true when port 80 does nothing but redirect")
    uefi_certificates: str = field(STATIC_RO, "Secure Boot certificates as an archive in base64", "")
    secure_boot: bool = field(RO, "true when the host itself was started by Secure Boot")
    power_on_mode: str = field(RO, "how it can be switched on from afar, such as wake-on-lan; empty means it cannot")
    power_on_config: Mapping[str, str] = field(RO, "settings of power_on_mode")
    logging: Mapping[str, str] = field(RW, "where logs are sent; syslog_destination names a server")
    timezone: str = field(RO, "the time zone its clock is shown in", "UTC")
    ntp_mode: HostNtpMode = field(RO, "where its clock takes the time from", HostNtpMode.FACTORY)
    ntp_custom_servers: Set[str] = field(RO, "time servers that are used when ntp_mode is Custom")
    ssh_enabled: bool = field(RO, "true while its SSH service runs", True)
    ssh_enabled_timeout: int = field(RO, "seconds until SSH is switched off again; 0 means never")
    ssh_expiry: datetime = field(RO, "when SSH will be switched off")
    ssh_auto_mode: bool = field(RO, "true when SSH is on only while the API is down")
    console_idle_timeout: int = field(
        RO, "seconds after which an idle shell on the host's console is closed; 0 means never"
    )
    max_cstate: str = field(RO, "deepest sleep state of its processors; empty means no limit")
    numa_affinity_policy: HostNumaAffinityPolicy = field(
        RO, "whether guests are kept on one NUMA node", HostNumaAffinityPolicy.DEFAULT_POLICY
    )
    guest_VCPUs_params: Mapping[str, str] = field(RW, "parameters of virtual processors that every VM on it gets", {})
    display: HostDisplay = field(
        RW, "whether the host itself uses its graphics card, or leaves it for guests", HostDisplay.ENABLED
    )
    PCIs: Set[Ref[PCI]] = field(RO, "its PCI devices", backref="PCI.host")
    PGPUs: Set[Ref[PGPU]] = field(RO, "its physical graphics processors", backref="PGPU.host")
    PUSBs: Set[Ref[PUSB]] = field(RO, "its USB devices that can be passed through", backref="PUSB.host")
    features: Set[Ref[Feature]] = field(RO, "experimental features and whether they are on", backref="Feature.host")
    patches: Set[Ref[HostPatch]] = field(RO, "patches of the old kind on it", backref="host_patch.host")
    updates: Set[Ref[PoolUpdate]] = field(RO, "updates that are applied on it")
    updates_requiring_reboot: Set[Ref[PoolUpdate]] = field(RO, "applied updates that wait for a restart of the host")
    last_software_update: datetime = field(RO, "when software was last updated")
    last_update_hash: str = field(RO, "which state of the repositories it was last updated to")
    latest_synced_updates_applied: LatestSyncedUpdatesAppliedState = field(
        RO, "whether it has the updates that were last synchronised", LatestSyncedUpdatesAppliedState.UNKNOWN
    )
    pending_guidances: Set[UpdateGuidances] = field(RO, "what must be done for applied updates to take effect")
    pending_guidances_recommended: Set[UpdateGuidances] = field(RO, "what should be done after an update")
    pending_guidances_full: Set[UpdateGuidances] = field(RO, "what would make every update take effect")
    crashdumps: Set[Ref[HostCrashdump]] = field(
        RO, "dumps of crashes of the host itself", backref="host_crashdump.host"
    )
    blobs: Mapping[str, Ref[Blob]] = field(RO, "files attached to the host, by name")
    tags: Set[str] = field(RW, "words for sorting and finding", (), role=Role.VM_OPERATOR)
    other_config: Mapping[str, str] = field(
        RW,
        "more facts, for clients to keep; some keys steer Cardume",
        key_roles={"folder": Role.VM_OPERATOR, "XenCenter.CustomFields.*": Role.VM_OPERATOR},
    )
    allowed_operations: Set[HostOperation] = field(RO, "operations that it could begin now", volatile=True)
    current_operations: Mapping[str, HostOperation] = field(RO, "operations that run on it now, by task", volatile=True)

    @message(client_cert=True)
    def enable(host) -> None:
        """Let guests start on this host again."""

    @message(client_cert=True)
    def disable(host, auto_enable: bool = True) -> None:
        """Keep new guests off this host; those running stay. A restart enables it unless auto_enable is false."""

    @message(client_cert=True)
    def evacuate(host, network: Ref[Network] = NULL, evacuate_batch_size: int = 0) -> None:
        """Migrate every VM away, so that the host can be stopped; it should be disabled first."""

    @message()
    def assert_can_evacuate(host) -> None:
        """Fail with the reason when some VM could not be migrated away."""

    @message(role=Role.READ_ONLY)
    def get_vms_which_prevent_evacuation(self) -> Mapping[Ref[VM], Set[str]]:
        """The VMs that could not be migrated away, each with the error that a migration would give."""

    @message(role=Role.READ_ONLY)
    def get_uncooperative_resident_VMs(self) -> Set[Ref[VM]]:
        """VMs on this host that do not follow their memory target."""

    @message()
    def shutdown(host) -> None:
        """Switch the host off; it must be disabled and run no VM."""

    @message()
    def reboot(host) -> None:
        """Restart the host; it must be disabled and run no VM."""

    @message()
    def power_on(host) -> None:
        """Switch on a host that is off, by the way that power_on_mode names."""

    @message()
    def set_power_on_mode(self, power_on_mode: str, power_on_config: Mapping[str, str]) -> None:
        """Choose how this host can be switched on from afar."""

    @message()
    def declare_dead(host) -> None:
        """Assert that the host is off and runs nothing: its VMs become halted and may start elsewhere."""

    @message()
    def destroy(self) -> None:
        """Forget a host that is gone for good; its VMs and its local SRs are forgotten too."""

    @message()
    def restart_agent(host) -> None:
        """Restart the host's Cardume daemon; VMs go on."""

    @message(has_async=False)
    @staticmethod
    def shutdown_agent() -> None:
        """Stop the Cardume daemon of the host that answers; VMs go on."""

    @message(errors=("HOST_NAME_INVALID",), has_async=False)
    def set_hostname_live(host, hostname: str) -> None:
        """Change the operating system's name at once."""

    @message()
    def set_iscsi_iqn(host, value: str) -> None:
        """Change the name that the host shows to iSCSI targets; SRs on iSCSI must be detached for it to take effect."""

    @message()
    def set_multipathing(host, value: bool) -> None:
        """Use several paths to LUNs, or one; no LUN may be attached."""

    @message(role=Role.READ_ONLY)
    def compute_free_memory(host) -> int:
        """Bytes of memory that new guests could still be given."""

    @message(role=Role.READ_ONLY)
    def compute_memory_overhead(host) -> int:
        """Bytes of memory that the host needs for itself."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_servertime(host) -> datetime:
        """The host's clock, in UTC."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_server_localtime(host) -> datetime:
        """The host's clock, in its own time zone."""

    @message()
    def set_servertime(self, value: datetime) -> None:
        """Set the host's clock; refused while it follows time servers."""

    @message(role=Role.READ_ONLY)
    def list_timezones(self) -> Set[str]:
        """Time zones that set_timezone takes."""

    @message()
    def set_timezone(self, value: str) -> None:
        """Show the host's clock in another time zone."""

    @message()
    def set_ntp_mode(self, value: HostNtpMode) -> None:
        """Choose where the clock takes the time from."""

    @message()
    def set_ntp_custom_servers(self, value: Set[str]) -> None:
        """Name the time servers of ntp_mode Custom."""

    @message(role=Role.READ_ONLY)
    def get_ntp_servers_status(self) -> Mapping[str, str]:
        """The time servers in use, each with its state."""

    @message(role=Role.READ_ONLY)
    def get_ntp_synchronized(self) -> bool:
        """True when the clock agrees with its time servers."""

    @message()
    def get_management_interface(host) -> Ref[PIF]:
        """The PIF that carries management traffic."""

    @message()
    @staticmethod
    def management_reconfigure(pif: Ref[PIF]) -> None:
        """Move management traffic to another PIF of the same host."""

    @message(has_async=False)
    @staticmethod
    def local_management_reconfigure(interface: str) -> None:
        """Move management traffic to a network device; works on the host itself, without the master."""

    @message(has_async=False)
    @staticmethod
    def management_disable() -> None:
        """Take the host's API off the network; only its local socket is left."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_data_sources(host) -> Set[DataSource]:
        """What is measured on this host."""

    @message(role=Role.READ_ONLY, has_async=False)
    def query_data_source(host, data_source: str) -> float:
        """The latest value of one measured source."""

    @message(has_async=False)
    def record_data_source(host, data_source: str) -> None:
        """Begin to keep the history of a source."""

    @message(has_async=False)
    def forget_data_source_archives(host, data_source: str) -> None:
        """Drop the history of a source."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def backup_rrds(host, delay: float) -> None:
        """Save the history of measurements to disk after a delay in seconds."""

    @message(role=Role.POOL_ADMIN)
    def call_plugin(host, plugin: str, fn: str, args: Mapping[str, str]) -> str:
        """Run a function of a plug-in on this host and return its text."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def call_extension(host, call: str) -> str:
        """Call an extension of the API on this host."""

    @message(role=Role.POOL_ADMIN)
    def has_extension(host, name: str) -> bool:
        """True when the host has this extension."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def list_methods() -> Set[str]:
        """Every method's full name."""

    @message()
    def dmesg(host) -> str:
        """The kernel's messages."""

    @message()
    def dmesg_clear(host) -> str:
        """The kernel's messages, which are emptied after reading."""

    @message(role=Role.READ_ONLY)
    def get_log(host) -> str:
        """The end of the host's log."""

    @message(role=Role.POOL_ADMIN)
    def send_debug_keys(host, keys: str) -> None:
        """Send keys to the hypervisor's debug console."""

    @message()
    def bugreport_upload(host, url: str, options: Mapping[str, str]) -> None:
        """Send a report about the host's state to a URL."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_system_status_capabilities(host) -> str:
        """The parts that a status report can have, as XML."""

    @message()
    def syslog_reconfigure(host) -> None:
        """Make the logging field take effect."""

    @message()
    def create_new_blob(host, name: str, mime_type: str, public: bool = False) -> Ref[Blob]:
        """Attach a new, empty file to the host."""

    @message(role=Role.VM_POWER_ADMIN)
    def migrate_receive(host, network: Ref[Network], options: Mapping[str, str]) -> Mapping[str, str]:
        """Prepare to receive a VM from another pool; the answer is handed to the sender's migrate_send."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def sync_data(host) -> None:
        """Bring this host's copy of what every member keeps up to date."""

    @message(has_async=False)
    @staticmethod
    def emergency_ha_disable(soft: bool = False) -> None:
        """Stop HA on this host alone, when the pool cannot be reached; data may be at risk unless soft is true."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def enable_external_auth(host, config: Mapping[str, str], service_name: str, auth_type: str) -> None:
        """Let users of an external directory log in to this host."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def disable_external_auth(host, config: Mapping[str, str] = NO_MAP, force: bool = False) -> None:
        """Stop asking the external directory."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def external_auth_set_ldaps(host, ldaps: bool, force: bool = False) -> None:
        """Talk to the external directory over TLS, or not."""

    @message(role=Role.READ_ONLY)
    def get_server_certificate(host) -> str:
        """The certificate the host serves, as PEM."""

    @message(role=Role.POOL_ADMIN)
    def install_server_certificate(host, certificate: str, private_key: str, certificate_chain: str = "") -> None:
        """Serve this certificate and key from now on."""

    @message(role=Role.POOL_ADMIN)
    def reset_server_certificate(host) -> None:
        """Replace the served certificate by a new one that the host makes itself."""

    @message(role=Role.POOL_ADMIN)
    def refresh_server_certificate(host) -> None:
        """Replace the certificate used inside the pool by a new one."""

    @message(role=Role.LOCAL_ROOT, has_async=False)
    @staticmethod
    def emergency_reset_server_certificate() -> None:
        """Replace the served certificate of the host that answers; local use only."""

    @message(role=Role.LOCAL_ROOT, has_async=False)
    @staticmethod
    def emergency_disable_tls_verification() -> None:
        """Stop checking peers' certificates on the host that answers; local use only."""

    @message(role=Role.LOCAL_ROOT, has_async=False)
    @staticmethod
    def emergency_reenable_tls_verification() -> None:
        """Check peers' certificates again; local use only."""

    @message()
    def set_ssl_legacy(self, value: bool) -> None:
        """Accept old TLS versions or not; Cardume accepts false only."""

    @message()
    def set_https_only(self, value: bool) -> None:
        """Close plain HTTP or open it for redirects."""

    @message(role=Role.LOCAL_ROOT)
    def set_uefi_certificates(host, value: str) -> None:
        """Replace the Secure Boot certificates on this host."""

    @message(role=Role.POOL_ADMIN)
    def enable_ssh(self) -> None:
        """Start the host's SSH service."""

    @message(role=Role.POOL_ADMIN)
    def disable_ssh(self) -> None:
        """Stop the host's SSH service."""

    @message(role=Role.POOL_ADMIN)
    def set_ssh_enabled_timeout(self, value: int) -> None:
        """Choose after how many seconds SSH is switched off again."""

    @message(role=Role.POOL_ADMIN)
    def set_ssh_auto_mode(self, value: bool) -> None:
        """Let SSH be on only while the API is down, or as chosen by hand."""

    @message(role=Role.POOL_ADMIN)
    def set_console_idle_timeout(self, value: int) -> None:
        """Choose after how many seconds an idle shell on the console is closed."""

    @message()
    def enable_display(host) -> HostDisplay:
        """Give the graphics card back to the host at the next restart."""

    @message()
    def disable_display(host) -> HostDisplay:
        """Keep the graphics card free for guests from the next restart on."""

    @message()
    def set_max_cstate(self, value: str) -> None:
        """Limit how deep the processors may sleep."""

    @message(role=Role.POOL_ADMIN)
    def set_numa_affinity_policy(self, value: HostNumaAffinityPolicy) -> None:
        """Choose whether guests are kept on one NUMA node."""

    @message(role=Role.LOCAL_ROOT)
    def get_sched_gran(self) -> HostSchedGran:
        """In which groups processors are scheduled."""

    @message(role=Role.LOCAL_ROOT)
    def set_sched_gran(self, value: HostSchedGran) -> None:
        """Choose in which groups processors are scheduled, from the next restart on."""

    @message(role=Role.POOL_ADMIN)
    def rescan_drivers(self) -> None:
        """Look again which drivers the host's devices use."""

    @message(role=Role.READ_ONLY)
    def get_tracked_user_agents(self) -> Mapping[str, str]:
        """Client programs that used the API lately, with their versions."""

    @message(has_async=False)
    def enable_local_storage_caching(host, sr: Ref[SR]) -> None:
        """Cache shared disks on a local SR of this host."""

    @message(has_async=False)
    def disable_local_storage_caching(host) -> None:
        """Stop caching shared disks on this host."""

    @message(client_cert=True)
    def apply_updates(self, hash: str) -> Set[Set[str]]:
        """Apply the updates that the hash names, and return what went wrong or still waits."""

    @message(role=Role.LOCAL_ROOT, has_async=False)
    @staticmethod
    def emergency_clear_mandatory_guidance() -> None:
        """Forget that an update demands a restart; local use only."""

    @message()
    def refresh_pack_info(host) -> None:
        """Look again which software packs are installed."""

    @message(role=Role.READ_ONLY)
    def retrieve_wlb_evacuate_recommendations(self) -> Mapping[Ref[VM], Set[str]]:
        """Where a workload balancer would move this host's VMs."""

    @message(has_async=False)
    def apply_edition(host, edition: str, force: bool = False) -> None:
        """Choose the licence edition."""

    @message(errors=("LICENSE_PROCESSING_ERROR",))
    def license_add(host, contents: str) -> None:
        """Install a licence file."""

    @message()
    def license_remove(host) -> None:
        """Remove the installed licence."""
