"""Cluster_host: a host's part in a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import pif
    from cardume.datamodel.cluster import Cluster
    from cardume.datamodel.host import Host


@named("cluster_host_operation")
class ClusterHostOperation(StrEnum):
    """Operations on a cluster's member that exclude others while they run."""

    ENABLE = "enable"
    DISABLE = "disable"
    DESTROY = "destroy"


@xenclass(name="Cluster_host", role=Role.POOL_OPERATOR)
class ClusterHost:
    """A host's membership of a cluster."""

    uuid: str = field(RO, "the object's unique identifier")
    PIF: Ref[pif.PIF] = field(STATIC_RO, "the interface that it talks to other members through", NULL)
    cluster: Ref[Cluster] = field(STATIC_RO, "the cluster", NULL)
    enabled: bool = field(RO, "true when the host takes part")
    host: Ref[Host] = field(STATIC_RO, "the host", NULL)
    joined: bool = field(RO, "true once the other members have let it in", True)
    last_update_live: datetime = field(RO, "when it was last known whether the host is live")
    live: bool = field(RO, "true while the others see it")
    allowed_operations: Set[ClusterHostOperation] = field(RO, "operations that it could begin now", volatile=True)
    current_operations: Mapping[str, ClusterHostOperation] = field(
        RO, "operations that run on it now, by task", volatile=True
    )
    other_config: Mapping[str, str] = field(STATIC_RO, "more facts, for clients to keep", {})

    @message(errors=("PIF_NOT_ATTACHED_TO_HOST", "NO_CLUSTER_HOSTS_REACHABLE"))
    @staticmethod
    def create(cluster: Ref[Cluster], host: Ref[Host], pif: Ref[pif.PIF]) -> Ref[ClusterHost]:
        """Make a host a member of a cluster."""

    @message(errors=("CLUSTER_STACK_IN_USE", "CLUSTERING_DISABLED", "CLUSTER_HOST_IS_LAST"))
    def destroy(self) -> None:
        """End a host's membership."""

    @message(errors=("CLUSTER_STACK_IN_USE",))
    def disable(self) -> None:
        """Let the host stop taking part; it stays a member."""

    @message(errors=("PIF_ALLOWS_UNPLUG", "REQUIRED_PIF_IS_UNPLUGGED"))
    def enable(self) -> None:
        """Let the host take part again."""

    @message(errors=("CLUSTER_STACK_IN_USE",))
    def force_destroy(self) -> None:
        """End a host's membership though the host does not answer."""
