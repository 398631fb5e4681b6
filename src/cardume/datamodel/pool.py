"""pool: the pool itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.blob import Blob
    from cardume.datamodel.certificate import Certificate, CertificatePurpose
    from cardume.datamodel.host import Host
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF
    from cardume.datamodel.repository import Repository
    from cardume.datamodel.secret import Secret
    from cardume.datamodel.session import Session
    from cardume.datamodel.sr import SR
    from cardume.datamodel.vdi import VDI
    from cardume.datamodel.vm import VM


@named("pool_allowed_operations")
class PoolOperation(StrEnum):
    """Operations on a pool that exclude others while they run."""

    HA_ENABLE = "ha_enable"
    HA_DISABLE = "ha_disable"
    CLUSTER_CREATE = "cluster_create"
    DESIGNATE_NEW_MASTER = "designate_new_master"
    CONFIGURE_REPOSITORIES = "configure_repositories"
    SYNC_UPDATES = "sync_updates"
    SYNC_BUNDLE = "sync_bundle"
    GET_UPDATES = "get_updates"
    APPLY_UPDATES = "apply_updates"
    TLS_VERIFICATION_ENABLE = "tls_verification_enable"
    CERT_REFRESH = "cert_refresh"
    EXCHANGE_CERTIFICATES_ON_JOIN = "exchange_certificates_on_join"
    EXCHANGE_CA_CERTIFICATES_ON_JOIN = "exchange_ca_certificates_on_join"
    COPY_PRIMARY_HOST_CERTS = "copy_primary_host_certs"
    EJECT = "eject"
    EXCHANGE_CRLS_ON_JOIN = "exchange_crls_on_join"


@named("pool_guest_secureboot_readiness")
class PoolGuestSecurebootReadiness(StrEnum):
    """Whether VMs of a pool could start by Secure Boot."""

    READY = "ready"
    READY_NO_DBX = "ready_no_dbx"
    NOT_READY = "not_ready"


@named("telemetry_frequency")
class TelemetryFrequency(StrEnum):
    """How often usage data is collected."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@named("update_sync_frequency")
class UpdateSyncFrequency(StrEnum):
    """How often repositories are synchronised."""

    DAILY = "daily"
    WEEKLY = "weekly"


