"""A stretch of points as the ticks that a core would make of them, were it to run each.

Rule 1: a tick comes once for each point, `latency` later, and by the clock alone where no point has
come for as long as the core waits. It sees what came before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import sub
from typing import Final, NamedTuple, cast

from shared.units import Ns
from sim.backtest.parts import Point
from strategy.core.quiet import Band

MOST_AT_ONCE: Final = 1_024
"""Points that are learned from together."""

_LOOKED_AT: Final = 64


class Here(NamedTuple):
    """Where a house stands. wake: when it ticks by itself; mid: that it has seen."""

    band: Band
    wake: int
    mid: float


class Ticks(NamedTuple):
    """Moments and mids of ticks; ends: how many there are up to each point."""

    nows: Sequence[Ns]
    mids: Sequence[float]
    ends: Sequence[int]


class Stretch:
    """Points in the order of their times."""

    def __init__(self, points: Sequence[Point], latency: Ns, tick: int) -> None:
        self.points = points
        self._latency, self._tick = latency, tick
        self._nows = [point[0] + latency for point in points]
        self._mids = [point[2] + 0.5 for point in points]
        gaps = list(map(sub, self._nows[1:], self._nows))
        # Before these the clock ticks by itself; after those a point comes before their own tick.
        self._waits: list[int] = []
        self._hurries: list[int] = []
        if gaps and not latency <= min(gaps) <= max(gaps) <= tick:
            self._waits = [place for place, gap in enumerate(gaps, 1) if gap > tick]
            self._hurries = [place for place, gap in enumerate(gaps) if gap < latency]

    def ticks(self, place: int, here: Here) -> Ticks:
        """Those of the points from `place` on, as long as they see nothing beyond the band.

        None of the last point: what comes before its tick is not known yet.
        """
        end = self._plain_until(place, here)
        if end == place:
            return self._each(place, here)
        nows = cast(list[Ns], self._nows[place:end])
        return Ticks(nows, self._mids[place:end], range(1, end - place + 1))

    def _plain_until(self, place: int, here: Here) -> int:
        """The place up to which each point brings one tick, which sees that point."""
        if self._nows[place] > here.wake:
            return place
        ends = [len(self.points) - 1, place + MOST_AT_ONCE]
        ends += self._waits[bisect_right(self._waits, place) :][:1]
        ends += self._hurries[bisect_left(self._hurries, place) :][:1]
        end = bisect_left(self._nows, here.band.until, place, max(place, min(ends)))
        low, high, mids = here.band.low, here.band.high + 1, self._mids
        for begin in range(place, end, _LOOKED_AT):
            part = mids[begin : min(begin + _LOOKED_AT, end)]
            if min(part) < low or max(part) > high:
                return next(at for at, mid in enumerate(part, begin) if not low < mid < high)
        return end

    def _each(self, place: int, here: Here) -> Ticks:
        """The same where points come close together, or far apart."""
        nows: list[Ns] = []
        mids: list[float] = []
        ends: list[int] = []
        band, wake, mid = here
        low, high, until = band.low, band.high + 1, band.until
        ahead, last, count = place, 0, len(self.points)
        for point in range(place, min(place + MOST_AT_ONCE, count)):
            late = self._nows[point]
            while last < late:
                now = wake if wake < late else late  # a tick by the clock alone, or of this point
                while self.points[ahead][0] < now:
                    mid = self._mids[ahead]
                    ahead += 1
                    if ahead == count or not low < mid < high:
                        return Ticks(nows, mids, ends)
                if now >= until:
                    return Ticks(nows, mids, ends)
                nows.append(Ns(now))
                mids.append(mid)
                wake, last = now + self._tick, now
            ends.append(len(nows))
        return Ticks(nows, mids, ends)
