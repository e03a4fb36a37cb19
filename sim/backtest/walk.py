"""The market's way through a history: told price by price, or learned from where nothing follows.

Rule 1: a quiet band (strategy/core/quiet.py) says where ticks ask for nothing; there the core only
learns from them, many at once. Commands, fills and all that is remembered are the same as without.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, cast

from shared.units import SECOND, Ns
from sim.backtest.backtest import House
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Path, Point
from strategy.core.quiet import Band

OFFSETS: Final = (5, 35, 65, 95)
"""Per cent of a bar's time at which its open, its two extremes and its close are told."""

MOST_AT_ONCE: Final = 1_024
"""Ticks that are learned from together."""


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
        if not self.house.skips:
            for point in points:
                self.house.tell(point)
            return
        points, place = [*self._held, *points], 0
        # How a tick sees the market depends on all that happens until it: the last ones wait.
        count = bisect_right(points, points[-1][0] - self.house.terms.latency, key=itemgetter(0))
        while place < count:
            if self.house.waits:
                self.house.run_until(Ns(points[place][0]))
            if self.house.band is not None and not self.house.waits:
                done = self._learn(points, place, self.house.band)
                place += done
                if done:
                    continue
            self.house.tell(points[place])
            place += 1
        self._held = points[place:]

    def _learn(self, points: Sequence[Point], place: int, band: Band) -> int:
        """Let the core learn from as many of these as stay in the band; how many were."""
        nows, mids, ends = self._ticks(points, place, band)
        house, tried = self.house, ends
        while tried:
            learned = house.learn(cast(list[Ns], nows[: tried[-1]]), mids[: tried[-1]])
            if learned:
                break
            # Some edge lies within their range: fewer of them may stay on this side of it.
            tried = tried[: len(tried) // 8]
        else:
            return 0
        if learned < ends[-1]:
            self.house.band = None  # the next one changes something
        done = bisect_right(ends, learned)
        self.learned += learned
        house.passed(points[place : place + done], Ns(nows[learned - 1]))
        return done

    def _ticks(
        self, points: Sequence[Point], place: int, band: Band
    ) -> tuple[list[int], list[float], list[int]]:
        """The ticks of the points from `place` on that lie in the band: moments, mids, and how many
        there are up to each point. A tick sees what came before it, whether told of or not."""
        latency, tick = self.house.terms.latency, self._tick
        nows: list[int] = []
        mids: list[float] = []
        ends: list[int] = []
        wake, mid = int(self.house.core.wake_at()), self.house.market.liquidity.bid + 0.5
        ahead, last, count = place, 0, len(points)
        low, high, until = band.low, band.high, band.until
        for point in range(place, min(place + MOST_AT_ONCE, count)):
            late = points[point][0] + latency
            while last < late:
                now = wake if wake < late else late  # a tick by the clock alone, or of this point
                while points[ahead][0] < now:
                    bid = points[ahead][2]
                    ahead += 1
                    if ahead == count or not low <= bid <= high:
                        return nows, mids, ends
                    mid = bid + 0.5
                if now >= until:
                    return nows, mids, ends
                nows.append(now)
                mids.append(mid)
                wake, last = now + tick, now
            ends.append(len(nows))
        return nows, mids, ends

    def finish(self) -> None:
        """Tell what still waits, and let arrive what is on its way."""
        held, self._held = self._held, []
        for point in held:
            self.house.tell(point)
        self.house.finish()
