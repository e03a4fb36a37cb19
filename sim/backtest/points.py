"""The points that a market goes through, by columns: of bars on one path, and of deals."""

from __future__ import annotations

from collections.abc import Sequence
from operator import not_, sub
from typing import Final, NamedTuple

from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Path, Point

OFFSETS: Final = (5, 35, 65, 95)
"""Per cent of a bar's time at which its open, its two extremes and its close are told."""


class Points(NamedTuple):
    """House times, prices (Ticks), the best bid after each, whether its taker bought, quantities
    (0 = a bar's), in the order of their times."""

    ats: list[int]
    prices: list[int]
    bids: list[int]
    bought: list[bool]
    qtys: list[int]

    def point(self, place: int) -> Point:
        return (
            self.ats[place], self.prices[place], self.bids[place], self.bought[place],
            self.qtys[place],
        )  # fmt: skip

    def since(self, place: int) -> Points:
        """Those from this place on."""
        return self.part(place, len(self.ats))

    def part(self, begin: int, end: int) -> Points:
        return Points(
            self.ats[begin:end], self.prices[begin:end], self.bids[begin:end],
            self.bought[begin:end], self.qtys[begin:end],
        )  # fmt: skip

    def and_then(self, later: Points) -> Points:
        return Points(
            self.ats + later.ats, self.prices + later.prices, self.bids + later.bids,
            self.bought + later.bought, self.qtys + later.qtys,
        )  # fmt: skip


NONE: Final = Points([], [], [], [], [])


def of_bars(bars: Sequence[Bar], path: Path, times: tuple[int, int], before: Point) -> Points:
    """Four of each bar. times: a bar's length, and what a wall is ahead of house time.

    before: the last one. Who takes has bought where the price has risen, or last had.
    """
    interval, lead = times
    walls, opens, highs, lows, closes, _ = zip(*bars, strict=True)
    firsts, seconds = (lows, highs) if path == "low_first" else (highs, lows)
    prices = _woven((opens, firsts, seconds, closes))
    offsets = [interval * part // 100 - lead for part in OFFSETS]
    ats = _woven([[wall + offset for wall in walls] for offset in offsets])
    _, last, _, rising, _ = before
    bought = list[bool]()
    for price in prices:
        if price != last:
            rising, last = price > last, price
        bought.append(rising)
    bids = list(map(sub, prices, map(not_, bought)))  # a Tick below where the taker sold
    return Points(ats, prices, bids, bought, [0] * len(ats))


def of_deals(deals: Sequence[Deal], lead: int, *, behind: bool) -> Points:
    """One of each deal. behind: the touch stays where the taker found it."""
    return Points(
        [wall - lead for wall, _, _, _ in deals],
        [price for _, price, _, _ in deals],
        [max(1, price - 1 if bought == behind else price) for _, price, _, bought in deals],
        [bought for _, _, _, bought in deals],
        [qty for _, _, qty, _ in deals],
    )


def _woven(parts: Sequence[Sequence[int]]) -> list[int]:
    """The first of each, the second of each, and so on."""
    found = [0] * (len(parts) * len(parts[0]))
    for place, part in enumerate(parts):
        found[place :: len(parts)] = part
    return found
