"""Errors about clusters."""

from cardume.datamodel.errors.declared import code

CLUSTERING_DISABLED = code(
    "CLUSTERING_DISABLED", ("cluster_host",), "The host's membership of the cluster is disabled; enable it first."
)
CLUSTER_ALREADY_EXISTS = code("CLUSTER_ALREADY_EXISTS", (), "The pool has a cluster already.")
CLUSTER_CREATE_IN_PROGRESS = code(
    "CLUSTER_CREATE_IN_PROGRESS", (), "A cluster is being made; try again when that has ended."
)
CLUSTER_DOES_NOT_HAVE_ONE_NODE = code(
    "CLUSTER_DOES_NOT_HAVE_ONE_NODE",
    ("number_of_nodes",),
    "The cluster must have exactly one member for this; it has this many.",
)
CLUSTER_FORCE_DESTROY_FAILED = code(
    "CLUSTER_FORCE_DESTROY_FAILED", ("cluster",), "Some hosts could not be taken out of the cluster."
)
CLUSTER_HOST_IS_LAST = code(
    "CLUSTER_HOST_IS_LAST", ("cluster_host",), "This is the cluster's last member; destroy the cluster instead."
)
CLUSTER_HOST_NOT_JOINED = code(
    "CLUSTER_HOST_NOT_JOINED", ("cluster_host",), "The other members have not let this one in yet."
)
CLUSTER_STACK_IN_USE = code(
    "CLUSTER_STACK_IN_USE", ("cluster_stack",), "Something needs the cluster; detach the storage that uses it first."
)
INCOMPATIBLE_CLUSTER_STACK_ACTIVE = code(
    "INCOMPATIBLE_CLUSTER_STACK_ACTIVE", ("cluster_stack",), "Another cluster stack is active, and both cannot be."
)
NO_CLUSTER_HOSTS_REACHABLE = code(
    "NO_CLUSTER_HOSTS_REACHABLE", ("cluster",), "No member of the cluster can be reached."
)
NO_COMPATIBLE_CLUSTER_HOST = code(
    "NO_COMPATIBLE_CLUSTER_HOST", ("host",), "The host's membership is missing, disabled or of another cluster stack."
)

# XenServer documents no parameters of this.
CLUSTER_HAS_NO_CERTIFICATE = code(
    "CLUSTER_HAS_NO_CERTIFICATE", (), "The cluster's hosts have no certificate to know each other by.", variadic=True
)
