"""network_sriov: a network whose cards are cut from one interface by its own hardware."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF


@named("sriov_configuration_mode")
class SriovConfigurationMode(StrEnum):
    """By what means a device was told to split itself."""

    SYSFS = "sysfs"
    MODPROBE = "modprobe"
    MANUAL = "manual"
    UNKNOWN = "unknown"


@xenclass(name="network_sriov", role=Role.POOL_OPERATOR)
class NetworkSriov:
    """SR-IOV on one interface: its hardware offers parts of itself to VMs."""

    uuid: str = field(RO, "the object's unique identifier")
    physical_PIF: Ref[PIF] = field(STATIC_RO, "the interface that is split", NULL)
    logical_PIF: Ref[PIF] = field(STATIC_RO, "the interface that joins the network", NULL)
    requires_reboot: bool = field(RO, "true when the host must start again before it works", False)
    configuration_mode: SriovConfigurationMode = field(
        RO, "by what means the device was told to split itself", SriovConfigurationMode.UNKNOWN
    )

    @message()
    @staticmethod
    def create(pif: Ref[PIF], network: Ref[Network]) -> Ref[NetworkSriov]:
        """Split an interface, and join its parts to a network."""

    @message()
    def destroy(self) -> None:
        """Make the interface whole again."""

    @message(role=Role.READ_ONLY)
    def get_remaining_capacity(self) -> int:
        """How many parts no VM has yet."""
