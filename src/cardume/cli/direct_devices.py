"""Commands about devices that send one message each (see `direct.py` for the words)."""

from cardume.cli.direct import Direct

ROWS: tuple[Direct, ...] = (
    Direct("vtpm-create", "VTPM.create", "vm-uuid is-unique=false", "Give a halted VM a TPM."),
    Direct(
        "pci-get-dom0-access-status",
        "PCI.get_dom0_access_status",
        "uuid",
        "Show whether the host itself can use a PCI device, now and after a restart.",
    ),
    Direct("pci-enable-dom0-access", "PCI.enable_dom0_access", "uuid", "Give a PCI device back to its host."),
    Direct(
        "pci-disable-dom0-access", "PCI.disable_dom0_access", "uuid", "Hide a PCI device from its host, for a guest."
    ),
    Direct("pgpu-enable-dom0-access", "PGPU.enable_dom0_access", "uuid", "Give a graphics processor back to its host."),
    Direct("pgpu-disable-dom0-access", "PGPU.disable_dom0_access", "uuid", "Hide a graphics processor from its host."),
    Direct(
        "gpu-group-create", "GPU_group.create", "name-label name-description? -", "Make a group of graphics processors."
    ),
    Direct("gpu-group-destroy", "GPU_group.destroy", "uuid", "Remove an empty group of graphics processors."),
    Direct(
        "gpu-group-get-remaining-capacity",
        "GPU_group.get_remaining_capacity",
        "uuid vgpu-type-uuid",
        "Show how many more virtual graphics processors of a type a group can serve.",
    ),
    Direct(
        "vgpu-create",
        "VGPU.create",
        "vm-uuid gpu-group-uuid device=0 - vgpu-type-uuid?",
        "Give a VM a virtual graphics processor.",
    ),
    Direct("vgpu-destroy", "VGPU.destroy", "uuid", "Take a virtual graphics processor away."),
    Direct("pusb-scan", "PUSB.scan", "host-uuid", "Look for USB devices in a host."),
    Direct("usb-group-create", "USB_group.create", "name-label name-description? -", "Make a group of USB devices."),
    Direct("usb-group-destroy", "USB_group.destroy", "uuid", "Remove an empty group of USB devices."),
    Direct("vusb-create", "VUSB.create", "vm-uuid usb-group-uuid -", "Promise a VM a USB device of a group."),
    Direct("vusb-destroy", "VUSB.destroy", "uuid", "Take a USB port from a VM."),
    Direct("vusb-unplug", "VUSB.unplug", "uuid", "Pull a USB device out of a running VM."),
    Direct(
        "pvs-site-introduce",
        "PVS_site.introduce",
        "name-label name-description? pvs-uuid?",
        "Make a site of provisioning servers known.",
    ),
    Direct("pvs-site-forget", "PVS_site.forget", "uuid", "Forget a site of provisioning servers."),
    Direct(
        "pvs-server-introduce",
        "PVS_server.introduce",
        "addresses first-port last-port pvs-site-uuid",
        "Make a provisioning server known.",
    ),
    Direct("pvs-server-forget", "PVS_server.forget", "uuid", "Forget a provisioning server."),
    Direct(
        "pvs-proxy-create",
        "PVS_proxy.create",
        "pvs-site-uuid vif-uuid",
        "Cache what a VM reads from provisioning servers.",
    ),
    Direct("pvs-proxy-destroy", "PVS_proxy.destroy", "uuid", "Stop caching what a VM reads from provisioning servers."),
    Direct(
        "pvs-cache-storage-create",
        "PVS_cache_storage.create",
        "host-uuid sr-uuid pvs-site-uuid>site size",
        "Give a host room to cache a provisioning site.",
    ),
    Direct("pvs-cache-storage-destroy", "PVS_cache_storage.destroy", "uuid", "Take that room back."),
)
