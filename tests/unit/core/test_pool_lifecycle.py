"""What may be done with a pool, and what not."""

import pytest

from cardume.core.pool_lifecycle import PoolFacts, allowed_operations, why_not
from cardume.datamodel.pool import PoolOperation as Op

TWO = PoolFacts(hosts=2)
ON = PoolFacts(ha_enabled=True, hosts=2)


@pytest.mark.parametrize(
    ("pool", "operation", "refusal"),
    [
        (TWO, Op.HA_ENABLE, None),
        (TWO, Op.HA_DISABLE, "HA_NOT_ENABLED"),
        (PoolFacts(hosts=1), Op.HA_ENABLE, "HA_TOO_FEW_HOSTS"),
        (ON, Op.HA_ENABLE, "HA_IS_ENABLED"),
        (ON, Op.HA_DISABLE, None),
        (PoolFacts(hosts=2, current_operations={"task": Op.HA_ENABLE}), Op.HA_DISABLE, "HA_ENABLE_IN_PROGRESS"),
        (PoolFacts(True, 2, {"task": Op.HA_DISABLE}), Op.HA_DISABLE, "HA_DISABLE_IN_PROGRESS"),
        (TWO, Op.EJECT, "NOT_IMPLEMENTED"),
    ],
)
def test_an_operation_is_refused_with_the_first_reason(pool: PoolFacts, operation: Op, refusal: str | None) -> None:
    reason = why_not(pool, operation)
    assert (reason.code if reason else None) == refusal


def test_what_a_pool_allows() -> None:
    assert allowed_operations(TWO) == (Op.HA_ENABLE,)
    assert allowed_operations(ON) == (Op.HA_DISABLE,)
    assert allowed_operations(PoolFacts()) == ()
