"""PIF_metrics: what is measured of a PIF; kept in memory, written by its host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cardume.datamodel.declare import RO, RW, field, xenclass
from cardume.datamodel.roles import Role


@xenclass(name="PIF_metrics", role=Role.POOL_OPERATOR, volatile=True)
class PIFMetrics:
    """What is measured of a PIF; kept in memory, written by its host."""

    uuid: str = field(RO, "the object's unique identifier")
    carrier: bool = field(RO, "true while its cable has a signal")
    speed: int = field(RO, "link speed in Mbit/s")
    duplex: bool = field(RO, "true when it sends and receives at a time")
    vendor_id: str = field(RO, "the vendor's PCI number")
    vendor_name: str = field(RO, "the vendor's name")
    device_id: str = field(RO, "the device's PCI number")
    device_name: str = field(RO, "the device's name")
    pci_bus_path: str = field(RO, "its place on the PCI bus")
    last_updated: datetime = field(RO, "when these facts were last written")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
