"""What XenServer's command line shows of each class, as tables for `views.py`."""

from collections.abc import Iterator

from cardume.cli.directory import NOT_THERE, Record
from cardume.cli.fields import Asked, Shape, Subject, Value, Worked
from cardume.cli.views import Derived, View
from cardume.datamodel.wiretypes import MapType, Prim, RefType, SetType

_UNKNOWN_TIME = "<unknown time>"
_STRINGS = SetType(Prim.STRING)


def _host_of_sr(subject: Subject) -> Value:
    pbds = subject.record["PBDs"]
    if len(pbds) != 1:
        return "<shared>" if pbds else NOT_THERE
    pbd = subject.directory.find("PBD", pbds[0])
    return NOT_THERE if pbd is None else subject.directory.name("host", pbd["host"])


def _pbds_of_sr(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("PBD", ref) for ref in record["PBDs"])


def _disk_name(subject: Subject) -> Value:
    if subject.record["empty"]:
        return "<EMPTY>"
    return subject.directory.name("VDI", subject.record["VDI"])


def _disk_of_vbd(record: Record) -> Iterator[tuple[str, str]]:
    yield "VDI", record["VDI"]


def _names_of_roles(subject: Subject) -> Value:
    return [subject.directory.name("role", ref) for ref in subject.record["roles"]]


def _roles(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("role", ref) for ref in record["roles"])


def _duplex(subject: Subject) -> Value:
    metrics = subject.directory.find("PIF_metrics", subject.record["metrics"])
    if metrics is None:
        return NOT_THERE
    return "full" if metrics["duplex"] else "half" if metrics["carrier"] else "unknown"


def _speed(subject: Subject) -> Value:
    metrics = subject.directory.find("PIF_metrics", subject.record["metrics"])
    return NOT_THERE if metrics is None else f"{metrics['speed']} Mbit/s"


def _pif_metrics(record: Record) -> Iterator[tuple[str, str]]:
    yield "PIF_metrics", record["metrics"]


def _boot_record(subject: Subject) -> Value:
    return f"'{subject.record['last_booted_record']}'"


_VM_ORDER = """
uuid name-label name-description user-version is-a-template is-default-template is-a-snapshot snapshot-of snapshots
snapshot-time transportable-snapshot-id snapshot-info parent children is-control-domain power-state memory-actual
memory-target memory-overhead memory-static-max memory-dynamic-max memory-dynamic-min memory-static-min suspend-VDI-uuid
suspend-SR-uuid VCPUs-params VCPUs-max VCPUs-at-startup actions-after-shutdown actions-after-softreboot
actions-after-reboot actions-after-crash console-uuids hvm nomigrate nested-virt platform numa-optimised numa-nodes
numa-node-memory allowed-operations current-operations blocked-operations allowed-VBD-devices allowed-VIF-devices
possible-hosts domain-type current-domain-type HVM-boot-policy HVM-boot-params HVM-shadow-multiplier NVRAM PV-kernel
PV-ramdisk PV-args PV-legacy-args PV-bootloader PV-bootloader-args last-boot-CPU-flags last-boot-record resident-on
affinity other-config dom-id recommendations xenstore-data ha-always-run ha-restart-priority blobs start-time
install-time VCPUs-number os-version netbios-name PV-drivers-version PV-drivers-up-to-date VBDs networks services
PV-drivers-detected other live guest-metrics-last-updated can-use-hotplug-vbd can-use-hotplug-vif cooperative tags
appliance groups secureboot-certificates-state snapshot-schedule is-vmss-snapshot start-delay shutdown-delay order
version generation-id hardware-platform-version has-vendor-device requires-reboot reference-label bios-strings
pending-guidances vtpms pending-guidances-recommended pending-guidances-full
"""

