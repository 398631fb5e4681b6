"""Pings as a graph: a small SVG, made by hand so that a report needs nothing else."""

import math
from collections.abc import Callable
from html import escape

from cardume.lab.walkthrough.findings import Watched, gaps_of
from cardume.lab.walkthrough.texts import Words

WIDTH, HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 12, 44, 34
_Scale = Callable[[float], float]
_SHADED_S = 0.15
_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_STYLE = (
    "text{font:11px sans-serif;fill:#334}.axis{stroke:#99a}.line{fill:none;stroke:#17a;stroke-width:1.2}"
    ".gap{fill:#d33;opacity:.22}.mark{stroke:#555;stroke-dasharray:3 3}"
)


def ping_graph(watched: Watched, words: Words) -> str:
    """Round trips over time, the times without an answer shaded, moments marked; empty when nothing was answered."""
    answers = watched.dense
    if len(answers.times_s) < 2:
        return ""
    begin = answers.times_s[0]
    span = max(answers.times_s[-1] - begin, 1.0)
    most = nice(max(answers.round_trips_ms))

    def x(at_s: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max((at_s - begin) / span, 0.0), 1.0)

    def y(ms: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(ms / most, 1.0)

    gaps = gaps_of(answers, _SHADED_S)
    parts = [
        f'<rect class="gap" x="{x(one):.1f}" y="{_TOP}" width="{max(x(two) - x(one), 1):.1f}" '
        f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{words.number(two - one)} s</title></rect>'
        for one, two in gaps
    ]
    parts += _line(watched, gaps, x, y)
    parts += _axes(span, most, words)
    for number, mark in enumerate(sorted(watched.marks, key=lambda each: each.at_s)):
        at, row = x(mark.at_s), _TOP - 30 + 13 * (number % 3)
        anchor = "end" if at > WIDTH - 160 else "start"
        label = f"{words(mark.key)} {words.number(mark.at_s - begin)} s"
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{row + 3}" y2="{HEIGHT - _BOTTOM}"/>')
        beside = at + (-3 if anchor == "end" else 3)
        parts.append(f'<text x="{beside:.1f}" y="{row}" text-anchor="{anchor}">{escape(label)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(words('report.graph'))}</title><style>{_STYLE}</style>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _line(watched: Watched, gaps: tuple[tuple[float, float], ...], x: _Scale, y: _Scale) -> list[str]:
    """The round trips, broken where nothing was answered."""
    ends = {one for one, _ in gaps}
    lines, points = [], []
    for at_s, ms in zip(watched.dense.times_s, watched.dense.round_trips_ms, strict=True):
        points.append(f"{x(at_s):.1f},{y(ms):.1f}")
        if at_s in ends:
            lines.append(points)
            points = []
    return [f'<polyline class="line" points="{" ".join(each)}"/>' for each in (*lines, points) if each]


def _axes(span: float, most: float, words: Words) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    parts = [
        f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>',
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{bottom}"/>',
        f'<text x="{_LEFT - 5}" y="{_TOP + 4}" text-anchor="end">{most:g} {escape(words("graph.ms"))}</text>',
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(words("graph.seconds"))}</text>',
    ]
    tick = next((each for each in _TICKS if span / each <= 12), _TICKS[-1])
    for number in range(int(span // tick) + 1):
        at = _LEFT + (WIDTH - _LEFT - _RIGHT) * number * tick / span
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{number * tick}</text>')
    return parts


def nice(most: float) -> float:
    """The least of 1, 2, 5, 10 … that is not below."""
    power = 10.0 ** math.floor(math.log10(max(most, 0.1)))
    return next((factor * power for factor in (1, 2, 5, 10) if factor * power >= most), 10 * power)
