"""PVS_site: a site of Citrix Provisioning, whose servers stream disks to VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.pvs_cache_storage import PVSCacheStorage
    from cardume.datamodel.pvs_proxy import PVSProxy
    from cardume.datamodel.pvs_server import PVSServer


@xenclass(name="PVS_site", role=Role.POOL_OPERATOR)
class PVSSite:
    """A site of Citrix Provisioning, whose servers stream disks to VMs."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the site's name", "")
    name_description: str = field(RW, "notes about the site", "")
    PVS_uuid: str = field(STATIC_RO, "the identifier that Provisioning gave it", "")
    cache_storage: Set[Ref[PVSCacheStorage]] = field(
        RO, "the caches that hosts keep for it", backref="PVS_cache_storage.site"
    )
    servers: Set[Ref[PVSServer]] = field(RO, "its streaming servers", backref="PVS_server.site")
    proxies: Set[Ref[PVSProxy]] = field(RO, "the caching helpers of VMs that stream from it", backref="PVS_proxy.site")

    @message()
    @staticmethod
    def introduce(name_label: str, name_description: str, PVS_uuid: str) -> Ref[PVSSite]:
        """Make a site known to the pool."""

    @message(
        errors=(
            "PVS_SITE_CONTAINS_RUNNING_PROXIES",
            "PVS_SITE_CONTAINS_SERVERS",
        )
    )
    def forget(self) -> None:
        """Forget a site that has no server and no running proxy."""

    @message()
    def set_PVS_uuid(self, value: str) -> None:
        """Note the identifier that Provisioning gave the site."""
