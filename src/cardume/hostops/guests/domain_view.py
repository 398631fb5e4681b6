"""What a running domain's XML tells: whose it is, its devices, where its screen is."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from cardume.hostops.guests.device_xml import DISK_ALIAS, NIC_ALIAS
from cardume.hostops.guests.domain_xml import METADATA_NAMESPACE


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain as its live XML shows it."""

    ours: bool  # False: somebody else's, to be left alone
    vcpus: int
    disks: tuple[str, ...]  # userdevices, in their numbers' order
    nics: tuple[str, ...]
    vnc_socket: str | None
    serial_terminal: str | None  # path of the terminal of its serial line
    agent_connected: bool


def view_of(xml: str) -> DomainView:
    """Read a domain's live XML."""
    root = ET.fromstring(xml)
    vcpu = root.find("vcpu")
    assert vcpu is not None, "libvirt gives every domain a vcpu element"
    screen = root.find("devices/graphics[@type='vnc']/listen[@type='socket']")
    serial = root.find("devices/serial[@type='pty']/source")
    agent = root.find("devices/channel/target[@name='org.qemu.guest_agent.0']")
    return DomainView(
        ours=root.find(f"metadata/{{{METADATA_NAMESPACE}}}guest") is not None,
        vcpus=int(vcpu.get("current") or vcpu.text or "1"),
        disks=_devices(root, "disk", DISK_ALIAS),
        nics=_devices(root, "interface", NIC_ALIAS),
        vnc_socket=screen.get("socket") if screen is not None else None,
        serial_terminal=serial.get("path") if serial is not None else None,
        agent_connected=agent is not None and agent.get("state") == "connected",
    )


def card_names(xml: str) -> dict[str, str]:
    """The device numbers of a domain's cards by the names that the host knows them by, e.g. `vnet3`."""
    cards = {}
    for card in ET.fromstring(xml).iterfind("devices/interface"):
        alias, target = card.find("alias"), card.find("target")
        name = alias.get("name", "") if alias is not None else ""
        if name.startswith(NIC_ALIAS) and target is not None and target.get("dev"):
            cards[target.get("dev", "")] = name.removeprefix(NIC_ALIAS)
    return cards


def device_of_alias(alias: str) -> str | None:
    """The userdevice that an alias stands for; None for devices that have none."""
    for prefix in (DISK_ALIAS, NIC_ALIAS):
        if alias.startswith(prefix):
            return alias.removeprefix(prefix)
    return None


def qemu_owner(capabilities_xml: str) -> tuple[int, int] | None:
    """The user and group that QEMU runs as, from libvirt's capabilities; None when libvirt does not switch users."""
    for model in ET.fromstring(capabilities_xml).iterfind("host/secmodel"):
        label = model.findtext("baselabel[@type='qemu']")
        if model.findtext("model") == "dac" and label:
            user, _, group = label.replace("+", "").partition(":")
            return int(user), int(group)
    return None


def _devices(root: ET.Element, tag: str, prefix: str) -> tuple[str, ...]:
    aliases = (alias.get("name", "") for alias in root.iterfind(f"devices/{tag}/alias"))
    return tuple(sorted((name.removeprefix(prefix) for name in aliases if name.startswith(prefix)), key=int))
