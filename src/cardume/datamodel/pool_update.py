"""pool_update: an update in a disk image that can be applied on the hosts of the pool."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.vdi import VDI


@named("update_after_apply_guidance")
class UpdateAfterApplyGuidance(StrEnum):
    """What has to be restarted for an update to take effect."""

    RESTART_HVM = "restartHVM"
    RESTART_PV = "restartPV"
    RESTART_HOST = "restartHost"
    RESTART_XAPI = "restartXAPI"


@named("livepatch_status")
class LivepatchStatus(StrEnum):
    """Whether an update could patch running code, and how much of it."""

    OK_LIVEPATCH_COMPLETE = "ok_livepatch_complete"
    OK_LIVEPATCH_INCOMPLETE = "ok_livepatch_incomplete"
    OK = "ok"


@xenclass(name="pool_update", role=Role.POOL_OPERATOR)
class PoolUpdate:
    """An update in a disk image that can be applied on the hosts of the pool."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the update's name", "")
    name_description: str = field(STATIC_RO, "what the update changes", "")
    version: str = field(STATIC_RO, "the update's version", "")
    installation_size: int = field(STATIC_RO, "bytes that it needs on a host", 0)
    key: str = field(STATIC_RO, "the key that its signature is checked with", "")
    after_apply_guidance: Set[UpdateAfterApplyGuidance] = field(
        STATIC_RO, "what has to be restarted once it is applied", ()
    )
    vdi: Ref[VDI] = field(STATIC_RO, "the disk that holds the update")
    hosts: Set[Ref[Host]] = field(RO, "the hosts that have it", backref="host.updates")
    enforce_homogeneity: bool = field(STATIC_RO, "true when all hosts of the pool must have it, or none", False)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    @staticmethod
    def introduce(vdi: Ref[VDI]) -> Ref[PoolUpdate]:
        """Make an update known that lies in a disk."""

    @message()
    def precheck(self, host: Ref[Host]) -> LivepatchStatus:
        """Find out whether the update could be applied on a host, and whether running code could be patched."""

    @message()
    def apply(self, host: Ref[Host]) -> None:
        """Apply the update on one host."""

    @message()
    def pool_apply(self) -> None:
        """Apply the update on every host of the pool."""

    @message()
    def pool_clean(self) -> None:
        """Remove the update's files from every host; which hosts have the update stays known."""

    @message()
    def destroy(self) -> None:
        """Forget an update that no host has."""
