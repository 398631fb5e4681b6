"""PUSB: a USB device in a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.usb_group import USBGroup


@xenclass()
class PUSB:
    """A USB device that is plugged into a host."""

    uuid: str = field(RO, "the object's unique identifier")
    USB_group: Ref[USBGroup] = field(STATIC_RO, "the group of devices that stand for each other", NULL)
    description: str = field(STATIC_RO, "vendor and product as a person reads them", "")
    host: Ref[Host] = field(STATIC_RO, "the host it is plugged into", NULL)
    passthrough_enabled: bool = field(RO, "true when guests may be given the device")
    path: str = field(STATIC_RO, "the port that it is plugged into, as the kernel names it", "")
    product_desc: str = field(STATIC_RO, "the product's name", "")
    product_id: str = field(STATIC_RO, "the product's number, four hexadecimal digits", "")
    serial: str = field(STATIC_RO, "its serial number", "")
    speed: float = field(STATIC_RO, "megabits a second; -1 when not known", -1.0)
    vendor_desc: str = field(STATIC_RO, "the vendor's name", "")
    vendor_id: str = field(STATIC_RO, "the vendor's number, four hexadecimal digits", "")
    version: str = field(STATIC_RO, "the USB version that it speaks", "")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def scan(host: Ref[Host]) -> None:
        """Look for USB devices that were plugged in or pulled out of a host."""

    @message()
    def set_passthrough_enabled(self, value: bool) -> None:
        """Allow or forbid giving the device to guests."""
