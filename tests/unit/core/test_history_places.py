"""Where the histories of VMs belong."""

from cardume.core.history_places import Move, plan_moves


def test_a_history_that_is_at_home_stays() -> None:
    assert plan_moves({"a": frozenset({"1"})}, {"1": "a"}) == []


def test_a_history_follows_its_vm() -> None:
    assert plan_moves({"a": frozenset({"1", "2"}), "b": frozenset()}, {"1": "b", "2": "a"}) == [Move("1", "a", "b")]


def test_a_history_in_two_places_becomes_one() -> None:
    kept = {"a": frozenset({"1"}), "b": frozenset({"1"})}
    assert plan_moves(kept, {"1": "b"}) == [Move("1", "a", "b")]


def test_the_history_of_a_vm_that_is_no_more_goes() -> None:
    assert plan_moves({"a": frozenset({"1"})}, {}) == [Move("1", "a", None)]
