"""The times of the profiles fit one another."""

from dataclasses import replace

import pytest

from cardume.ha.profile import FAST, FAST_COARSE, LAB, PROFILES, STANDARD, Profile, faults


@pytest.mark.parametrize("profile", PROFILES.values(), ids=str)
def test_the_shipped_profiles_hold(profile: Profile) -> None:
    assert faults(profile) == ()


@pytest.mark.parametrize(
    ("profile", "hold_s", "evidence_age_s", "silence_s", "channels_s", "host_s"),
    [
        (FAST, 6.7, 1.3, 8.108, 4.05, 2.75),
        (FAST_COARSE, 6.5, 1.5, 8.108, 3.25, 1.75),
        (STANDARD, 12.5, 7.5, 20.12, 12.0, 4.5),
        (LAB, 14.0, 6.0, 20.52, 9.5, 3.5),
    ],
    ids=["fast", "fast-coarse", "standard", "lab"],
)
def test_what_follows_from_the_times(
    profile: Profile, hold_s: float, evidence_age_s: float, silence_s: float, channels_s: float, host_s: float
) -> None:
    found = (profile.hold_s, profile.evidence_age_s, profile.silence_s, profile.channels_stall_s, profile.host_stall_s)
    assert found == pytest.approx((hold_s, evidence_age_s, silence_s, channels_s, host_s))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lease_s": 7.0}, "evidence would be too old"),
        ({"feed_tick_s": 1.0}, "four times in a watchdog time"),
        ({"margin_s": 0.0}, "not above zero"),
        ({"margin_s": 0.003}, "drift"),
        ({"gap_s": 9.0, "io_timeout_s": 9.0}, "a gap must be noticed"),
        ({"gap_s": 0.9}, "count as a gap"),
        ({"io_timeout_s": 1.0}, "given up before"),
        ({"storage_grace_s": 4.0}, "fails over"),
    ],
)
def test_times_that_do_not_fit_are_named(change: dict[str, float], fault: str) -> None:
    broken = replace(FAST, **change)  # type: ignore[arg-type]
    assert any(fault in text for text in faults(broken))
