"""PVS_cache_storage: where a host keeps the cache of a Provisioning site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import sr, vdi
    from cardume.datamodel.host import Host
    from cardume.datamodel.pvs_site import PVSSite


@xenclass(name="PVS_cache_storage", role=Role.POOL_OPERATOR, constructor=True)
class PVSCacheStorage:
    """Where a host keeps the cache of a Provisioning site."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(STATIC_RO, "the host that caches", NULL)
    SR: Ref[sr.SR] = field(STATIC_RO, "the SR that the cache lies on", NULL)
    site: Ref[PVSSite] = field(STATIC_RO, "the site that is cached", NULL)
    size: int = field(STATIC_RO, "bytes that the cache may take", 21474836480)
    VDI: Ref[vdi.VDI] = field(RO, "the disk that was made for the cache")
