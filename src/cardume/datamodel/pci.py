"""PCI: a device on a host's PCI bus."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@named("pci_dom0_access")
class PCIDom0Access(StrEnum):
    """Whether the host itself uses a device, now and after its next start."""

    ENABLED = "enabled"
    DISABLE_ON_REBOOT = "disable_on_reboot"
    DISABLED = "disabled"
    ENABLE_ON_REBOOT = "enable_on_reboot"


@xenclass(role=Role.POOL_OPERATOR)
class PCI:
    """A device on a host's PCI bus."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(STATIC_RO, "the host that it is in", NULL)
    pci_id: str = field(STATIC_RO, "its address on the bus, such as 0000:00:1f.2", "")
    class_id: str = field(STATIC_RO, "the number of the kind of device that it is", "")
    class_name: str = field(STATIC_RO, "the kind of device, for people to read", "")
    vendor_id: str = field(STATIC_RO, "the vendor's number", "")
    vendor_name: str = field(STATIC_RO, "the vendor's name", "")
    device_id: str = field(STATIC_RO, "the vendor's number for the device", "")
    device_name: str = field(STATIC_RO, "the device's name", "")
    subsystem_vendor_id: str = field(STATIC_RO, "the number of the board's vendor", "")
    subsystem_vendor_name: str = field(STATIC_RO, "the name of the board's vendor", "")
    subsystem_device_id: str = field(STATIC_RO, "the number that the board's vendor gave it", "")
    subsystem_device_name: str = field(STATIC_RO, "the name that the board's vendor gave it", "")
    driver_name: str = field(STATIC_RO, "the host's driver that serves it; empty without one", "")
    dependencies: Set[Ref[PCI]] = field(RO, "devices that must be passed through together with it")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def get_dom0_access_status(self) -> PCIDom0Access:
        """Tell whether the host itself uses the device, now and after its next start."""

    @message()
    def enable_dom0_access(self) -> PCIDom0Access:
        """Let the host itself use the device from its next start on."""

    @message()
    def disable_dom0_access(self) -> PCIDom0Access:
        """Keep the host itself from the device from its next start on, so that a guest can have it."""
