"""Charts as SVG: price with grid, anchor and fills; equity with drawdown.

Drawn here and not by a script of the browser: the policy of the page allows no foreign code, a
chart of 720 points is 10 kB, it is pushed like the rest of the page, and a screen reader gets its
description. Numbers are for the eye: floats, rounded to a tenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from monitor.markup import decimal, t
from monitor.view import Sample, View
from monitor.words import Say
from shared.frames import FillView, PairView, SlotView
from shared.units import SECOND

WIDTH, HEIGHT, RIGHT, BOTTOM = 720.0, 340.0, 118.0, 28.0
APART = 15.0
"""Between two prices beside the chart, at least; where they stand closer one is left out."""
FILLS_DRAWN = 40
EQUITY_HEIGHT = 240.0


class Frame(Struct, frozen=True):
    """Maps time and value to pixels."""

    begin: float
    end: float
    low: float
    high: float
    height: float = HEIGHT

    def x(self, wall: float) -> float:
        return round((wall - self.begin) / (self.end - self.begin) * (WIDTH - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round((1 - share) * (self.height - BOTTOM - 8) + 4, 1)


def price_chart(view: View, pair: PairView, slots: Sequence[SlotView], say: Say) -> str:
    """The price of a pair over time, its resting orders, anchor and fills; HTML."""
    samples = [s for s in view.samples if s.pair == pair.pair and s.mid > 0]
    if len(samples) < 2:
        return f'<p class="dim">{t(say("The chart begins when two samples are known."))}</p>'
    orders = [(s.side, float(decimal(s.price))) for s in slots if decimal(s.price) > 0]
    anchor = float(decimal(pair.anchor))
    values = [s.mid for s in samples] + [price for _, price in orders] + [anchor] * (anchor > 0)
    frame = _frame(samples, values, HEIGHT)
    fills = [f for f in view.fills if f.pair == pair.pair][:FILLS_DRAWN]
    parts = [_level(frame, price, side, say) for side, price in orders]
    if anchor > 0:
        parts.append(_level(frame, anchor, "anchor", say))
    parts.append(_line(frame, [(s.wall, s.mid) for s in samples], "price"))
    parts += [_fill(frame, fill, say) for fill in fills]
    parts.append(_beside(frame, samples[-1].mid, [price for _, price in orders]))
    told = (
        f"{pair.pair}: {say('price')} {_short(samples[-1].mid)}, {say('from')} "
        f"{_short(min(s.mid for s in samples))} {say('to')} "
        f"{_short(max(s.mid for s in samples))}; "
        f"{len(orders)} {say('own orders')}"
    )
    return _svg(frame, "".join(parts), told) + _legend(say)


def equity_chart(view: View, say: Say) -> str:
    """Equity as a line, drawdown as the area that hangs below it; HTML."""
    samples = [s for s in view.samples if s.equity > 0]
    first = samples[0].pair if samples else ""
    samples = [s for s in samples if s.pair == first]
    if len(samples) < 2:
        return f'<p class="dim">{t(say("The chart begins when two samples are known."))}</p>'
    peaks = [s.equity / (1 - min(s.drawdown, 0.99)) for s in samples]
    frame = _frame(samples, [s.equity for s in samples] + peaks, EQUITY_HEIGHT)
    line = [(s.wall, s.equity) for s in samples]
    roof = [(s.wall, peak) for s, peak in zip(samples, peaks, strict=True)]
    area = " ".join(f"{frame.x(w)},{frame.y(v)}" for w, v in [*roof, *reversed(line)])
    last = samples[-1]
    told = f"{say('equity')} {last.equity:,.2f}, {say('drawdown')} {last.drawdown * 100:.2f} %"
    inside = f'<polygon class="fall" points="{area}"/>{_line(frame, line, "equity")}'
    roof_text = f"{say('peak')} {_short(peaks[-1])}"
    y = frame.y(peaks[-1])
    roof_mark = f'<text class="tick" x="{WIDTH - RIGHT + 6}" y="{y + 4}">{t(roof_text)}</text>'
    if abs(y - frame.y(last.equity)) < APART:
        roof_mark = ""
    return _svg(frame, inside + roof_mark + _beside(frame, last.equity, []), told)


def _frame(samples: Sequence[Sample], values: Sequence[float], height: float) -> Frame:
    low, high = min(values), max(values)
    room = (high - low) * 0.04 or max(abs(high) * 0.001, 0.01)
    begin, end = samples[0].wall, samples[-1].wall
    return Frame(begin, max(end, begin + SECOND), low - room, high + room, height)


def _line(frame: Frame, points: Sequence[tuple[int, float]], css: str) -> str:
    path = " ".join(f"{frame.x(wall)},{frame.y(value)}" for wall, value in points)
    return f'<polyline class="{css}" points="{path}"/>'


def _level(frame: Frame, price: float, kind: str, say: Say) -> str:
    y = frame.y(price)
    return (
        f'<g class="{t(kind)}"><title>{t(say(kind))} {_short(price)}</title>'
        f'<line x1="0" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/></g>'
    )


def _fill(frame: Frame, fill: FillView, say: Say) -> str:
    """A triangle: up for a buy, down for a sell."""
    wall, price = _wall_of(fill.time), float(decimal(fill.price))
    if wall is None or not frame.begin <= wall <= frame.end:
        return ""
    if not frame.low <= price <= frame.high:
        return ""
    x, y = frame.x(wall), frame.y(price)
    tip = -7 if fill.side == "buy" else 7
    shape = f"M{x} {round(y + tip, 1)}l5 {-2 * tip}h-10z"
    told = f"{say('fill')}: {say(fill.side)} {fill.qty} @ {fill.price}, {fill.time[:19]}"
    return f'<path class="mark {t(fill.side)}" d="{shape}"><title>{t(told)}</title></path>'


def _beside(frame: Frame, value: float, others: Sequence[float]) -> str:
    """The present value, and those of the lines that stand clear of it and of each other."""
    x, taken = WIDTH - RIGHT + 6, [frame.y(value)]
    shown = [f'<text class="now" x="{x}" y="{taken[0] + 4}">{_short(value)}</text>']
    for other in others:
        y = frame.y(other)
        if all(abs(y - place) >= APART for place in taken):
            taken.append(y)
            shown.append(f'<text class="tick" x="{x}" y="{y + 4}">{_short(other)}</text>')
    return "".join(shown)


def _short(value: float) -> str:
    """Five digits at least, thousands apart."""
    whole = len(f"{abs(value):.0f}")
    return f"{value:,.{max(0, min(8, 5 - whole))}f}"


def _svg(frame: Frame, inside: str, told: str) -> str:
    base = frame.height - 6
    begin, end = _clock(frame.begin), _clock(frame.end)
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {frame.height:.0f}" role="img" aria-label="{t(told)}">'
        f'{inside}<text x="0" y="{base}">{begin}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{base}" text-anchor="end">{end} UTC</text></svg>'
    )


def _legend(say: Say) -> str:
    rows = "".join(f'<li class="{kind}">{t(say(kind))}</li>' for kind in ("buy", "sell", "anchor"))
    return f'<ul class="legend">{rows}<li class="mark">▲▼ {t(say("Fills"))}</li></ul>'


def _clock(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall / SECOND, UTC):%H:%M:%S}"


def _wall_of(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(found.timestamp() * SECOND) if found.tzinfo else None
