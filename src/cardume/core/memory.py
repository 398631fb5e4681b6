"""Rules for a VM's memory limits and processors."""

from itertools import pairwise

from cardume.datamodel import errors


def assert_valid_limits(static_min: int, dynamic_min: int, dynamic_max: int, static_max: int) -> None:
    """Refuse limits of which one is above the next: MEMORY_CONSTRAINT_VIOLATION names the rule that is broken."""
    limits = (
        ("0", 0),
        ("memory_static_min", static_min),
        ("memory_dynamic_min", dynamic_min),
        ("memory_dynamic_max", dynamic_max),
        ("memory_static_max", static_max),
    )
    for (lower, low), (upper, high) in pairwise(limits):
        if low > high:
            raise errors.MEMORY_CONSTRAINT_VIOLATION(f"{lower} <= {upper}")
    if static_max == 0:
        raise errors.MEMORY_CONSTRAINT_VIOLATION("0 < memory_static_max")


def assert_valid_vcpus(at_startup: int, maximum: int) -> None:
    """Refuse numbers of VCPUs that are none, or above the maximum: INVALID_VALUE."""
    if maximum < 1:
        raise errors.INVALID_VALUE("VCPUs_max", maximum)
    if not 1 <= at_startup <= maximum:
        raise errors.INVALID_VALUE("VCPUs_at_startup", at_startup)


def assert_valid_topology(maximum: int, cores_per_socket: str) -> None:
    """Refuse `platform:cores-per-socket` that does not divide the VCPUs; an empty text means one core a socket."""
    if cores_per_socket == "":
        return
    if not cores_per_socket.isascii() or not cores_per_socket.isdigit() or int(cores_per_socket) < 1:
        raise errors.INVALID_VALUE("platform:cores-per-socket", cores_per_socket)
    if maximum % int(cores_per_socket):
        raise errors.VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE(maximum, cores_per_socket)
