"""VUSB: a USB port of a guest."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import vm
    from cardume.datamodel.usb_group import USBGroup


@named("vusb_operations")
class VUSBOperation(StrEnum):
    """Operations on a virtual USB port that exclude others while they run."""

    ATTACH = "attach"
    PLUG = "plug"
    UNPLUG = "unplug"


@xenclass()
class VUSB:
    """A USB port of a guest, which a device of a host is passed through."""

    uuid: str = field(RO, "the object's unique identifier")
    USB_group: Ref[USBGroup] = field(RO, "the group that its device is taken from")
    VM: Ref[vm.VM] = field(RO, "the guest")
    currently_attached: bool = field(RO, "true while the guest has the device")
    allowed_operations: Set[VUSBOperation] = field(RO, "operations that it could begin now", volatile=True)
    current_operations: Mapping[str, VUSBOperation] = field(RO, "operations that run on it now, by task", volatile=True)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def create(VM: Ref[vm.VM], USB_group: Ref[USBGroup], other_config: Mapping[str, str] = NO_MAP) -> Ref[VUSB]:
        """Promise a guest a USB device of a group; it is given at the guest's next start."""

    @message()
    def destroy(self) -> None:
        """Remove the port; the guest must not have the device."""

    @message()
    def unplug(self) -> None:
        """Pull the device out of a running guest."""
