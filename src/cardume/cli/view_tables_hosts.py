"""What XenServer's command line shows of hosts and of their pool."""

from cardume.cli.fields import Asked
from cardume.cli.views import Derived, View
from cardume.datamodel.wiretypes import MapType, Prim, SetType

_STRINGS = SetType(Prim.STRING)


VIEWS: tuple[View, ...] = (
    View(
        "host",
        "host",
        """
        uuid name-label name-description allowed-operations current-operations enabled display API-version-major
        API-version-minor API-version-vendor API-version-vendor-implementation logging suspend-image-sr-uuid
        crash-dump-sr-uuid software-version capabilities other-config cpu_info chipset-info hostname address https-only
        supported-bootloaders blobs memory-overhead memory-total memory-free memory-free-computed host-metrics-live
        patches updates ha-statefiles ha-network-peers external-auth-type external-auth-service-name
        external-auth-configuration edition license-server power-on-mode power-on-config local-cache-sr tags ssl-legacy
        guest_VCPUs_params virtual-hardware-platform-versions control-domain-uuid resident-vms updates-requiring-reboot
        features iscsi_iqn multipathing uefi-certificates numa-affinity-policy pending-guidances
        tls-verification-enabled last-software-update latest-synced-updates-applied pending-guidances-recommended
        pending-guidances-full last-update-hash ssh-enabled ssh-enabled-timeout ssh-expiry console-idle-timeout
        ssh-auto-mode max-cstate secure-boot ntp-mode ntp-custom-servers timezone
        """,
        ("uuid", "name-label", "name-description"),
        derived={
            "suspend-image-sr-uuid": Derived("suspend_image_sr"),
            "crash-dump-sr-uuid": Derived("crash_dump_sr"),
            "memory-total": Derived("metrics>memory_total"),
            "memory-free": Derived(Asked("host.compute_free_memory", Prim.INT)),
            "memory-free-computed": Derived(Asked("host.compute_free_memory", Prim.INT), expensive=True),
            "host-metrics-live": Derived("metrics>live"),
            "control-domain-uuid": Derived("control_domain"),
            "resident-vms": Derived("resident_VMs"),
        },
        one=frozenset(
            {"blobs", "ha-statefiles", "ha-network-peers"}
            | {"pending-guidances", "pending-guidances-recommended", "pending-guidances-full"}
        ),
        read_only=frozenset({"display", "hostname", "address", "license-server"}),
        hidden=frozenset({"uefi-certificates"}),
        deprecated=frozenset({"patches"}),
    ),
    View(
        "pool",
        "pool",
        """
        uuid name-label name-description master default-SR crash-dump-SR suspend-image-SR supported-sr-types
        other-config allowed-operations current-operations ha-enabled ha-configuration ha-statefiles
        ha-host-failures-to-tolerate ha-plan-exists-for ha-allow-overcommit ha-overcommitted
        ha-reboot-vm-on-internal-shutdown blobs wlb-url wlb-username wlb-enabled wlb-verify-cert igmp-snooping-enabled
        gui-config health-check-config vswitch-controller restrictions tags license-state ha-cluster-stack
        guest-agent-config cpu_info policy-no-vendor-device live-patching-disabled uefi-certificates
        custom-uefi-certificates tls-verification-enabled client-certificate-auth-enabled client-certificate-auth-name
        repositories repository-proxy-url repository-proxy-username migration-compression coordinator-bias
        telemetry-frequency telemetry-next-collection last-update-sync update-sync-frequency update-sync-day
        update-sync-enabled auto-update-vm-secureboot-certificates recommendations ext-auth-cache-enabled
        ext-auth-cache-size ext-auth-cache-expiry license-server limit-console-sessions vm-console-idle-timeout
        """,
        ("uuid", "name-label", "name-description", "master", "default-SR"),
        derived={
            "supported-sr-types": Derived(
                Asked("SR.get_supported_types", _STRINGS, takes_object=False), expensive=True
            ),
            "license-state": Derived(
                Asked("pool.get_license_state", MapType(Prim.STRING, Prim.STRING)), expensive=True
            ),
        },
        one=frozenset({"ha-configuration", "ha-statefiles", "blobs", "restrictions"}),
        read_only=frozenset({"telemetry-next-collection", "update-sync-enabled"}),
        hidden=frozenset({"vswitch-controller", "uefi-certificates", "custom-uefi-certificates"}),
    ),
    View(
        "host-cpu",
        "host_cpu",
        "uuid host-uuid number vendor speed model family modelname stepping flags utilisation",
        ("uuid", "number", "vendor", "speed", "utilisation"),
        derived={"host-uuid": Derived("host")},
        plural="CPUs of hosts",
    ),
)
