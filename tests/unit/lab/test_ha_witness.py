"""The witness of the lab's tests sees what must not be: a witness that sees nothing would make them all pass."""

import pytest
from tests.lab.ha_witness import Process, Watched

GUEST = "a-guest"


def watched() -> Watched:
    return Watched(GUEST, "10.0.0.9")


def test_a_guest_that_runs_on_two_hosts_is_seen() -> None:
    guest = watched()
    assert guest.take_processes({7: Process("d1", 1.0)}, 2.0) == []
    assert "runs twice" in guest.take_processes({7: Process("d1", 1.0), 8: Process("d2", 2.5)}, 3.0)[0]


def test_a_guest_that_moves_is_in_two_places_and_one_that_was_started_beside_it_runs_twice() -> None:
    source, target = Process("d1", 1.0), Process("d2", 2.0, arrives=True)
    assert watched().take_processes({7: source, 8: target}, 3.0) == []
    again = Process("d3", 4.0)
    assert watched().take_processes({8: target, 9: again}, 5.0) != []
    assert watched().take_processes({7: source, 8: target, 9: again}, 5.0) != []


def test_a_guest_that_was_started_again_elsewhere_has_two_runs_and_runs_once() -> None:
    guest = watched()
    steps: list[tuple[dict[int, Process], float]]
    steps = [({7: Process("d1", 1.0)}, 2.0), ({}, 3.0), ({8: Process("d2", 9.0)}, 9.5)]
    for here, at_s in steps:
        assert guest.take_processes(here, at_s) == []
    assert [(run.host, run.seen_s, run.gone_s) for run in guest.runs] == [("d1", 2.0, 3.0), ("d2", 9.5, None)]
    assert guest.longest_away_s == 7.0


def test_a_guest_that_moved_while_it_ran_was_never_away() -> None:
    guest = watched()
    assert guest.longest_away_s == 0.0
    guest.take_processes({7: Process("d1", 1.0)}, 2.0)
    guest.take_processes({7: Process("d1", 1.0), 8: Process("d2", 2.5, arrives=True)}, 3.0)
    assert guest.longest_away_s == 0.0


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ([12, 11], ""),
        ([12, 13], ""),
        ([14], ""),
        ([12, 15], "two have written"),
        ([12, 12], "two have written"),
        ([10, 9], "went back from 11 to 10"),
        ([], "has lost its record"),
    ],
)
def test_a_disk_that_two_write_to_or_that_goes_back_is_seen(counts: list[int], complaint: str) -> None:
    guest = watched()
    assert guest.take_counts([10, 11], 1.0) == []
    told = guest.take_counts(counts, 2.0)
    assert complaint in "".join(told)
    assert bool(told) == bool(complaint)


def test_an_address_at_which_two_guests_answer_is_seen() -> None:
    guest = watched()
    for boot in ("first", "first", "second"):
        assert guest.take_page({"boot_id": boot, "errors": 0}, 1.0) == []
    assert "two guests answer" in guest.take_page({"boot_id": "first", "errors": 0}, 2.0)[0]


def test_a_guest_is_up_when_it_runs_once_and_was_heard_of_just_now() -> None:
    guest = watched()
    assert "runs 0 times" in str(guest.lacks(1.0))
    guest.take_processes({7: Process("d1", 1.0)}, 2.0)
    assert "does not write" in str(guest.lacks(2.0))
    guest.take_counts([1, 2], 2.0)
    assert "does not answer" in str(guest.lacks(3.0))
    guest.take_page({"boot_id": "first", "errors": 0}, 2.0)
    assert guest.lacks(3.0) is None
    assert guest.lacks(60.0) is not None


def test_a_guest_that_was_started_again_is_up_when_it_was_heard_of_since() -> None:
    guest = watched()
    guest.take_processes({7: Process("d1", 1.0)}, 2.0)
    guest.take_counts([1, 2], 10.0)
    guest.take_page({"boot_id": "first", "errors": 0}, 10.0)
    guest.take_processes({8: Process("d2", 11.0)}, 12.0)
    assert "does not write" in str(guest.lacks(13.0))
    guest.take_counts([3, 2], 14.0)
    assert "does not answer" in str(guest.lacks(14.0))
    guest.take_page({"boot_id": "second", "errors": 0}, 15.0)
    assert guest.lacks(15.0) is None
