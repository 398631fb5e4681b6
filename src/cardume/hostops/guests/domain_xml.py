"""The whole domain XML of a guest: the same text for the same declaration, every time."""

from cardume.core.cpu_features import libvirt_name
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.device_xml import disk_xml, nic_xml
from cardume.hostops.guests.guest import Firmware, GuestSpec
from cardume.hostops.guests.limits import MAX_DISKS, MAX_NICS, check_spec
from cardume.hostops.guests.xml_element import Element, element, one_line, render

METADATA_NAMESPACE = "urn:cardume:guest:1"

# One port a device that sits on PCI Express: whatever can be plugged later, and the four that are always there
# (serial bus, random numbers, memory balloon, USB). Ports cannot be added to a guest that runs.
_ROOT_PORTS = MAX_DISKS + MAX_NICS + 4


def domain_xml(
    spec: GuestSpec,
    accelerator: Accelerator,
    page_cache: frozenset[str] = frozenset(),
    known_features: frozenset[str] | None = None,
) -> str:
    """Domain XML to start this guest with; `page_cache` names the disks whose file cannot be opened with O_DIRECT.
    known_features: libvirt's words for features of processors; None: it knows all.

    Raises GuestError when the declaration asks for more than a guest can hold.
    """
    check_spec(spec)
    kvm = accelerator is Accelerator.KVM
    root = element(
        "domain",
        element("name", text=spec.uuid),
        element("uuid", text=spec.uuid),
        element("title", text=one_line(spec.name)),
        element("metadata", element("cardume:guest", **{"xmlns:cardume": METADATA_NAMESPACE})),
        element("memory", text=str(spec.memory_bytes // 1024), unit="KiB"),
        element("currentMemory", text=str(spec.memory_bytes // 1024), unit="KiB"),
        element("vcpu", text=str(spec.vcpus_max), placement="static", current=spec.vcpus),
        _sysinfo(spec),
        _os(spec),
        _features(spec, kvm),
        _cpu(spec, kvm, known_features),
        _clock(spec, kvm),
        element("on_poweroff", text="destroy"),
        element("on_reboot", text="restart"),
        element("on_crash", text="destroy"),
        _power_management(),
        _devices(spec, kvm, page_cache),
        type_="kvm" if kvm else "qemu",
    )
    return render(root)


def _os(spec: GuestSpec) -> Element:
    kind = element("type", text="hvm", arch="x86_64", machine="q35")
    smbios = element("smbios", mode="sysinfo") if _sysinfo(spec) is not None else None
    if spec.firmware is Firmware.BIOS:
        return element("os", kind, smbios)
    plain = element(
        "firmware",
        element("feature", enabled="no", name="enrolled-keys"),
        element("feature", enabled="no", name="secure-boot"),
    )
    return element("os", kind, plain, smbios, firmware="efi")


_SMBIOS = {
    "bios": {"vendor": "bios-vendor", "version": "bios-version"},
    "system": {
        "manufacturer": "system-manufacturer",
        "product": "system-product-name",
        "version": "system-version",
        "serial": "system-serial-number",
    },
    "baseBoard": {
        "manufacturer": "baseboard-manufacturer",
        "product": "baseboard-product-name",
        "version": "baseboard-version",
        "serial": "baseboard-serial-number",
        "asset": "baseboard-asset-tag",
        "location": "baseboard-location-in-chassis",
    },
    "chassis": {"asset": "enclosure-asset-tag"},
}
"""libvirt's names of what XenAPI calls BIOS strings."""


def _sysinfo(spec: GuestSpec) -> Element | None:
    """What the guest reads as its maker and model; None when nothing was chosen."""
    tables = []
    for table, names in _SMBIOS.items():
        entries = [
            element("entry", text=one_line(text), name=name)
            for name, key in names.items()
            if (text := spec.bios_strings.get(key, "").strip())
        ]
        if entries:
            tables.append(element(table, *entries))
    return element("sysinfo", *tables, type_="smbios") if tables else None


def _features(spec: GuestSpec, kvm: bool) -> Element:
    return element(
        "features",
        element("acpi"),
        element("apic"),
        _hyperv() if spec.hyperv and kvm else None,
        element("vmport", state="off"),
    )


def _hyperv() -> Element:
    """What Windows uses to notice that it is a guest; KVM's alone, QEMU's own emulation has none of it."""
    switches = ("relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "tlbflush", "ipi")
    return element(
        "hyperv",
        *(element(name, state="on") for name in switches),
        element("spinlocks", state="on", retries="8191"),
        element("stimer", element("direct", state="on"), state="on"),
        mode="custom",
    )


def _cpu(spec: GuestSpec, kvm: bool, known_features: frozenset[str] | None) -> Element:
    topology = element(
        "topology",
        sockets=spec.vcpus_max // spec.cores_per_socket,
        dies=1,
        cores=spec.cores_per_socket,
        threads=1,
    )
    if kvm:
        names = [libvirt_name(flag) for flag in spec.hidden_features]
        hidden = [name for name in names if known_features is None or name in known_features]
        features = [element("feature", policy="disable", name=name) for name in hidden]
        return element("cpu", topology, *features, mode="host-model", check="partial")
    # Emulated: `qemu64` with what makes it an x86-64-v2, which today's distributions ask for. It is the same on every
    # host and in every QEMU, so guests migrate and resume; `max` changes with QEMU's version. It calls itself an AMD:
    # on the Intel models Linux guards against Meltdown by flushing at each system call, and that is slow to emulate.
    return element(
        "cpu",
        element("model", text="qemu64", fallback="forbid"),
        topology,
        *(element("feature", policy="require", name=name) for name in ("ssse3", "sse4.1", "sse4.2", "popcnt")),
        mode="custom",
        match="exact",
        check="none",
    )


def _clock(spec: GuestSpec, kvm: bool) -> Element:
    timers = [element("timer", name="rtc", tickpolicy="catchup")]
    if kvm:
        timers.append(element("timer", name="pit", tickpolicy="delay"))
        timers.append(element("timer", name="hpet", present="no"))
        if spec.hyperv:
            timers.append(element("timer", name="hypervclock", present="yes"))
    basis = "localtime" if spec.localtime else "utc"
    return element("clock", *timers, offset="variable", adjustment=spec.clock_offset_s, basis=basis)


def _power_management() -> Element:
    # A guest that puts itself to sleep would look like one that hangs; XenAPI suspends by saving it.
    return element("pm", element("suspend-to-mem", enabled="no"), element("suspend-to-disk", enabled="no"))


def _devices(spec: GuestSpec, kvm: bool, page_cache: frozenset[str]) -> Element:
    order = _boot_order(spec)
    disks = (
        disk_xml(disk, spec.uuid, boot_order=order.get(("disk", disk.device)), page_cache=disk.device in page_cache)
        for disk in spec.disks
    )
    nics = (nic_xml(nic, boot_order=order.get(("nic", nic.device))) for nic in spec.nics)
    return element("devices", *_controllers(), *disks, *nics, *_consoles(spec), *_fixed_devices(spec, kvm))


def _boot_order(spec: GuestSpec) -> dict[tuple[str, str], int]:
    """Devices that have a boot index, numbered from 1 without gaps, as libvirt wants them."""
    wanted = [(disk.boot_index, "disk", disk.device) for disk in spec.disks if disk.boot_index is not None]
    wanted += [(nic.boot_index, "nic", nic.device) for nic in spec.nics if nic.boot_index is not None]
    ranked = sorted(wanted, key=lambda entry: (entry[0], entry[1], int(entry[2])))
    return {(kind, device): rank for rank, (_, kind, device) in enumerate(ranked, start=1)}


def _controllers() -> list[Element]:
    return [
        element("controller", type_="pci", index=0, model="pcie-root"),
        *(element("controller", type_="pci", index=n, model="pcie-root-port") for n in range(1, _ROOT_PORTS + 1)),
        element("controller", type_="sata", index=0),
        element("controller", type_="virtio-serial", index=0),
        element("controller", type_="usb", index=0, model="qemu-xhci", ports=4),
    ]


def _consoles(spec: GuestSpec) -> list[Element]:
    line = [
        element("serial", element("target", type_="isa-serial", port=0), type_="pty"),
        element("console", element("target", type_="serial", port=0), type_="pty"),
    ]
    return [
        *(line if spec.serial_line else []),
        element("channel", element("target", type_="virtio", name="org.qemu.guest_agent.0"), type_="unix"),
        element("input", type_="tablet", bus="usb"),  # absolute positions: a VNC pointer that stays under the mouse
        # A socket in the directory that libvirt makes for this very guest: QEMU's user can write there, nobody else
        # can, and it moves along when the guest migrates. No port is opened.
        element("graphics", element("listen", type_="socket"), type_="vnc"),
        element("video", element("model", type_="cirrus" if spec.video == "cirrus" else "vga", vram=16384, heads=1)),
        element("audio", id=1, type_="none"),
    ]


def _fixed_devices(spec: GuestSpec, kvm: bool) -> list[Element]:
    return [
        element("memballoon", element("stats", period=5), model="virtio"),
        element("rng", element("backend", text="/dev/urandom", model="random"), model="virtio"),
        element("panic", model="isa"),
        *([element("panic", model="hyperv")] if spec.hyperv and kvm else []),
    ]
