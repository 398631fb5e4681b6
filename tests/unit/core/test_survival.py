"""Who goes on with the pool database after a verdict, and who must not."""

import pytest

from cardume.core.survival import Course, Stand, Verdict, choose_course

A, B, C = "a", "b", "c"


def hosts(text: str) -> frozenset[str]:
    return frozenset(text)


@pytest.mark.parametrize(
    ("me", "is_master", "voters", "has_vote", "leads", "living", "aside", "course"),
    [
        # Two hosts, two voters: the other is dead.
        (A, True, "ab", True, A, "a", "", Course.ALONE),
        (B, False, "ab", True, B, "b", "", Course.ALONE),
        # It was started anew, and nobody has told it since what it is: its data may be old.
        (B, False, "ab", False, B, "b", "", Course.REFUSE),
        (A, True, "ab", False, A, "a", "", Course.REFUSE),
        # Both live, the network between them is cut: not before the other has stepped aside.
        (A, True, "ab", True, A, "ab", "b", Course.ALONE),
        (B, False, "ab", True, A, "ab", "b", Course.FOLLOW),
        (A, True, "ab", True, A, "ab", "", Course.GO_ON),
        # The master changes, and nobody is lost.
        (B, False, "ab", True, B, "ab", "", Course.TAKE),
        (A, True, "ab", True, B, "ab", "", Course.FOLLOW),
        # The member was no voter yet, or not any more: the master's disk had everything, this one's need not.
        (A, True, "a", True, A, "a", "", Course.GO_ON),
        (B, False, "a", True, B, "b", "", Course.REFUSE),
        (B, False, "b", True, B, "b", "", Course.TAKE),
        # Three voters.
        (A, True, "abc", True, A, "ab", "", Course.GO_ON),
        (B, False, "abc", True, B, "bc", "", Course.TAKE),
        (B, False, "abc", False, B, "bc", "", Course.TAKE),
        (B, False, "abc", True, C, "bc", "", Course.FOLLOW),
        (B, False, "abc", True, B, "b", "", Course.REFUSE),
        (B, False, "abc", True, B, "abc", "ac", Course.REFUSE),
        # Three hosts of which one was removed when it died: two voters again.
        (B, False, "bc", True, B, "b", "", Course.ALONE),
        (A, False, "bc", True, A, "ab", "", Course.REFUSE),
        # A pool of one.
        (A, True, "", False, A, "a", "", Course.IN_FILE),
        (B, False, "", True, B, "b", "", Course.REFUSE),
    ],
)
def test_who_goes_on(
    me: str, is_master: bool, voters: str, has_vote: bool, leads: str, living: str, aside: str, course: Course
) -> None:
    here = Stand(me, is_master, hosts(voters), has_vote)
    assert choose_course(here, Verdict(5, leads, hosts(living), hosts(aside))) is course


def test_of_two_hosts_that_got_different_verdicts_one_alone_goes_on_when_the_other_is_proved_dead_or_aside() -> None:
    """Both orders of every verdict that names either host: never are both told to go on alone."""
    for aside in ("", "a", "b"):
        verdict = Verdict(7, A if aside != "a" else B, hosts("ab"), hosts(aside))
        courses = [choose_course(Stand(me, me == A, hosts("ab"), True), verdict) for me in (A, B)]
        assert courses.count(Course.ALONE) <= 1
        assert Course.ALONE not in courses or Course.FOLLOW in courses
