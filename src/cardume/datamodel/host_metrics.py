"""host_metrics: what is measured of a host; kept in memory, written by the host's heartbeat to the master."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cardume.datamodel.declare import RO, RW, field, xenclass
from cardume.datamodel.roles import Role


@xenclass(name="host_metrics", role=Role.POOL_OPERATOR, volatile=True)
class HostMetrics:
    """What is measured of a host; kept in memory, written by the host's heartbeat to the master."""

    uuid: str = field(RO, "the object's unique identifier")
    live: bool = field(RO, "true while the master hears the host")
    memory_total: int = field(RO, "bytes of memory the host has")
    last_updated: datetime = field(RO, "when these numbers were last written")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
