"""What XenServer's command line shows of devices of hosts and guests."""

from cardume.cli.views import Derived, View

_HOST = {"host-uuid": Derived("host"), "host-name-label": Derived("host.name")}
_VM = {"vm-uuid": Derived("VM"), "vm-name-label": Derived("VM.name")}
_GPU_GROUP = {"gpu-group-uuid": Derived("GPU_group"), "gpu-group-name-label": Derived("GPU_group.name")}

VIEWS: tuple[View, ...] = (
    View(
        "pci",
        "PCI",
        """
        uuid class-name vendor-id vendor-name device-id device-name subsystem-vendor-name subsystem-device-name
        driver-name host-uuid host-name-label pci-id dependencies other-config
        """,
        ("uuid", "vendor-name", "device-name", "pci-id"),
        derived=_HOST,
        one=frozenset({"dependencies"}),
        plural="PCI devices",
    ),
    View(
        "pgpu",
        "PGPU",
        """
        uuid pci-uuid vendor-name device-name dom0-access is-system-display-device gpu-group-uuid gpu-group-name-label
        host-uuid host-name-label pci-id dependencies other-config supported-VGPU-types enabled-VGPU-types
        resident-VGPUs compatibility-metadata
        """,
        ("uuid", "pci-uuid", "vendor-name", "device-name", "gpu-group-uuid"),
        derived={
            **_HOST,
            **_GPU_GROUP,
            "pci-uuid": Derived("PCI"),
            "vendor-name": Derived("PCI>vendor_name"),
            "device-name": Derived("PCI>device_name"),
            "pci-id": Derived("PCI>pci_id"),
            "dependencies": Derived("PCI>dependencies"),
        },
        plural="graphics processors",
    ),
    View(
        "gpu-group",
        "GPU_group",
        """
        uuid name-label name-description PGPU-uuids VGPU-uuids supported-VGPU-types enabled-VGPU-types
        allocation-algorithm other-config
        """,
        ("uuid", "name-label", "name-description"),
        derived={"PGPU-uuids": Derived("PGPUs"), "VGPU-uuids": Derived("VGPUs")},
        plural="groups of graphics processors",
    ),
    View(
        "vgpu",
        "VGPU",
        """
        uuid vm-uuid vm-name-label device gpu-group-uuid gpu-group-name-label currently-attached other-config type-uuid
        type-model-name resident-on compatibility-metadata extra-args PCI
        """,
        ("uuid", "vm-uuid", "gpu-group-uuid"),
        derived={
            **_VM,
            **_GPU_GROUP,
            "type-uuid": Derived("type"),
            "type-model-name": Derived("type>model_name"),
            "pci": Derived("PCI"),
        },
        plural="virtual graphics processors",
    ),
    View(
        "vgpu-type",
        "VGPU_type",
        """
        uuid vendor-name model-name framebuffer-size max-heads max-resolution-x max-resolution-y supported-on-PGPUs
        enabled-on-PGPUs supported-on-GPU-groups enabled-on-GPU-groups VGPU-uuids experimental compatible-types-in-vm
        """,
        ("uuid", "vendor-name", "model-name", "max-heads"),
        derived={"VGPU-uuids": Derived("VGPUs")},
        plural="types of virtual graphics processors",
    ),
    View(
        "pusb",
        "PUSB",
        """
        uuid host-uuid host-name-label usb-group-uuid usb-group-name-label path vendor-id vendor-desc product-id
        product-desc serial version speed description other-config passthrough-enabled
        """,
        ("uuid", "path", "product-id", "product-desc", "vendor-id", "vendor-desc", "serial", "version", "description"),
        derived={
            **_HOST,
            "usb-group-uuid": Derived("USB_group"),
            "usb-group-name-label": Derived("USB_group.name"),
        },
        plural="USB devices",
    ),
    View(
        "usb-group",
        "USB_group",
        "uuid name-label name-description PUSB-uuids VUSB-uuids other-config",
        ("uuid", "name-label", "name-description"),
        derived={"PUSB-uuids": Derived("PUSBs"), "VUSB-uuids": Derived("VUSBs")},
        plural="groups of USB devices",
    ),
    View(
        "vusb",
        "VUSB",
        """
        uuid vm-uuid vm-name-label usb-group-uuid usb-group-name-label allowed-operations current-operations
        currently-attached other-config
        """,
        ("uuid", "vm-uuid", "usb-group-uuid"),
        derived={
            **_VM,
            "usb-group-uuid": Derived("USB_group"),
            "usb-group-name-label": Derived("USB_group.name"),
        },
        plural="USB ports of VMs",
    ),
    View(
        "vtpm",
        "VTPM",
        """
        uuid vm-uuid vm-name-label is-unique is-protected persistence-backend allowed-operations current-operations
        """,
        ("uuid", "vm-uuid", "is-unique", "is-protected"),
        derived=_VM,
        plural="TPMs of VMs",
    ),
    View(
        "pvs-site",
        "PVS_site",
        """
        uuid name-label name-description pvs-uuid pvs-cache-storage-uuids pvs-server-uuids pvs-proxy-uuids
        """,
        ("uuid", "name-label", "name-description", "pvs-uuid"),
        derived={
            "pvs-uuid": Derived("PVS_uuid"),
            "pvs-cache-storage-uuids": Derived("cache_storage"),
            "pvs-server-uuids": Derived("servers"),
            "pvs-proxy-uuids": Derived("proxies"),
        },
        plural="provisioning sites",
    ),
    View(
        "pvs-server",
        "PVS_server",
        "uuid addresses first-port last-port pvs-site-uuid",
        derived={"pvs-site-uuid": Derived("site")},
        one=frozenset({"addresses"}),
        plural="provisioning servers",
    ),
    View(
        "pvs-proxy",
        "PVS_proxy",
        "uuid pvs-site-uuid vif-uuid currently-attached status",
        derived={"pvs-site-uuid": Derived("site"), "vif-uuid": Derived("VIF")},
        plural="provisioning caches of VMs",
    ),
    View(
        "pvs-cache-storage",
        "PVS_cache_storage",
        "uuid host-uuid sr-uuid pvs-site-uuid size vdi-uuid",
        derived={
            "host-uuid": Derived("host"),
            "sr-uuid": Derived("SR"),
            "pvs-site-uuid": Derived("site"),
            "vdi-uuid": Derived("VDI"),
        },
        plural="provisioning caches of hosts",
    ),
    View(
        "host-driver",
        "Host_driver",
        """
        uuid host-uuid name friendly-name description type info active-variant selected-variant variants
        """,
        ("uuid", "host-uuid", "name", "active-variant", "selected-variant"),
        derived={"host-uuid": Derived("host")},
        plural="drivers of hosts",
    ),
    View(
        "driver-variant",
        "Driver_variant",
        "uuid name driver version status priority hardware-present",
        plural="builds of drivers",
    ),
)