_VM_DERIVED = {
    "memory-actual": Derived("metrics>memory_actual"),
    "suspend-VDI-uuid": Derived("suspend_VDI"),
    "suspend-SR-uuid": Derived("suspend_SR"),
    "console-uuids": Derived("consoles"),
    "hvm": Derived("metrics>hvm", absent="false"),
    "nomigrate": Derived("metrics>nomigrate", absent="false"),
    "nested-virt": Derived("metrics>nested_virt", absent="false"),
    "numa-optimised": Derived("metrics>numa_optimised", absent="false"),
    "numa-nodes": Derived("metrics>numa_nodes", absent="0"),
    "numa-node-memory": Derived("metrics>numa_node_memory", absent="[]"),
    "allowed-VBD-devices": Derived(Asked("VM.get_allowed_VBD_devices", _STRINGS), Shape.SET, expensive=True),
    "allowed-VIF-devices": Derived(Asked("VM.get_allowed_VIF_devices", _STRINGS), Shape.SET, expensive=True),
    "possible-hosts": Derived(Asked("VM.get_possible_hosts", SetType(RefType("host"))), expensive=True),
    "current-domain-type": Derived("metrics>current_domain_type"),
    "last-boot-record": Derived(Worked(_boot_record), expensive=True),
    "dom-id": Derived("domid"),
    "start-time": Derived("metrics>start_time", absent=_UNKNOWN_TIME),
    "install-time": Derived("metrics>install_time", absent=_UNKNOWN_TIME),
    "VCPUs-number": Derived("metrics>VCPUs_number"),
    "os-version": Derived("guest_metrics>os_version"),
    "netbios-name": Derived("guest_metrics>netbios_name"),
    "PV-drivers-version": Derived("guest_metrics>PV_drivers_version"),
    "PV-drivers-up-to-date": Derived("guest_metrics>PV_drivers_up_to_date"),
    "networks": Derived("guest_metrics>networks"),
    "services": Derived("guest_metrics>services"),
    "PV-drivers-detected": Derived("guest_metrics>PV_drivers_detected"),
    "other": Derived("guest_metrics>other"),
    "live": Derived("guest_metrics>live"),
    "guest-metrics-last-updated": Derived("guest_metrics>last_updated"),
    "can-use-hotplug-vbd": Derived("guest_metrics>can_use_hotplug_vbd"),
    "can-use-hotplug-vif": Derived("guest_metrics>can_use_hotplug_vif"),
    "cooperative": Derived(Asked("VM.get_cooperative", Prim.BOOL), expensive=True),
    "vtpms": Derived("VTPMs"),
}


def _vm_view(prefix: str, where: tuple[tuple[str, str], ...], defaults: tuple[str, ...], plural: str) -> View:
    return View(
        prefix,
        "VM",
        _VM_ORDER,
        defaults,
        where,
        _VM_DERIVED,
        one=frozenset(
            {"snapshots", "snapshot-info", "children", "blobs", "last-boot-CPU-flags", "groups", "vtpms"}
            | {"pending-guidances", "pending-guidances-recommended", "pending-guidances-full"}
        ),
        read_only=frozenset({"recommendations", "hardware-platform-version", "version", "bios-strings"}),
        hidden=frozenset({"transportable-snapshot-id", "nomigrate", "nested-virt", "NVRAM"}),
        deprecated=frozenset({"PV-drivers-up-to-date", "ha-always-run", "cooperative"}),
        plural=plural,
    )


