"""Line charts as inline SVG: no script, no font, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from msgspec import Struct

WIDTH: Final = 960
LEFT: Final = 70
RIGHT: Final = 10
TOP: Final = 14
BOTTOM: Final = 22
GRID_LINES: Final = 5
TIME_MARKS: Final = 6

XY = tuple[float, float]


class Line(Struct, frozen=True):
    """A curve of (seconds since 1970, value). css: its class; filled: down to the lowest value."""

    name: str
    css: str
    points: Sequence[XY]
    filled: bool = False


class Mark(Struct, frozen=True):
    """A point on the chart with a word that is shown when the mouse rests on it."""

    at: float
    value: float
    css: str
    word: str


class Stripe(Struct, frozen=True):
    """A stretch of time, coloured over the whole height."""

    begin: float
    end: float
    css: str
    word: str


def chart(
    title: str,
    lines: Sequence[Line],
    height: int,
    marks: Sequence[Mark] = (),
    stripes: Sequence[Stripe] = (),
) -> str:
    """One chart; "" where there is nothing to draw."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    values = [y for _, y in points] + [mark.value for mark in marks]
    scale = _round_values(min(values), max(values))
    y0, y1 = min(scale[0], min(values)), max(scale[-1], max(values))
    across = (WIDTH - LEFT - RIGHT) / ((x1 - x0) or 1.0)
    down = (height - TOP - BOTTOM) / ((y1 - y0) or 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        return round(LEFT + (x - x0) * across, 1), round(height - BOTTOM - (y - y0) * down, 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    for stripe in stripes:
        left, right = place(max(stripe.begin, x0), y0)[0], place(min(stripe.end, x1), y0)[0]
        if right >= left:
            parts.append(
                f'<rect class="{stripe.css}" x="{left}" y="{TOP}" '
                f'width="{max(0.6, right - left):.1f}" height="{height - TOP - BOTTOM}">'
                f"<title>{escape(stripe.word)}</title></rect>"
            )
    parts += _axes((x0, x1), scale, height, place)
    for line in lines:
        path = " ".join("{},{}".format(*place(x, y)) for x, y in line.points)
        if line.filled:
            base = f"{place(x1, y0)[0]},{height - BOTTOM} {LEFT},{height - BOTTOM}"
            parts.append(f'<polygon class="{line.css} area" points="{path} {base}"/>')
        parts.append(f'<polyline class="{line.css}" points="{path}"/>')
    for mark in marks:
        x, y = place(mark.at, mark.value)
        parts.append(
            f'<circle class="{mark.css}" cx="{x}" cy="{y}" r="2">'
            f"<title>{escape(mark.word)}</title></circle>"
        )
    names = "".join(
        f'<span class="{line.css} key">{escape(line.name)}</span>' for line in lines if line.name
    )
    return f"<h2>{escape(title)} {names}</h2>{''.join(parts)}</svg>"


def _round_values(least: float, most: float) -> list[float]:
    """Round figures from at or below the least to at or above the most, a few of them."""
    rough = ((most - least) or abs(most) or 1.0) / GRID_LINES
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= rough)
    first = math.floor(least / step)
    return [n * step for n in range(first, math.ceil(most / step) + 1)]


def _axes(xs: XY, scale: Sequence[float], height: int, place: object) -> list[str]:
    assert callable(place)
    parts = []
    for value in scale:
        y = place(xs[0], value)[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" class="left">{_short(value, scale)}</text>')
    for n in range(TIME_MARKS):
        at = xs[0] + (xs[1] - xs[0]) * n / (TIME_MARKS - 1)
        x = place(at, scale[0])[0]
        anchor = "start" if n == 0 else "end" if n == TIME_MARKS - 1 else "middle"
        word = _day(at, xs[1] - xs[0])
        parts.append(f'<text x="{x}" y="{height - 6}" text-anchor="{anchor}">{word}</text>')
    return parts


def _short(value: float, scale: Sequence[float]) -> str:
    """With as many digits as the distance between two lines needs."""
    step = abs(scale[1] - scale[0]) if len(scale) > 1 else abs(value) or 1.0
    digits = next(n for n in range(9) if n == 8 or round(step, n) == round(step, 9))
    return f"{value + 0.0:,.{digits}f}"


def _day(at: float, span: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%d" if span > 3 * 86_400 else "%m-%d %H:%M")
