"""Numbers over time: the line through them, and by how much it rises."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trend:
    """The straight line that is nearest to some numbers (least squares)."""

    first: float
    """What the line says at the first moment."""
    an_hour: float
    """By how much the line rises in an hour."""
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.first:.1f} {self.an_hour:+.2f} an hour (of {self.least:.1f} to {self.most:.1f})"


def trend_of(moments_s: Sequence[float], values: Sequence[float]) -> Trend:
    """The trend of at least two numbers at different moments."""
    mean_s, mean = sum(moments_s) / len(moments_s), sum(values) / len(values)
    spread = sum((at - mean_s) ** 2 for at in moments_s)
    slope = sum((at - mean_s) * (value - mean) for at, value in zip(moments_s, values, strict=True)) / spread
    return Trend(mean + slope * (moments_s[0] - mean_s), slope * 3600, min(values), max(values))
