"""The line through numbers over time, by which the soak test judges."""

import pytest
from tests.console.trend import trend_of


def test_the_rise_of_a_line_is_told_by_the_hour() -> None:
    trend = trend_of([0, 10, 20, 30], [100, 101, 102, 103])
    assert (trend.first, trend.an_hour) == pytest.approx((100, 360))
    assert (trend.least, trend.most) == (100, 103)
    assert str(trend) == "100.0 +360.00 an hour (of 100.0 to 103.0)"


def test_what_goes_up_and_down_does_not_rise() -> None:
    assert trend_of([0, 10, 20, 30, 40], [5, 9, 5, 9, 5]).an_hour == pytest.approx(0)
    assert trend_of([0, 10, 20, 30], [7, 7, 7, 7]).an_hour == 0
