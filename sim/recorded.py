"""A market out of a recording: the touch from its books, the trades from its tape."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from shared import frames
from shared.units import SECOND, Ns
from sim.sources import Hit, Quote, Tick


class Recorded:
    """A source (sim/sources.py) that says what was recorded. Market time 0 is the first frame."""

    def __init__(self, ticks: Sequence[Tick]) -> None:
        """ticks: in the order of their time; the first of them a Quote."""
        assert ticks, "a recording without a book is no market"
        self._ticks = list(ticks)
        self._index = 0

    def seek(self, position: int) -> None:
        self._index = bisect_right(self._ticks, position, key=lambda tick: tick.at)

    def next_at(self) -> int | None:
        return self._ticks[self._index].at if self._index < len(self._ticks) else None

    def until(self, position: int) -> Iterator[Tick]:
        while self._index < len(self._ticks) and self._ticks[self._index].at <= position:
            self._index += 1
            yield self._ticks[self._index - 1]

    def opening(self) -> Quote:
        """The last touch at the position sought; the first one where none was before it."""
        for tick in reversed(self._ticks[: self._index]):
            if isinstance(tick, Quote):
                return tick
        return next(tick for tick in self._ticks if isinstance(tick, Quote))

    def history(self, seconds: int) -> Iterator[Hit]:
        before = self.opening().at - seconds * SECOND
        for tick in self._ticks[: self._index]:
            if isinstance(tick, Hit) and tick.at >= before:
                yield tick


def ticks_of(recorded: Iterable[tuple[Ns, frames.FeedFrame]], pair: str, begin: Ns) -> list[Tick]:
    """What a recording's frames of one pair say of the market, each trade once by its id.

    begin: house time of the market's position 0.
    """
    ticks: list[Tick] = []
    newest = -1
    touch = (0, 0)
    for received, frame in recorded:
        at = received - begin
        match frame:
            case frames.Book(pair=name, valid=True, bids=bids, asks=asks) if name == pair:
                if bids and asks and (bids[0], asks[0]) != touch:
                    touch = (bids[0], asks[0])
                    ticks.append(Quote(at, *touch))
            case frames.Trades(pair=name, trades=trades) if name == pair and ticks:
                for trade in trades:
                    if trade.trade_id > newest:
                        newest = trade.trade_id
                        ticks.append(Hit(at, trade.taker, trade.price, trade.qty, "market"))
    return ticks
