"""sr_stat: what looking at a place for storage tells about an SR that is there already."""

from __future__ import annotations

from enum import StrEnum

from cardume.datamodel.declare import RO, field, named, xenclass
from cardume.datamodel.roles import Role


@named("sr_health")
class SRHealth(StrEnum):
    """Whether an SR can be used at present."""

    HEALTHY = "healthy"
    RECOVERING = "recovering"
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"


@xenclass(name="sr_stat", role=Role.POOL_OPERATOR, events=False, stored=False)
class SRStat:
    """What looking at a place for storage tells about an SR that is there already."""

    uuid: str | None = field(RO, "the SR's uuid, where the storage keeps one", None)
    name_label: str = field(RO, "the SR's name, as the storage keeps it")
    name_description: str = field(RO, "notes about the SR, as the storage keeps them")
    free_space: int = field(RO, "bytes that are free")
    total_space: int = field(RO, "bytes in all")
    clustered: bool = field(RO, "true when the hosts' membership service must run to use it")
    health: SRHealth = field(RO, "whether it can be used at present", SRHealth.HEALTHY)
