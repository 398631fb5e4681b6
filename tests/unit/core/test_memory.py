"""Memory limits and processors of VMs."""

import pytest

from cardume.core import memory
from cardume.datamodel.errors import ApiError


@pytest.mark.parametrize("limits", [(0, 1, 1, 1), (1, 2, 3, 4), (4, 4, 4, 4)])
def test_limits_in_order_are_valid(limits: tuple[int, int, int, int]) -> None:
    memory.assert_valid_limits(*limits)


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ((-1, 1, 1, 1), "0 <= memory_static_min"),
        ((2, 1, 3, 4), "memory_static_min <= memory_dynamic_min"),
        ((1, 3, 2, 4), "memory_dynamic_min <= memory_dynamic_max"),
        ((1, 2, 5, 4), "memory_dynamic_max <= memory_static_max"),
        ((0, 0, 0, 0), "0 < memory_static_max"),
    ],
)
def test_a_broken_rule_is_named(limits: tuple[int, int, int, int], rule: str) -> None:
    with pytest.raises(ApiError) as refused:
        memory.assert_valid_limits(*limits)
    assert refused.value.description == ["MEMORY_CONSTRAINT_VIOLATION", rule]


@pytest.mark.parametrize(
    ("at_startup", "maximum", "description"),
    [
        (1, 0, ["INVALID_VALUE", "VCPUs_max", "0"]),
        (0, 2, ["INVALID_VALUE", "VCPUs_at_startup", "0"]),
        (3, 2, ["INVALID_VALUE", "VCPUs_at_startup", "3"]),
    ],
)
def test_a_number_of_vcpus_that_cannot_be_is_refused(at_startup: int, maximum: int, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        memory.assert_valid_vcpus(at_startup, maximum)
    assert refused.value.description == description


def test_as_many_vcpus_as_the_maximum_are_valid() -> None:
    memory.assert_valid_vcpus(2, 2)


@pytest.mark.parametrize("cores", ["", "1", "2", "4"])
def test_cores_that_divide_the_vcpus_are_valid(cores: str) -> None:
    memory.assert_valid_topology(4, cores)


@pytest.mark.parametrize(
    ("cores", "description"),
    [
        ("3", ["VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE", "4", "3"]),
        ("0", ["INVALID_VALUE", "platform:cores-per-socket", "0"]),
        ("two", ["INVALID_VALUE", "platform:cores-per-socket", "two"]),
    ],
)
def test_cores_that_do_not_divide_the_vcpus_are_refused(cores: str, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        memory.assert_valid_topology(4, cores)
    assert refused.value.description == description
