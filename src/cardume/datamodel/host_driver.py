"""Host_driver: a device driver that comes in several builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.driver_variant import DriverVariant
    from cardume.datamodel.host import Host


@xenclass(name="Host_driver")
class HostDriver:
    """A device driver of a host that comes in several builds, of which one is chosen."""

    uuid: str = field(RO, "the object's unique identifier")
    active_variant: Ref[DriverVariant] = field(RO, "the build that is loaded now")
    description: str = field(RO, "what the driver is for")
    friendly_name: str = field(RO, "its name for people")
    host: Ref[Host] = field(STATIC_RO, "the host", NULL)
    info: str = field(RO, "more about it, such as where to read on")
    name: str = field(RO, "its name on the host")
    selected_variant: Ref[DriverVariant] = field(RO, "the build that is loaded from the next start on")
    type: str = field(RO, "the kind of device: network, storage …")
    variants: Set[Ref[DriverVariant]] = field(RO, "the builds to choose from", backref="Driver_variant.driver")

    @message()
    def deselect(self) -> None:
        """Choose none of the builds; the system decides at the next start."""

    @message()
    @staticmethod
    def rescan(host: Ref[Host]) -> None:
        """Look again which drivers a host has."""

    @message()
    def select(self, variant: Ref[DriverVariant]) -> None:
        """Choose the build that is loaded from the next start on."""