VIEWS: tuple[View, ...] = (
    _vm_view("vm", (("is-a-template", "false"),), ("uuid", "name-label", "power-state"), "VMs"),
    _vm_view(
        "template",
        (("is-a-template", "true"), ("is-a-snapshot", "false")),
        ("uuid", "name-label", "name-description"),
        "templates",
    ),
    _vm_view(
        "snapshot",
        (("is-a-snapshot", "true"),),
        ("uuid", "name-label", "name-description", "is-vmss-snapshot"),
        "snapshots",
    ),
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
        "sr",
        "SR",
        """
        uuid name-label name-description host allowed-operations current-operations VDIs PBDs virtual-allocation
        physical-utilisation physical-size type content-type shared introduced-by is-tools-sr other-config sm-config
        blobs local-cache-enabled tags clustered
        """,
        ("uuid", "name-label", "name-description", "host", "type", "content-type"),
        derived={"host": Derived(Worked(_host_of_sr, _pbds_of_sr))},
        one=frozenset({"blobs"}),
        read_only=frozenset({"physical-size", "sm-config"}),
        plural="SRs",
    ),
    View(
        "vdi",
        "VDI",
        """
        uuid name-label name-description is-a-snapshot snapshot-of snapshots snapshot-time allowed-operations
        current-operations sr-uuid sr-name-label vbd-uuids crashdump-uuids virtual-size physical-utilisation location
        type sharable read-only storage-lock managed parent missing is-tools-iso other-config xenstore-data sm-config
        on-boot allow-caching metadata-latest metadata-of-pool tags cbt-enabled
        """,
        ("uuid", "name-label", "name-description", "sr-uuid", "virtual-size", "sharable", "read-only"),
        derived={
            "sr-uuid": Derived("SR"),
            "sr-name-label": Derived("SR.name"),
            "vbd-uuids": Derived("VBDs"),
            "crashdump-uuids": Derived("crash_dumps"),
        },
        one=frozenset({"snapshots"}),
        read_only=frozenset({"sm-config", "xenstore-data", "sharable", "read-only"}),
        deprecated=frozenset({"parent"}),
        plural="VDIs",
    ),
    View(
        "vbd",
        "VBD",
        """
        uuid vm-uuid vm-name-label vdi-uuid vdi-name-label allowed-operations current-operations empty device userdevice
        bootable mode type unpluggable currently-attached storage-lock status-code status-detail qos_algorithm_type
        qos_algorithm_params qos_supported_algorithms other-config
        """,
        ("uuid", "vm-uuid", "vm-name-label", "vdi-uuid", "empty", "device"),
        derived={
            "vm-uuid": Derived("VM"),
            "vm-name-label": Derived("VM.name"),
            "vdi-uuid": Derived("VDI"),
            "vdi-name-label": Derived(Worked(_disk_name, _disk_of_vbd)),
        },
        plural="VBDs",
    ),
    View(
        "vif",
        "VIF",
        """
        uuid vm-uuid vm-name-label allowed-operations current-operations device MAC MAC-autogenerated MTU
        currently-attached qos_algorithm_type qos_algorithm_params qos_supported_algorithms other-config network-uuid
        network-name-label locking-mode ipv4-allowed ipv6-allowed ipv4-configuration-mode ipv4-addresses ipv4-gateway
        ipv6-configuration-mode ipv6-addresses ipv6-gateway trunks
        """,
        ("uuid", "vm-uuid", "device", "network-uuid"),
        derived={
            "vm-uuid": Derived("VM"),
            "vm-name-label": Derived("VM.name"),
            "network-uuid": Derived("network"),
            "network-name-label": Derived("network.name"),
        },
        one=frozenset({"ipv4-addresses", "ipv6-addresses"}),
        plural="VIFs",
    ),
    View(
        "pif",
        "PIF",
        """
        uuid device MAC physical managed currently-attached MTU VLAN vlan-master-of vlan-slave-of bond-master-of
        bond-slave-of sriov-physical-PIF-of sriov-logical-PIF-of tunnel-access-PIF-of tunnel-transport-PIF-of management
        network-uuid network-name-label host-uuid host-name-label IP-configuration-mode IP netmask gateway
        IPv6-configuration-mode IPv6 IPv6-gateway primary-address-type DNS properties capabilities carrier vendor-id
        vendor-name device-id device-name speed duplex disallow-unplug pci-bus-path other-config igmp-snooping-status
        """,
        ("uuid", "device", "MAC", "currently-attached", "VLAN", "network-uuid", "host-uuid"),
        derived={
            "vlan-master-of": Derived("VLAN_master_of"),
            "vlan-slave-of": Derived("VLAN_slave_of"),
            "network-uuid": Derived("network"),
            "network-name-label": Derived("network.name"),
            "host-uuid": Derived("host"),
            "host-name-label": Derived("host.name"),
            "IP-configuration-mode": Derived("ip_configuration_mode"),
            "IPv6-configuration-mode": Derived("ipv6_configuration_mode"),
            "IPv6-gateway": Derived("ipv6_gateway"),
            "carrier": Derived("metrics>carrier"),
            "vendor-id": Derived("metrics>vendor_id"),
            "vendor-name": Derived("metrics>vendor_name"),
            "device-id": Derived("metrics>device_id"),
            "device-name": Derived("metrics>device_name"),
            "speed": Derived(Worked(_speed, _pif_metrics)),
            "duplex": Derived(Worked(_duplex, _pif_metrics)),
            "pci-bus-path": Derived("metrics>pci_bus_path"),
        },
        one=frozenset(
            {"vlan-slave-of", "bond-master-of", "sriov-physical-PIF-of", "sriov-logical-PIF-of"}
            | {"tunnel-access-PIF-of", "tunnel-transport-PIF-of", "IPv6"}
        ),
        read_only=frozenset({"primary-address-type"}),
        plural="PIFs",
    ),
    View(
        "network",
        "network",
        """
        uuid name-label name-description VIF-uuids PIF-uuids MTU bridge managed other-config blobs tags
        default-locking-mode purpose
        """,
        ("uuid", "name-label", "name-description", "bridge"),
        derived={"VIF-uuids": Derived("VIFs"), "PIF-uuids": Derived("PIFs")},
        one=frozenset({"blobs"}),
    ),
    View(
        "pbd",
        "PBD",
        "uuid host host-uuid host-name-label sr-uuid sr-name-label device-config currently-attached other-config",
        ("uuid", "host-uuid", "sr-uuid", "device-config", "currently-attached"),
        derived={
            "host-uuid": Derived("host"),
            "host-name-label": Derived("host.name"),
            "sr-uuid": Derived("SR"),
            "sr-name-label": Derived("SR.name"),
        },
        read_only=frozenset({"device-config"}),
        deprecated=frozenset({"host"}),
        plural="PBDs",
    ),
    View(
        "sm",
        "SM",
        """
        uuid name-label name-description type vendor copyright required-api-version capabilities features configuration
        driver-filename required-cluster-stack supported-image-formats
        """,
        ("uuid", "type", "name-label", "name-description", "vendor", "copyright", "configuration"),
        one=frozenset({"capabilities", "configuration", "required-cluster-stack", "supported-image-formats"}),
        deprecated=frozenset({"capabilities"}),
        plural="storage drivers",
    ),
    View(
        "task",
        "task",
        """
        uuid name-label name-description subtask_of subtasks resident-on status progress type result created finished
        error_info allowed_operations current_operations other-config
        """,
        ("uuid", "name-label", "name-description", "status", "progress"),
        one=frozenset({"subtasks", "error_info", "allowed_operations", "current_operations"}),
        read_only=frozenset({"status", "progress", "result", "error_info"}),
    ),
    View(
        "console",
        "console",
        "uuid vm-uuid vm-name-label protocol location other-config",
        ("uuid", "vm-uuid", "vm-name-label", "protocol", "location"),
        derived={"vm-uuid": Derived("VM"), "vm-name-label": Derived("VM.name")},
    ),
    View(
        "message",
        "message",
        "uuid name priority class obj-uuid timestamp body",
        derived={"class": Derived("cls")},
    ),
    View(
        "subject",
        "subject",
        "uuid subject-identifier other-config roles",
        ("uuid", "subject-identifier", "other-config", "roles"),
        derived={"roles": Derived(Worked(_names_of_roles, _roles), Shape.SET)},
    ),
    View(
        "role",
        "role",
        "uuid name description",
        ("uuid", "name", "description"),
        derived={"name": Derived("name_label"), "description": Derived("name_description")},
    ),
    View("secret", "secret", "uuid value"),
    View(
        "host-cpu",
        "host_cpu",
        "uuid host-uuid number vendor speed model family modelname stepping flags utilisation",
        ("uuid", "number", "vendor", "speed", "utilisation"),
        derived={"host-uuid": Derived("host")},
        plural="CPUs of hosts",
    ),
)
