"""What XenServer's command line shows of VMs, templates and snapshots."""

from cardume.cli.fields import Asked, Shape, Subject, Value, Worked
from cardume.cli.views import Derived, View
from cardume.datamodel.wiretypes import Prim, RefType, SetType

_UNKNOWN_TIME = "<unknown time>"
_STRINGS = SetType(Prim.STRING)


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
        "console",
        "console",
        "uuid vm-uuid vm-name-label protocol location other-config",
        ("uuid", "vm-uuid", "vm-name-label", "protocol", "location"),
        derived={"vm-uuid": Derived("VM"), "vm-name-label": Derived("VM.name")},
    ),
)
