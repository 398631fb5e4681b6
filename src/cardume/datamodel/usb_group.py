"""USB_group: USB devices that stand for each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import NO_MAP, RO, RW, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.pusb import PUSB
    from cardume.datamodel.vusb import VUSB


@xenclass(name="USB_group")
class USBGroup:
    """Interchangeable USB devices: a guest is promised one of them, whichever host it runs on."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the group's name", "")
    name_description: str = field(RW, "notes about the group", "")
    PUSBs: Set[Ref[PUSB]] = field(RO, "the devices", backref="PUSB.USB_group")
    VUSBs: Set[Ref[VUSB]] = field(RO, "ports of guests that want one of them", backref="VUSB.USB_group")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def create(
        name_label: str = "", name_description: str = "", other_config: Mapping[str, str] = NO_MAP
    ) -> Ref[USBGroup]:
        """Make a group without devices."""

    @message()
    def destroy(self) -> None:
        """Remove a group that has neither devices nor guests' ports."""
