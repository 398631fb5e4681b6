"""PVS_proxy: a helper that caches on the host what a VM streams from a Provisioning site."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import vif
    from cardume.datamodel.pvs_site import PVSSite


@named("pvs_proxy_status")
class PVSProxyStatus(StrEnum):
    """What a caching helper does, or why it cannot cache."""

    STOPPED = "stopped"
    INITIALISED = "initialised"
    CACHING = "caching"
    INCOMPATIBLE_WRITE_CACHE_MODE = "incompatible_write_cache_mode"
    INCOMPATIBLE_PROTOCOL_VERSION = "incompatible_protocol_version"


@xenclass(name="PVS_proxy", role=Role.POOL_OPERATOR)
class PVSProxy:
    """A helper that caches on the host what a VM streams from a Provisioning site."""

    uuid: str = field(RO, "the object's unique identifier")
    site: Ref[PVSSite] = field(STATIC_RO, "the site that is streamed from", NULL)
    VIF: Ref[vif.VIF] = field(STATIC_RO, "the interface that the stream comes in by", NULL)
    currently_attached: bool = field(RO, "true while it caches for a running VM")
    status: PVSProxyStatus = field(RO, "what it does now, or why it cannot cache", PVSProxyStatus.STOPPED)

    @message()
    @staticmethod
    def create(site: Ref[PVSSite], VIF: Ref[vif.VIF]) -> Ref[PVSProxy]:
        """Cache what comes in by this interface."""

    @message()
    def destroy(self) -> None:
        """Cache no longer; the VM streams from the servers themselves."""
