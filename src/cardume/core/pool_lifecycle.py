"""What may be done with a pool as a whole now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.pool import PoolOperation as Op


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool as these rules see it."""

    ha_enabled: bool = False
    hosts: int = 1
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation


IMPLEMENTED_POOL_OPERATIONS = frozenset({Op.HA_ENABLE, Op.HA_DISABLE})


def assert_can(pool: PoolFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on a pool."""
    if (reason := why_not(pool, operation)) is not None:
        raise reason


def allowed_operations(pool: PoolFacts) -> tuple[Op, ...]:
    """The operations that a pool's clients may offer now."""
    return tuple(op for op in Op if why_not(pool, op) is None)


def why_not(pool: PoolFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on a pool; None when it may."""
    if operation not in IMPLEMENTED_POOL_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"pool.{operation}")
    if Op.HA_ENABLE in pool.current_operations.values():
        return errors.HA_ENABLE_IN_PROGRESS()
    if Op.HA_DISABLE in pool.current_operations.values():
        return errors.HA_DISABLE_IN_PROGRESS()
    if operation is Op.HA_DISABLE and not pool.ha_enabled:
        return errors.HA_NOT_ENABLED()
    if operation is Op.HA_ENABLE and pool.ha_enabled:
        return errors.HA_IS_ENABLED()
    if operation is Op.HA_ENABLE and pool.hosts < 2:
        return errors.HA_TOO_FEW_HOSTS()
    return None
