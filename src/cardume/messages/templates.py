"""The templates that every pool begins with: blank Linux and Windows guests, and other install media."""

from dataclasses import dataclass

from cardume.datamodel.refs import NULL
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import DomainType, OnCrash, OnNormalExit
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Transaction

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Template:
    """What one built-in template gives a new VM."""

    name: str
    description: str
    memory: int
    vcpus: int
    disk_bytes: int  # 0: none is made
    platform: dict[str, str]
    install_methods: str = "cdrom"
    distro: str = ""


_PLATFORM = {"acpi": "1", "apic": "true", "pae": "true", "nx": "true", "timeoffset": "0", "vga": "std", "videoram": "8"}

TEMPLATES: tuple[Template, ...] = (
    Template("Linux", "A blank Linux guest: virtio disk and network card.", 2 * GIB, 2, 16 * GIB, {}, "cdrom", "linux"),
    Template(
        "Windows",
        "A blank Windows guest: SATA disk and e1000e card, which its installer knows without further drivers.",
        4 * GIB,
        2,
        64 * GIB,
        {"device-model": "emulated", "viridian": "true", "localtime": "true"},
        "cdrom",
        "windows",
    ),
    Template(
        "Other install media", "For an operating system of any kind, installed from its CD.", 1 * GIB, 1, 8 * GIB, {}
    ),
)


def ensure_templates(txn: Transaction) -> None:
    """Every built-in template exists; those that were changed stay as they are."""
    present = {vm.name_label for vm in txn.all(VM).values() if vm.is_default_template}
    for template in TEMPLATES:
        if template.name not in present:
            ensure_metrics(txn, txn.create(template_record(template)))


def template_record(template: Template) -> VM:
    """The VM record of a built-in template."""
    other_config = {"default_template": "true", "install-methods": template.install_methods}
    if template.distro:
        other_config["install-distro"] = template.distro
    if template.disk_bytes:
        other_config["disks"] = (
            f'<provision><disk device="0" size="{template.disk_bytes}" sr="" bootable="true" type="system"/>'
            "</provision>"
        )
    return blank_vm(
        template.name,
        template.description,
        memory=template.memory,
        vcpus=template.vcpus,
        platform={**_PLATFORM, **template.platform},
        other_config=other_config,
        is_a_template=True,
        is_default_template=True,
    )


def blank_vm(
    name: str,
    description: str,
    *,
    memory: int,
    vcpus: int,
    platform: dict[str, str],
    other_config: dict[str, str],
    is_a_template: bool,
    is_default_template: bool = False,
    is_control_domain: bool = False,
) -> VM:
    """A VM's record with the defaults of a new guest."""
    return VM(
        name_label=name,
        name_description=description,
        user_version=1,
        is_a_template=is_a_template,
        is_default_template=is_default_template,
        is_control_domain=is_control_domain,
        affinity=NULL,
        memory_static_max=memory,
        memory_static_min=memory // 2,
        memory_dynamic_max=memory,
        memory_dynamic_min=memory,
        VCPUs_params={},
        VCPUs_max=vcpus,
        VCPUs_at_startup=vcpus,
        actions_after_shutdown=OnNormalExit.DESTROY,
        actions_after_reboot=OnNormalExit.RESTART,
        actions_after_crash=OnCrash.RESTART,
        PV_bootloader="",
        PV_kernel="",
        PV_ramdisk="",
        PV_args="",
        PV_bootloader_args="",
        PV_legacy_args="",
        HVM_boot_policy="BIOS order",
        HVM_boot_params={"order": "cdn", "firmware": "bios"},
        domain_type=DomainType.HVM,
        platform=platform,
        PCI_bus="",
        other_config=other_config,
        recommendations=_RECOMMENDATIONS,
        has_vendor_device=False,
    )


_RECOMMENDATIONS = (
    "<restrictions>"
    '<restriction field="memory-static-max" max="1649267441664"/>'
    '<restriction field="vcpus-max" max="64"/>'
    '<restriction field="has-vendor-device" value="false"/>'
    '<restriction field="supports-bios" value="yes"/>'
    '<restriction field="supports-uefi" value="yes"/>'
    '<restriction field="supports-secure-boot" value="no"/>'
    '<restriction property="number-of-vbds" max="16"/>'
    '<restriction property="number-of-vifs" max="7"/>'
    "</restrictions>"
)
