"""Ticks of a stretch of points: found many at once they are those that are found one by one."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from sim.backtest.points import Points
from sim.backtest.stretch import Here, Stretch
from strategy.core.quiet import Band

LATENCY = Ns(SECOND // 20)
TICK = 60 * SECOND
BEGIN = 1_000 * SECOND
FAR = Ns(1 << 62)

gaps = st.sampled_from([0, 1, LATENCY - 1, LATENCY, LATENCY + 1, 18 * SECOND, TICK, TICK + 1])
steps = st.lists(st.tuples(gaps, st.integers(-3, 3)), min_size=2, max_size=30)


def points_of(steps: list[tuple[int, int]]) -> Points:
    ats = list(accumulate((gap for gap, _ in steps), initial=BEGIN))[1:]
    prices = list(accumulate((move for _, move in steps), initial=1_000))[1:]
    return Points(ats, prices, prices, [True] * len(ats), [0] * len(ats))


def one_by_one(points: Points, here: Here) -> tuple[list[int], list[float]]:
    """What a core would see that is run at each moment it asks for."""
    nows, mids, at, mid, wake = list[int](), list[float](), 0, here.mid, here.wake
    for point in points.ats:
        late = point + LATENCY
        while at < late:
            now = min(wake, late)
            seen = [bid + 0.5 for bid in points.bids[: bisect_left(points.ats, now)]]
            mid = seen[-1] if seen else mid
            beyond = any(not here.band.low < each < here.band.high + 1 for each in seen)
            if beyond or now >= here.band.until or len(seen) == len(points.ats):
                return nows, mids
            nows.append(now)
            mids.append(mid)
            wake, at = now + TICK, now
    return nows, mids


@given(
    steps,
    st.tuples(st.integers(985, 1_000), st.integers(1_000, 1_015)),
    st.integers(0, 200) | st.just(FAR // SECOND),
    st.integers(0, 2 * TICK // SECOND),
    st.booleans(),
)
def test_they_are_those_of_a_core_that_is_asked_each_time(
    steps: list[tuple[int, int]], band: tuple[int, int], until: int, wakes: int, waits: bool
) -> None:
    points = points_of(steps)
    edge = Band(band[0], band[1], Ns(BEGIN + until * SECOND))
    begun = here = Here(edge, BEGIN + wakes * SECOND + waits, 1_000.5)
    stretch, place = Stretch(points, LATENCY, TICK), 0
    nows, mids = list[int](), list[float]()
    while place < len(points.ats):
        found = stretch.ticks(place, here)
        assert len(found.nows) == len(found.mids)
        whole = list(found.ends)
        assert whole == sorted(whole)
        if not whole:
            nows, mids = [*nows, *found.nows], [*mids, *found.mids]
            break
        nows, mids = [*nows, *found.nows[: whole[-1]]], [*mids, *found.mids[: whole[-1]]]
        place += len(whole)
        here = Here(here.band, nows[-1] + TICK, mids[-1])
    assert (nows, mids) == one_by_one(points, begun)
