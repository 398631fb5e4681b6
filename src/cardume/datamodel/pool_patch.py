"""pool_patch: a patch of the old kind that was uploaded to the pool; pool_update took its place."""

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
    from cardume.datamodel.host_patch import HostPatch
    from cardume.datamodel.pool_update import PoolUpdate


@named("after_apply_guidance")
class PoolPatchGuidance(StrEnum):
    """What has to be restarted for a patch of the old kind to take effect."""

    RESTART_HVM = "restartHVM"
    RESTART_PV = "restartPV"
    RESTART_HOST = "restartHost"
    RESTART_XAPI = "restartXAPI"


@xenclass(name="pool_patch", role=Role.POOL_OPERATOR)
class PoolPatch:
    """A patch of the old kind that was uploaded to the pool; pool_update took its place."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the patch's name", "")
    name_description: str = field(STATIC_RO, "what the patch repairs", "")
    version: str = field(STATIC_RO, "the patch's version", "")
    size: int = field(RO, "bytes of the uploaded file")
    pool_applied: bool = field(RO, "true when every host of the pool has it")
    host_patches: Set[Ref[HostPatch]] = field(RO, "its states on single hosts", backref="host_patch.pool_patch")
    after_apply_guidance: Set[PoolPatchGuidance] = field(RO, "what has to be restarted once it is applied")
    pool_update: Ref[PoolUpdate] = field(STATIC_RO, "the update of the new kind that this patch stands for", NULL)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def apply(self, host: Ref[Host]) -> str:
        """Apply the patch on one host, and return what its program printed."""

    @message()
    def pool_apply(self) -> None:
        """Apply the patch on every host of the pool."""

    @message()
    def precheck(self, host: Ref[Host]) -> str:
        """Find out whether the patch could be applied on a host, and return what its check printed."""

    @message()
    def clean(self) -> None:
        """Remove the patch's file from the pool's master; which hosts have the patch stays known."""

    @message()
    def pool_clean(self) -> None:
        """Remove the patch's file from every host."""

    @message()
    def clean_on_host(self, host: Ref[Host]) -> None:
        """Remove the patch's file from one host."""

    @message()
    def destroy(self) -> None:
        """Remove the patch's file everywhere and forget a patch that no host has applied."""
