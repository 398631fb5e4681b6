"""host_patch: the state of a patch of the old kind on one host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.pool_patch import PoolPatch


@xenclass(name="host_patch", role=Role.POOL_OPERATOR)
class HostPatch:
    """The state of a patch of the old kind on one host."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(STATIC_RO, "the patch's name", "")
    name_description: str = field(STATIC_RO, "what the patch repairs", "")
    version: str = field(STATIC_RO, "the patch's version")
    host: Ref[Host] = field(STATIC_RO, "the host that it is about")
    pool_patch: Ref[PoolPatch] = field(STATIC_RO, "the patch", NULL)
    applied: bool = field(RO, "true when the host has it")
    timestamp_applied: datetime = field(RO, "when it was applied")
    size: int = field(RO, "bytes of its file")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def apply(self) -> str:
        """Apply the patch on this host, and return what its program printed."""

    @message()
    def destroy(self) -> None:
        """Remove the patch's file from the host; what it changed stays."""
