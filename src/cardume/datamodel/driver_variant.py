"""Driver_variant: one build of a device driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, message, xenclass
from cardume.datamodel.refs import Ref

if TYPE_CHECKING:
    from cardume.datamodel.host_driver import HostDriver


@xenclass(name="Driver_variant")
class DriverVariant:
    """One of the builds that a device driver of a host comes in."""

    uuid: str = field(RO, "the object's unique identifier")
    driver: Ref[HostDriver] = field(RO, "the driver")
    hardware_present: bool = field(RO, "true when the host has a device that it serves")
    name: str = field(RO, "its name, unique for the driver")
    priority: float = field(RO, "the highest is taken when nobody chooses")
    status: str = field(RO, "how finished it is, such as production or beta")
    version: str = field(RO, "its version")

    @message()
    def select(self) -> None:
        """Choose this build for the host's next start."""
