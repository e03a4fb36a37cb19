"""The market's way through a history: told price by price, or learned from where nothing follows.

Rule 1: a quiet band (strategy/core/quiet.py) says where ticks ask for nothing; there the core only
learns from them, many at once. Commands, fills and all that is remembered are the same as without.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from shared.units import SECOND
from sim.backtest.backtest import House
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Path, Point
from sim.backtest.points import NONE, Points, of_bars, of_deals
from sim.backtest.stretch import Here, Stretch
from strategy.core.quiet import Band


class Walk:
    """One house's way through its history. learned: ticks that were not run whole."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.learned = 0
        self._held = NONE
        self._tick = int(house.config.time.tick_sec * SECOND)
        bid = house.market.liquidity.bid
        self._last: Point = (house.now, bid, bid, True, 0)

    def bars(self, bars: Sequence[Bar], path: Path) -> None:
        """Walk bars, all of each on one path; what they went through is filled."""
        points = of_bars(bars, path, (self.house.interval, self.house.lead), self._last)
        self._last = points.point(-1)
        self._walk(points)

    def deals(self, deals: Sequence[Deal]) -> None:
        """Trades of others: the touch goes to each, then what the terms say is filled."""
        self._walk(of_deals(deals, self.house.lead, behind=self.house.terms.fill == "queue"))

    def _walk(self, points: Points) -> None:
        """Tell the market's prices one by one, but where a quiet band says that nothing follows."""
        house = self.house
        if not house.skips:
            for place in range(len(points.ats)):
                house.tell(points.point(place))
            return
        latency, place = house.terms.latency, 0
        points = self._held.and_then(points)
        stretch = Stretch(points, latency, self._tick)
        # How a tick sees the market depends on all that happens until it: the last ones wait.
        count = bisect_right(points.ats, points.ats[-1] - latency)
        while place < count:
            at = points.ats[place]
            arrives = house.mail_at
            if arrives is not None and arrives < at:
                house.run_until(arrives)
                continue
            band = None
            if arrives is None and not house.ends_at(at, points.bids[place]):
                band = house.band
            if band is not None:
                done = self._learn(stretch, place, band)
                if done is not None:
                    place += done
                    continue
            wake = house.core.wake_at()
            if wake < at:
                house.run_until(wake)  # a tick of a gap; behind it there may be a band again
                continue
            house.tell(points.point(place))
            place += 1
        self._held = points.since(place)

    def _learn(self, stretch: Stretch, place: int, band: Band) -> int | None:
        """Let the core learn from as many points as stay in the band; how many were.

        0 where all its ticks came before the next point, None where there were none.
        """
        house = self.house
        here = Here(band, int(house.core.wake_at()), house.market.liquidity.bid + 0.5)
        ticks = stretch.ticks(place, here)
        if not ticks.nows:
            return None
        learned, ended = house.learn(ticks.nows, ticks.mids, band)
        if ended:
            house.leave_band()
        if not learned:
            return None
        done = bisect_right(ticks.ends, learned)
        self.learned += learned
        house.passed(stretch.points.part(place, place + done), ticks.nows[learned - 1])
        return done

    def finish(self) -> None:
        """Tell what still waits, and let arrive what is on its way."""
        held, self._held = self._held, NONE
        for place in range(len(held.ats)):
            self.house.tell(held.point(place))
        self.house.finish()
