"""The market's way through a history: told price by price, or learned from where nothing follows.

Rule 1: a quiet band (strategy/core/quiet.py) says where ticks ask for nothing; there the core only
learns from them, many at once. Commands, fills and all that is remembered are the same as without.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from shared.units import SECOND, Ns
from sim.backtest.backtest import House
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Path, Point
from sim.backtest.stretch import Here, Stretch
from strategy.core.quiet import Band

OFFSETS: Final = (5, 35, 65, 95)
"""Per cent of a bar's time at which its open, its two extremes and its close are told."""


class Walk:
    """One house's way through its history. learned: ticks that were not run whole."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.learned = 0
        self._held: list[Point] = []
        self._tick = int(house.config.time.tick_sec * SECOND)
        self._rising, self._last = True, house.market.liquidity.bid

    def bars(self, bars: Sequence[Bar], path: Path) -> None:
        """Walk bars, all of each on one path; what they went through is filled."""
        points: list[Point] = []
        offsets = [self.house.interval * part // 100 - self.house.lead for part in OFFSETS]
        at_open, at_first, at_second, at_close = offsets
        rising, last = self._rising, self._last
        for wall, opened, high, low, close, _ in bars:
            first, second = (low, high) if path == "low_first" else (high, low)
            for at, price in (
                (wall + at_open, opened), (wall + at_first, first),
                (wall + at_second, second), (wall + at_close, close),
            ):  # fmt: skip
                if price != last:
                    rising, last = price > last, price
                points.append((at, price, price if rising else price - 1, rising, 0))
        self._rising, self._last = rising, last
        self._walk(points)

    def deals(self, deals: Sequence[Deal]) -> None:
        """Trades of others: the touch goes to each, then what the terms say is filled."""
        behind = self.house.terms.fill == "queue"  # the touch stays where the taker found it
        lead = self.house.lead
        self._walk(
            [
                (wall - lead, price, max(1, price - 1 if bought == behind else price), bought, qty)
                for wall, price, qty, bought in deals
            ]
        )

    def _walk(self, points: list[Point]) -> None:
        """Tell the market's prices one by one, but where a quiet band says that nothing follows."""
        house = self.house
        if not house.skips:
            for point in points:
                house.tell(point)
            return
        latency, place = house.terms.latency, 0
        points = [*self._held, *points]
        stretch = Stretch(points, latency, self._tick)
        # How a tick sees the market depends on all that happens until it: the last ones wait.
        count = bisect_right(points, points[-1][0] - latency, key=itemgetter(0))
        while place < count:
            if house.waits:
                house.run_until(Ns(points[place][0]))
            if house.band is not None and not house.waits:
                done = self._learn(stretch, place, house.band)
                place += done
                if done:
                    continue
            house.tell(points[place])
            place += 1
        self._held = points[place:]

    def _learn(self, stretch: Stretch, place: int, band: Band) -> int:
        """Let the core learn from as many points as stay in the band; how many were."""
        house = self.house
        here = Here(band, int(house.core.wake_at()), house.market.liquidity.bid + 0.5)
        ticks = stretch.ticks(place, here)
        if not ticks.nows:
            return 0
        learned, ended = house.learn(ticks.nows, ticks.mids, band)
        if ended:
            house.band = None
        if not learned:
            return 0
        done = bisect_right(ticks.ends, learned)
        self.learned += learned
        house.passed(stretch.points[place : place + done], ticks.nows[learned - 1])
        return done

    def finish(self) -> None:
        """Tell what still waits, and let arrive what is on its way."""
        held, self._held = self._held, []
        for point in held:
            self.house.tell(point)
        self.house.finish()
