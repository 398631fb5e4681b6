"""What may be done with a host now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import HostOperation as Op


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host as these rules see it."""

    ref: str
    enabled: bool = True
    guest: str | None = None  # a VM that runs there, if any does
    live: bool = True
    can_be_woken: bool = False  # from afar, when it is off
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation


_POWER = frozenset({Op.SHUTDOWN, Op.REBOOT})
_GUESTS = frozenset({Op.PROVISION, Op.VM_START, Op.VM_RESUME})
IMPLEMENTED_HOST_OPERATIONS = _POWER | _GUESTS | {Op.ENABLE, Op.POWER_ON}


def assert_can(host: HostFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a host."""
    if (reason := why_not(host, operation)) is not None:
        raise reason


def allowed_operations(host: HostFacts) -> tuple[Op, ...]:
    """The operations that a host's clients may offer now."""
    return tuple(op for op in Op if why_not(host, op) is None)


def why_not(host: HostFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a host; None when it may."""
    if operation not in IMPLEMENTED_HOST_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"host.{operation}")
    if operation in _GUESTS and not host.enabled:
        return errors.HOST_DISABLED(host.ref)
    if operation in _POWER and host.enabled:
        return errors.HOST_NOT_DISABLED()
    if operation in _POWER and host.guest is not None:
        return errors.HOST_IN_USE(host.ref, "VM", host.guest)
    if operation is Op.POWER_ON and not host.can_be_woken:
        return errors.HOST_POWER_ON_MODE_DISABLED()
    if operation is Op.POWER_ON and host.live:
        return errors.HOST_IS_LIVE(host.ref)
    return why_busy("host", host.ref, host.current_operations)
