"""Cluster: hosts that share a cluster file system."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.cluster_host import ClusterHost
    from cardume.datamodel.network import Network
    from cardume.datamodel.pif import PIF


@named("cluster_operation")
class ClusterOperation(StrEnum):
    """Operations on a cluster that exclude others while they run."""

    ADD = "add"
    REMOVE = "remove"
    ENABLE = "enable"
    DISABLE = "disable"
    DESTROY = "destroy"


@xenclass(role=Role.POOL_OPERATOR)
class Cluster:
    """Hosts bound together by a cluster stack, so that they can mount one file system at once."""

    uuid: str = field(RO, "the object's unique identifier")
    cluster_config: Mapping[str, str] = field(STATIC_RO, "settings of the cluster stack", {})
    cluster_hosts: Set[Ref[ClusterHost]] = field(RO, "its members", backref="Cluster_host.cluster")
    cluster_stack: str = field(STATIC_RO, "the software that binds them", "corosync")
    cluster_stack_version: int = field(STATIC_RO, "the major version of that software", 2)
    cluster_token: str = field(STATIC_RO, "secret that the members share", "")
    expected_hosts: int = field(RO, "members that there should be")
    is_quorate: bool = field(RO, "true while enough members see each other")
    live_hosts: int = field(RO, "members that see each other")
    pending_forget: Set[str] = field(RO, "addresses of members that are being given up")
    pool_auto_join: bool = field(STATIC_RO, "true when hosts that join the pool become members too", True)
    quorum: int = field(RO, "members that must see each other")
    token_timeout: float = field(STATIC_RO, "seconds without a sign of life before a member counts as lost", 20.0)
    token_timeout_coefficient: float = field(STATIC_RO, "seconds added to that for each member beyond the second", 1.0)
    allowed_operations: Set[ClusterOperation] = field(RO, "operations that it could begin now", volatile=True)
    current_operations: Mapping[str, ClusterOperation] = field(
        RO, "operations that run on it now, by task", volatile=True
    )
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message(errors=("INVALID_CLUSTER_STACK", "INVALID_VALUE", "PIF_ALLOWS_UNPLUG", "REQUIRED_PIF_IS_UNPLUGGED"))
    @staticmethod
    def create(
        PIF: Ref[PIF],
        cluster_stack: str,
        pool_auto_join: bool,
        token_timeout: float = 20.0,
        token_timeout_coefficient: float = 1.0,
    ) -> Ref[Cluster]:
        """Make a cluster with this host as its first member."""

    @message(errors=("CLUSTER_DOES_NOT_HAVE_ONE_NODE", "CLUSTER_STACK_IN_USE"))
    def destroy(self) -> None:
        """Remove a cluster that has one member left."""

    @message(role=Role.READ_ONLY)
    def get_network(self) -> Ref[Network]:
        """The network that all members talk over."""

    @message()
    @staticmethod
    def pool_create(
        network: Ref[Network], cluster_stack: str, token_timeout: float = 20.0, token_timeout_coefficient: float = 1.0
    ) -> Ref[Cluster]:
        """Make a cluster of all hosts of the pool, on this network."""

    @message(errors=("CLUSTER_STACK_IN_USE", "CLUSTERING_DISABLED", "CLUSTER_HOST_IS_LAST"))
    def pool_destroy(self) -> None:
        """Take every member out and remove the cluster."""

    @message(errors=("CLUSTER_FORCE_DESTROY_FAILED",))
    def pool_force_destroy(self) -> None:
        """Remove the cluster though members do not answer."""

    @message()
    def pool_resync(self) -> None:
        """Make the members' state what the database says."""
