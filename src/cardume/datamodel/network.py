"""network: a network that VMs and hosts are connected to; on each host a bridge of its own name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.blob import Blob
    from cardume.datamodel.pif import PIF
    from cardume.datamodel.vif import VIF


@named("network_default_locking_mode")
class NetworkDefaultLockingMode(StrEnum):
    """What guests on a network may do when their VIF says nothing."""

    UNLOCKED = "unlocked"
    DISABLED = "disabled"


@named("network_operations")
class NetworkOperation(StrEnum):
    """Operations on a network."""

    ATTACHING = "attaching"


@named("network_purpose")
class NetworkPurpose(StrEnum):
    """Special uses that a network can be open for."""

    NBD = "nbd"
    INSECURE_NBD = "insecure_nbd"


@xenclass(name="network", role=Role.POOL_OPERATOR, constructor=True, constructor_role=Role.VM_ADMIN)
class Network:
    """A network that VMs and hosts are connected to; on each host a bridge of its own name."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the network's name", "")
    name_description: str = field(RW, "notes about the network", "")
    bridge: str = field(STATIC_RO, "the bridge that carries it on every host; chosen when left empty", "")
    managed: bool = field(
        STATIC_RO, "true when the pool makes the bridge; false when it was there before and is left alone", True
    )
    MTU: int = field(RW, "largest packet in bytes", 1500, effect=True, role=Role.VM_ADMIN)
    PIFs: Set[Ref[PIF]] = field(
        RO,
        "the hosts' interfaces that join it to the outside; none makes it internal to each host",
        backref="PIF.network",
    )
    VIFs: Set[Ref[VIF]] = field(RO, "the VMs' interfaces on it", backref="VIF.network")
    default_locking_mode: NetworkDefaultLockingMode = field(
        RO, "whether guests on it may use any address, when their VIF says nothing", NetworkDefaultLockingMode.UNLOCKED
    )
    purpose: Set[NetworkPurpose] = field(RO, "special uses that it is open for, such as reading disks over NBD")
    assigned_ips: Mapping[Ref[VIF], str] = field(RO, "addresses given to VIFs on a network inside the host")
    blobs: Mapping[str, Ref[Blob]] = field(RO, "files attached to the network, by name")
    tags: Set[str] = field(RW, "words for sorting and finding", (), role=Role.VM_OPERATOR)
    other_config: Mapping[str, str] = field(
        RW,
        "more facts, for clients to keep; automatic=true gives each new VM a VIF on it",
        key_roles={
            "folder": Role.VM_OPERATOR,
            "XenCenter.CustomFields.*": Role.VM_OPERATOR,
            "XenCenterCreateInProgress": Role.VM_OPERATOR,
        },
    )
    allowed_operations: Set[NetworkOperation] = field(RO, "operations that the network could begin now", volatile=True)
    current_operations: Mapping[str, NetworkOperation] = field(
        RO, "operations that run on the network now, by task", volatile=True
    )

    @message(role=Role.POOL_ADMIN, errors=("NETWORK_INCOMPATIBLE_PURPOSES",))
    def add_purpose(self, value: NetworkPurpose) -> None:
        """Open the network for one more use."""

    @message(role=Role.POOL_ADMIN)
    def remove_purpose(self, value: NetworkPurpose) -> None:
        """Close the network for a use."""

    @message()
    def set_default_locking_mode(network, value: NetworkDefaultLockingMode) -> None:
        """Choose whether guests may use any address, when their VIF says nothing."""

    @message()
    def create_new_blob(network, name: str, mime_type: str, public: bool = False) -> Ref[Blob]:
        """Attach a new, empty file to the network."""