@xenclass(name="pool", role=Role.POOL_OPERATOR, by_name_label=False)
class Pool:
    """The pool itself: the one object of its kind, with what holds for every host."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the pool's name; empty for a standalone host that was never named a pool")
    name_description: str = field(RW, "notes about the pool")
    master: Ref[Host] = field(RO, "the host that answers the API and writes the pool database")
    default_SR: Ref[SR] = field(RW, "where new disks go when nothing else is said")
    suspend_image_SR: Ref[SR] = field(RW, "where the memory of suspended VMs goes")
    crash_dump_SR: Ref[SR] = field(RW, "where crash dumps of VMs go")
    cpu_info: Mapping[str, str] = field(RO, "processor features that every host of the pool has")
    ha_enabled: bool = field(RO, "true while HA watches over the hosts")
    ha_configuration: Mapping[str, str] = field(RO, "HA's settings, such as its timeout")
    ha_statefiles: Set[str] = field(RO, "the VDIs with the HA statefile")
    ha_host_failures_to_tolerate: int = field(RO, "how many hosts may fail with every protected VM still restarted")
    ha_plan_exists_for: int = field(RO, "how many host failures the present plan really covers")
    ha_overcommitted: bool = field(RO, "true when the plan covers fewer failures than asked for")
    ha_allow_overcommit: bool = field(
        RW, "true when operations may go on that make the plan cover too few failures", False, effect=True
    )
    ha_reboot_vm_on_internal_shutdown: bool = field(
        RW, "true when HA starts a protected VM again after its guest shut it down", True
    )
    ha_cluster_stack: str = field(RO, "what keeps the hosts' membership: empty without HA, else cardume")
    redo_log_enabled: bool = field(RO, "true when database changes are also written to a disk of an SR")
    redo_log_vdi: Ref[VDI] = field(RO, "the VDI that the changes are written to")
    metadata_VDIs: Set[Ref[VDI]] = field(RO, "VDIs that hold a copy of a pool database", backref="VDI.metadata_of_pool")
    coordinator_bias: bool = field(RW, "true when the master is kept free of VMs where that is possible", True)
    migration_compression: bool = field(RW, "true when memory is compressed on its way in a live migration", False)
    live_patching_disabled: bool = field(RW, "true when no patch may be applied without a restart", False)
    limit_console_sessions: bool = field(RW, "true when a VM's console takes one viewer at a time", False)
    vm_console_idle_timeout: int = field(RW, "seconds after which an idle VM console is closed; 0 means never", 0)
    policy_no_vendor_device: bool = field(RW, "true when new VMs get no device for the vendor's driver updates", False)
    guest_agent_config: Mapping[str, str] = field(RO, "settings handed to the guests' agents")
    restrictions: Mapping[str, str] = field(
        RO, "what the licences of all hosts together allow; Cardume restricts nothing"
    )
    license_server: Mapping[str, str] = field(RW, "where licences would be fetched for the pool", {})
    igmp_snooping_enabled: bool = field(RO, "true when multicast goes only to the ports that asked for it")
    vswitch_controller: str = field(RO, "address of a switch controller; not used")
    client_certificate_auth_enabled: bool = field(RO, "true when a client may log in by its certificate")
    client_certificate_auth_name: str = field(RO, "the name that a client's certificate must carry")
    tls_verification_enabled: bool = field(RO, "true when every host checks its peers' certificates")
    uefi_certificates: str = field(STATIC_RO, "Secure Boot certificates of the pool as an archive in base64", "")
    custom_uefi_certificates: str = field(
        STATIC_RO, "Secure Boot certificates that take the place of the delivered ones", ""
    )
    auto_update_vm_secureboot_certificates: bool = field(
        RW, "true when VMs get new Secure Boot certificates by themselves", False
    )
    ext_auth_max_threads: int = field(STATIC_RO, "most logins checked with the external directory at a time", 1)
    ext_auth_cache_enabled: bool = field(RO, "true when answers of the external directory are remembered", True)
    ext_auth_cache_size: int = field(RO, "how many of these answers are remembered", 50)
    ext_auth_cache_expiry: int = field(RO, "seconds for which they are remembered", 300)
    local_auth_max_threads: int = field(STATIC_RO, "most logins of local users checked at a time", 8)
    is_psr_pending: bool = field(RW, "true when a change of the pool's secret was not finished", False)
    repositories: Set[Ref[Repository]] = field(RO, "repositories that updates come from")
    repository_proxy_url: str = field(RO, "proxy on the way to the repositories")
    repository_proxy_username: str = field(RO, "user name for that proxy")
    repository_proxy_password: Ref[Secret] = field(RO, "secret with the password for that proxy")
    last_update_sync: datetime = field(RO, "when the repositories were last synchronised")
    update_sync_enabled: bool = field(RO, "true when repositories are synchronised regularly")
    update_sync_frequency: UpdateSyncFrequency = field(
        RO, "how often they are synchronised", UpdateSyncFrequency.WEEKLY
    )
    update_sync_day: int = field(RO, "on which day of the week, 0 being Sunday, when that is weekly")
    recommendations: Mapping[str, str] = field(RO, "settings that the installed updates recommend")
    telemetry_uuid: Ref[Secret] = field(
        RO, "secret with the identifier under which usage data would be sent; Cardume sends none"
    )
    telemetry_frequency: TelemetryFrequency = field(
        RO, "how often usage data would be collected", TelemetryFrequency.WEEKLY
    )
    telemetry_next_collection: datetime = field(RO, "when usage data would be collected next")
    health_check_config: Mapping[str, str] = field(RW, "settings of a health check service, kept for clients", {})
    wlb_url: str = field(RO, "address of a workload balancer")
    wlb_username: str = field(RO, "user name at the workload balancer")
    wlb_enabled: bool = field(
        RW, "true when a workload balancer is asked where VMs should start", False, client_cert=True
    )
    wlb_verify_cert: bool = field(RW, "true when the workload balancer's certificate is checked", False)
    gui_config: Mapping[str, str] = field(RW, "what graphical clients keep", {}, role=Role.VM_OPERATOR)
    blobs: Mapping[str, Ref[Blob]] = field(RO, "files attached to the pool, by name")
    tags: Set[str] = field(RW, "words for sorting and finding", (), role=Role.VM_OPERATOR)
    other_config: Mapping[str, str] = field(
        RW,
        "more facts, for clients to keep; some keys steer Cardume",
        key_roles={
            "folder": Role.VM_OPERATOR,
            "XenCenter.CustomFields.*": Role.VM_OPERATOR,
            "EMPTY_FOLDERS": Role.VM_OPERATOR,
        },
    )
    allowed_operations: Set[PoolOperation] = field(RO, "operations that the pool could begin now", volatile=True)
    current_operations: Mapping[str, PoolOperation] = field(
        RO, "operations that run on the pool now, by task", volatile=True
    )

    @message(errors=("JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS",))
    @staticmethod
    def join(master_address: str, master_username: str, master_password: str) -> None:
        """Make the host that answers a member of the pool whose master is named."""

    @message()
    @staticmethod
    def join_force(master_address: str, master_username: str, master_password: str) -> None:
        """Join without the checks that only protect against loss of convenience."""

    @message()
    @staticmethod
    def eject(host: Ref[Host]) -> None:
        """Take a host out of the pool, which forgets its local SRs; it starts anew as a standalone host."""

    @message()
    @staticmethod
    def designate_new_master(host: Ref[Host]) -> None:
        """Make another live host the master; the API pauses for a moment."""

    @message(has_async=False)
    @staticmethod
    def emergency_transition_to_master() -> None:
        """Make the host that answers the master, when the old one is gone for good."""

    @message(has_async=False)
    @staticmethod
    def emergency_reset_master(master_address: str) -> None:
        """Tell the host that answers which address the master now has."""

    @message()
    @staticmethod
    def recover_slaves() -> Set[Ref[Host]]:
        """Tell every member that this host is the master, and return those that listened."""

    @message()
    @staticmethod
    def sync_database() -> None:
        """Write the pool database to every member now."""

    @message(
        errors=(
            "HA_IS_ENABLED",
            "PIF_NOT_PRESENT",
            "CANNOT_PLUG_BOND_SLAVE",
            "PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE",
            "PIF_HAS_NO_NETWORK_CONFIGURATION",
            "PIF_HAS_NO_V6_NETWORK_CONFIGURATION",
        )
    )
    @staticmethod
    def management_reconfigure(network: Ref[Network]) -> None:
        """Move management traffic of every host to another network."""

    @message(client_cert=True)
    @staticmethod
    def enable_ha(heartbeat_srs: Set[Ref[SR]], configuration: Mapping[str, str]) -> None:
        """Let HA watch over the hosts, with its statefile on one of these SRs."""

    @message(client_cert=True)
    @staticmethod
    def disable_ha() -> None:
        """Switch HA off on every host."""

    @message(has_async=False)
    @staticmethod
    def ha_prevent_restarts_for(seconds: int) -> None:
        """Let HA restart nothing for some seconds, while an operation goes on."""

    @message(has_async=False)
    @staticmethod
    def ha_failover_plan_exists(n: int) -> bool:
        """True when this many hosts could fail with every protected VM still restarted."""

    @message(has_async=False)
    @staticmethod
    def ha_compute_max_host_failures_to_tolerate() -> int:
        """The most hosts that could fail with every protected VM still restarted."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def ha_compute_hypothetical_max_host_failures_to_tolerate(configuration: Mapping[Ref[VM], str]) -> int:
        """The same for other restart priorities than those set; VMs left out count as they are."""

    @message(has_async=False)
    @staticmethod
    def ha_compute_vm_failover_plan(
        failed_hosts: Set[Ref[Host]], failed_vms: Set[Ref[VM]]
    ) -> Mapping[Ref[VM], Mapping[str, str]]:
        """Where these VMs would restart if these hosts failed, or the error why one would not."""

    @message()
    def set_ha_host_failures_to_tolerate(self, value: int) -> None:
        """Choose how many host failures HA must cover; refused when the plan cannot."""

    @message(errors=("VLAN_TAG_INVALID",))
    @staticmethod
    def create_VLAN(device: str, network: Ref[Network], VLAN: int) -> Set[Ref[PIF]]:
        """Make a VLAN on this device of every host and attach it to a network."""

    @message(errors=("VLAN_TAG_INVALID",))
    @staticmethod
    def create_VLAN_from_PIF(pif: Ref[PIF], network: Ref[Network], VLAN: int) -> Set[Ref[PIF]]:
        """Make a VLAN on every host, on the PIF in the same network as this one, and attach it to a network."""

    @message()
    def set_igmp_snooping_enabled(self, value: bool) -> None:
        """Send multicast only to the ports that asked for it, or to all."""

    @message()
    @staticmethod
    def set_vswitch_controller(address: str) -> None:
        """Name a switch controller."""

    @message()
    def create_new_blob(pool, name: str, mime_type: str, public: bool = False) -> Ref[Blob]:
        """Attach a new, empty file to the pool."""

    @message()
    @staticmethod
    def initialize_wlb(
        wlb_url: str, wlb_username: str, wlb_password: str, xenserver_username: str, xenserver_password: str
    ) -> None:
        """Connect the pool to a workload balancer."""

    @message()
    @staticmethod
    def deconfigure_wlb() -> None:
        """Forget the workload balancer."""

    @message()
    @staticmethod
    def send_wlb_configuration(config: Mapping[str, str]) -> None:
        """Change settings of the workload balancer."""

    @message(role=Role.READ_ONLY)
    @staticmethod
    def retrieve_wlb_configuration() -> Mapping[str, str]:
        """The workload balancer's settings."""

    @message(role=Role.READ_ONLY)
    @staticmethod
    def retrieve_wlb_recommendations() -> Mapping[Ref[VM], Set[str]]:
        """Which VMs the workload balancer would move, and why."""

    @message(role=Role.POOL_ADMIN)
    @staticmethod
    def send_test_post(host: str, port: int, body: str) -> str:
        """Send a text to a server by HTTPS and return its answer."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def enable_external_auth(pool, config: Mapping[str, str], service_name: str, auth_type: str) -> None:
        """Let users of an external directory log in to every host."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def disable_external_auth(pool, config: Mapping[str, str] = NO_MAP) -> None:
        """Stop asking the external directory on every host."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    def external_auth_set_ldaps(pool, ldaps: bool, force: bool = False) -> None:
        """Talk to the external directory over TLS on every host, or not."""

    @message(has_async=False)
    def detect_nonhomogeneous_external_auth(pool) -> None:
        """Look whether all hosts use the same external directory; an alert tells when not."""

    @message(has_async=False)
    def set_ext_auth_max_threads(self, value: int) -> None:
        """Choose how many logins are checked with the external directory at a time."""

    @message()
    def set_ext_auth_cache_enabled(self, value: bool) -> None:
        """Remember the external directory's answers, or not."""

    @message()
    def set_ext_auth_cache_size(self, value: int) -> None:
        """Choose how many of its answers are remembered."""

    @message()
    def set_ext_auth_cache_expiry(self, value: int) -> None:
        """Choose for how many seconds they are remembered."""

    @message(has_async=False)
    def set_local_auth_max_threads(self, value: int) -> None:
        """Choose how many logins of local users are checked at a time."""

    @message(client_cert=True)
    def enable_client_certificate_auth(self, name: str) -> None:
        """Let clients log in by a certificate with this name."""

    @message(client_cert=True)
    def disable_client_certificate_auth(self) -> None:
        """Stop logins by certificate."""

    @message(role=Role.POOL_ADMIN, has_async=False)
    @staticmethod
    def enable_tls_verification() -> None:
        """Check certificates on every connection between hosts, from now on."""

    @message(client_cert=True)
    def install_trusted_certificate(self, ca: bool, cert: str, purpose: Set[CertificatePurpose]) -> None:
        """Trust this certificate in the whole pool, for these purposes."""

    @message(client_cert=True)
    def uninstall_trusted_certificate(self, certificate: Ref[Certificate]) -> None:
        """Stop trusting a certificate."""

    @message(client_cert=True)
    def sync_trusted_certificates_from(
        self, remote_pool: str, remote_session: Ref[Session], remote_certificate: str, ca: bool
    ) -> Set[Ref[Certificate]]:
        """Trust what another pool trusts."""

    @message(client_cert=True)
    @staticmethod
    def install_ca_certificate(name: str, cert: str) -> None:
        """Trust this authority's certificate in the whole pool."""

    @message(client_cert=True)
    @staticmethod
    def uninstall_ca_certificate(name: str, force: bool = False) -> None:
        """Stop trusting an authority's certificate."""

    @message()
    @staticmethod
    def certificate_install(name: str, cert: str) -> None:
        """Trust this authority's certificate; the old name of install_ca_certificate."""

    @message()
    @staticmethod
    def certificate_uninstall(name: str) -> None:
        """Stop trusting an authority's certificate; the old name of uninstall_ca_certificate."""

    @message()
    @staticmethod
    def certificate_list() -> Set[str]:
        """Names of the trusted authorities' certificates."""

    @message()
    @staticmethod
    def certificate_sync() -> None:
        """Copy trusted certificates and revocation lists to every host."""

    @message()
    @staticmethod
    def crl_install(name: str, cert: str) -> None:
        """Add a list of revoked certificates."""

    @message()
    @staticmethod
    def crl_uninstall(name: str) -> None:
        """Remove a list of revoked certificates."""

    @message()
    @staticmethod
    def crl_list() -> Set[str]:
        """Names of the lists of revoked certificates."""

    @message(
        role=Role.POOL_ADMIN,
        errors=(
            "INTERNAL_ERROR",
            "HOST_IS_SLAVE",
            "CANNOT_CONTACT_HOST",
            "HA_IS_ENABLED",
            "NOT_SUPPORTED_DURING_UPGRADE",
        ),
    )
    @staticmethod
    def rotate_secret() -> None:
        """Replace the secret by which the hosts know each other."""

    @message()
    def disable_ssl_legacy(self) -> None:
        """Refuse old TLS versions on every host; Cardume never accepts them."""

    @message()
    def set_https_only(self, value: bool) -> None:
        """Close plain HTTP on every host, or open it for redirects."""

    @message(role=Role.POOL_ADMIN)
    def set_uefi_certificates(self, value: str) -> None:
        """Replace the pool's Secure Boot certificates."""

    @message(role=Role.POOL_ADMIN)
    def set_custom_uefi_certificates(self, value: str) -> None:
        """Use other Secure Boot certificates than the delivered ones."""

    @message(has_async=False)
    def get_guest_secureboot_readiness(self) -> PoolGuestSecurebootReadiness:
        """Whether VMs of this pool could start by Secure Boot."""

    @message(role=Role.POOL_ADMIN)
    def enable_ssh(self) -> None:
        """Start SSH on every host."""

    @message(role=Role.POOL_ADMIN)
    def disable_ssh(self) -> None:
        """Stop SSH on every host."""

    @message(role=Role.POOL_ADMIN)
    def set_ssh_enabled_timeout(self, value: int) -> None:
        """Choose on every host after how many seconds SSH is switched off again."""

    @message(role=Role.POOL_ADMIN)
    def set_ssh_auto_mode(self, value: bool) -> None:
        """Let SSH be on only while the API is down, on every host."""

    @message(role=Role.POOL_ADMIN)
    def set_console_idle_timeout(self, value: int) -> None:
        """Choose on every host after how many seconds an idle shell on the console is closed."""

    @message(role=Role.POOL_ADMIN)
    def add_to_guest_agent_config(self, key: str, value: str) -> None:
        """Add a setting for the guests' agents."""

    @message(role=Role.POOL_ADMIN)
    def remove_from_guest_agent_config(self, key: str) -> None:
        """Remove a setting of the guests' agents."""

    @message()
    @staticmethod
    def enable_redo_log(sr: Ref[SR]) -> None:
        """Write database changes to a disk of this SR, too."""

    @message()
    @staticmethod
    def disable_redo_log() -> None:
        """Stop writing database changes to a disk."""

    @message()
    def enable_local_storage_caching(self) -> None:
        """Cache shared disks on a local SR of every host."""

    @message()
    def disable_local_storage_caching(self) -> None:
        """Stop caching shared disks on every host."""

    @message(role=Role.POOL_ADMIN)
    def has_extension(self, name: str) -> bool:
        """True when every host has this extension."""

    @message(has_async=False)
    def test_archive_target(self, config: Mapping[str, str]) -> str:
        """Try whether archives can be written to this place."""

    @message(client_cert=True)
    def set_repositories(self, value: Set[Ref[Repository]]) -> None:
        """Choose the repositories that updates come from."""

    @message(client_cert=True)
    def add_repository(self, value: Ref[Repository]) -> None:
        """Take updates from one more repository."""

    @message(client_cert=True)
    def remove_repository(self, value: Ref[Repository]) -> None:
        """Stop taking updates from a repository."""

    @message(client_cert=True)
    def configure_repository_proxy(self, url: str, username: str, password: str) -> None:
        """Reach repositories through a proxy."""

    @message(client_cert=True)
    def disable_repository_proxy(self) -> None:
        """Reach repositories directly."""

    @message(client_cert=True)
    def sync_updates(
        self, force: bool, token: str = "", token_id: str = "", username: str = "", password: str = ""
    ) -> str:
        """Fetch the repositories' present state and return its hash."""

    @message(client_cert=True)
    def check_update_readiness(self, requires_reboot: bool) -> Set[Set[str]]:
        """What stands in the way of updating the pool."""

    @message()
    def configure_update_sync(self, update_sync_frequency: UpdateSyncFrequency, update_sync_day: int) -> None:
        """Choose how often and on which day repositories are synchronised."""

    @message()
    def set_update_sync_enabled(self, value: bool) -> None:
        """Synchronise repositories regularly, or not."""

    @message(role=Role.POOL_ADMIN)
    def set_telemetry_next_collection(self, value: datetime) -> None:
        """Choose when usage data is collected next."""

    @message(role=Role.POOL_ADMIN)
    def reset_telemetry_uuid(self) -> None:
        """Use a new identifier for usage data."""

    @message()
    def apply_edition(self, edition: str) -> None:
        """Choose the licence edition on every host."""

    @message(role=Role.READ_ONLY)
    def get_license_state(self) -> Mapping[str, str]:
        """Edition and expiry that hold for the whole pool."""
