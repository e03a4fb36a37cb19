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
from sim.backtest.points import Points
from strategy.core.quiet import Band

MOST_AT_ONCE: Final = 1_024
"""Points that are learned from together."""

_CHUNK: Final = 64


class Here(NamedTuple):
    """Where a house stands. wake: when it ticks by itself; mid: that it has seen."""

    band: Band
    wake: int
    mid: float


class Ticks(NamedTuple):
    """Moments and mids of ticks; ends: how many there are up to each point."""

    nows: list[Ns]
    mids: list[float]
    ends: list[int]

    def add_all(self, nows: Sequence[int], mids: Sequence[float]) -> None:
        """One tick for each of as many points."""
        self.ends.extend(range(len(self.nows) + 1, len(self.nows) + len(nows) + 1))
        self.nows.extend(cast(Sequence[Ns], nows))
        self.mids.extend(mids)


class Stretch:
    """Points in the order of their times."""

    def __init__(self, points: Points, latency: Ns, tick: int) -> None:
        self.points = points
        self._tick = tick
        self._nows = [at + latency for at in points.ats]
        self._mids = mids = [bid + 0.5 for bid in points.bids]
        chunks = [mids[place : place + _CHUNK] for place in range(0, len(mids), _CHUNK)]
        self._ends = [(min(chunk), max(chunk)) for chunk in chunks]
        gaps = list(map(sub, self._nows[1:], self._nows))
        # Before these the clock ticks by itself; after those a point comes before their own tick.
        self._waits: list[int] = []
        self._hurries: list[int] = []
        if max(gaps, default=tick) > tick:
            self._waits = [place for place, gap in enumerate(gaps, 1) if gap > tick]
        if min(gaps, default=latency) < latency:
            self._hurries = [place for place, gap in enumerate(gaps) if gap < latency]

    def ticks(self, place: int, here: Here) -> Ticks:
        """Those of the points from `place` on, as long as they see nothing beyond the band.

        None of the last point: what comes before its tick is not known yet.
        """
        found = Ticks([], [], [])
        (band, wake, mid), last, ahead, stop = here, 0, place, place + MOST_AT_ONCE
        while place < min(stop, len(self._nows)):
            end = self._plain_until(place, stop, last, Here(band, wake, mid))
            if end > place:
                found.add_all(self._nows[place:end], self._mids[place:end])
                place = ahead = end
                last, mid = self._nows[end - 1], self._mids[end - 1]
                wake = last + self._tick
                continue
            late = self._nows[place]
            while last < late:
                last = wake if wake < late else late  # a tick by the clock alone, or of this point
                seen = bisect_left(self.points.ats, last, ahead)
                if seen == len(self._nows) or self._beyond(ahead, seen, band) < seen:
                    return found
                if last >= band.until:
                    return found
                mid = self._mids[seen - 1] if seen > ahead else mid
                ahead, wake = seen, last + self._tick
                found.nows.append(Ns(last))
                found.mids.append(mid)
            found.ends.append(len(found.nows))
            place += 1
        return found

    def _plain_until(self, place: int, stop: int, last: int, here: Here) -> int:
        """The place up to which each point brings one tick, which sees that point, inside the band.

        last: the tick before.
        """
        if not last < self._nows[place] <= here.wake:
            return place
        ends = [len(self._nows) - 1, stop]
        ends += self._waits[bisect_right(self._waits, place) :][:1]
        ends += self._hurries[bisect_left(self._hurries, place) :][:1]
        end = bisect_left(self._nows, here.band.until, place, max(place, min(ends)))
        return self._beyond(place, end, here.band)

    def _beyond(self, place: int, end: int, band: Band) -> int:
        """The first place from this one on, up to the end, where the market is beyond the band."""
        low, high = band.low, band.high + 1
        while place < end:
            chunk = place // _CHUNK
            least, most = self._ends[chunk]
            following = min((chunk + 1) * _CHUNK, end)
            if least < low or most > high:
                for at in range(place, following):
                    if not low < self._mids[at] < high:
                        return at
            place = following
        return end
