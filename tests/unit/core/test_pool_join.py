"""Which hosts may join which pools."""

from dataclasses import replace

import pytest

from cardume.core.pool_join import HostIdentity, Joiner, PoolToJoin, assert_may_join, reasons_against
from cardume.datamodel.errors import ApiError

D1 = HostIdentity("uuid-1", "d1-g1", "d1-g1", (2, 23), "8.3.0", "0.1.0", "GenuineIntel")
D2 = replace(D1, uuid="uuid-2", name_label="d2-g1", hostname="d2-g1")
POOL = PoolToJoin(hosts=(D1,), master="uuid-1")
JOINER = Joiner(host=D2)


def test_a_standalone_host_like_the_others_may_join() -> None:
    assert_may_join(JOINER, POOL)


@pytest.mark.parametrize(
    ("joiner", "pool", "code"),
    [
        (replace(JOINER, host=D1), POOL, "OPERATION_NOT_ALLOWED"),
        (replace(JOINER, other_hosts=1), POOL, "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"),
        (replace(JOINER, ha_enabled=True), POOL, "HA_IS_ENABLED"),
        (JOINER, replace(POOL, ha_enabled=True), "HA_IS_ENABLED"),
        (replace(JOINER, host=replace(D2, api_version=(2, 22))), POOL, "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION"),
        (replace(JOINER, host=replace(D2, version="0.2")), POOL, "POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION"),
        (replace(JOINER, host=replace(D2, hostname="d1-g1")), POOL, "OPERATION_NOT_ALLOWED"),
        (replace(JOINER, busy_vms=("vm",)), POOL, "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS"),
        (replace(JOINER, running_vms=("vm",)), POOL, "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"),
        (replace(JOINER, suspended_vms=("vm",)), POOL, "JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS"),
        (replace(JOINER, shared_srs=("sr",)), POOL, "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"),
        (replace(JOINER, has_bonds=True), POOL, "POOL_JOINING_HOST_HAS_BONDS"),
        (replace(JOINER, has_vlans=True), POOL, "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
        (replace(JOINER, has_management=False), POOL, "POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC"),
        (replace(JOINER, host=replace(D2, cpu_vendor="AuthenticAMD")), POOL, "HOSTS_NOT_HOMOGENEOUS"),
    ],
)
def test_each_thing_in_the_way_is_refused_by_its_own_error(joiner: Joiner, pool: PoolToJoin, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        assert_may_join(joiner, pool)
    assert refused.value.code == code


def test_force_passes_over_warnings_and_over_nothing_else() -> None:
    mixed = replace(JOINER, suspended_vms=("vm",), host=replace(D2, cpu_vendor="AuthenticAMD"))
    assert list(reasons_against(mixed, POOL, force=True)) == []
    running = replace(mixed, running_vms=("vm",))
    assert [reason.code for reason in reasons_against(running, POOL, force=True)] == [
        "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"
    ]
