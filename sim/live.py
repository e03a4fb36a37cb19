"""A market that happens elsewhere now: the feed's frames as a source of the simulated exchange.

Rule 1: it errs against us. What the feed did not show fills nothing, a trade at our price fills
only beyond what stood there when it was seen, and what was traded before we came is not ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from shared import frames
from sim.engine.livebook import LiveBook, levels_of
from sim.sources import Hit, Quote, Tick

FAR: Final = 1 << 62


class Live:
    """A source (sim/sources.py) that is told the feed's frames of one pair as they come."""

    def __init__(self, first: frames.Book) -> None:
        """first: a valid book; with it the market opens."""
        self.pair = first.pair
        bids = levels_of(first.bids, first.bid_qtys)
        self.book = LiveBook(bids, levels_of(first.asks, first.ask_qtys))
        self._waiting: deque[tuple[int, frames.Book | frames.Trade]] = deque()
        self._last: frames.Trade | None = None
        self._begun = False  # a first frame of trades tells what was before us

    def hear(self, at: int, frame: frames.FeedFrame) -> None:
        """A frame of the feed, at this market time; what says nothing of this market is dropped."""
        match frame:
            case frames.Book(pair=pair, valid=True) if pair == self.pair and frame.bids:
                if frame.asks and frame.bids[0] < frame.asks[0]:
                    self._waiting.append((at, frame))
            case frames.Trades(pair=pair, trades=trades) if pair == self.pair:
                fresh = [trade for trade in trades if self._is_new(trade)]
                if self._begun:
                    self._waiting.extend((at, trade) for trade in fresh)
                self._last = trades[-1] if trades else self._last
                self._begun = True

    def seek(self, position: int) -> None:
        """A market that happens now has no other time."""

    def next_at(self) -> int:
        return self._waiting[0][0] if self._waiting else FAR

    def until(self, position: int) -> Iterator[Tick]:
        while self._waiting and self._waiting[0][0] <= position:
            at, found = self._waiting.popleft()
            if isinstance(found, frames.Book):
                bids = levels_of(found.bids, found.bid_qtys)
                asks = levels_of(found.asks, found.ask_qtys)
                self.book.show(bids, asks, found.exchange_wall)
                yield Quote(at, self.book.bid, self.book.ask)
            else:
                self.book.judge(found.price, found.qty, found.wall)
                yield Hit(at, found.taker, found.price, found.qty, "market")
                self.book.judged()

    def opening(self) -> Quote:
        return Quote(0, self.book.bid, self.book.ask)

    def history(self, seconds: int) -> Iterator[Hit]:
        return iter(())

    def _is_new(self, trade: frames.Trade) -> bool:
        """By its id; ids that begin anew under a later date are another tape."""
        last = self._last
        return last is None or trade.trade_id > last.trade_id or trade.wall > last.wall
