"""What the feed publishes of its pairs: topics, sequence numbers, and when each frame is due.

Rule 1: each topic counts its own frames, without a gap, from the first of this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from feed.mail import Publish
from feed.market import Head, Market
from shared import frames
from shared.units import SECOND, Ns

BEAT_GAP: Final = SECOND
INSTRUMENT_GAP: Final = Ns(5 * SECOND)


class Outlet:
    """boot: when this process began, which every frame says. heard_at: when the line was heard."""

    def __init__(self, symbols: Sequence[str], boot: Ns) -> None:
        self.boot = boot
        self.beat_due = boot
        self._instruments_due = boot
        self._seqs: dict[bytes, int] = {}
        self._topics = {
            (kind, symbol): frames.topic(kind, symbol)
            for kind in ("book", "trades", "vwap", "candle", "instrument")
            for symbol in symbols
        }

    def wake_at(self, markets: Iterable[Market]) -> Ns:
        return min(self.beat_due, *(market.book_due for market in markets))

    def books(self, markets: Iterable[Market], heard_at: Ns, now: Ns) -> Iterator[Publish]:
        """The books that are due."""
        for market in markets:
            if now >= market.book_due:
                topic, head, seq = self._next("book", market, heard_at)
                yield Publish(topic, market.book_frame(head, seq, now))

    def with_beat(
        self, markets: Iterable[Market], heard_at: Ns, now: Ns, wall: Ns
    ) -> Iterator[Publish]:
        """What goes out beside each beat, whose next date is set here."""
        self.beat_due = Ns(now + BEAT_GAP)
        instruments = now >= self._instruments_due
        if instruments:
            self._instruments_due = Ns(now + INSTRUMENT_GAP)
        for market in markets:
            if market.spec is None:
                continue
            yield self.vwap(market, heard_at, wall)
            if market.candle is not None:
                topic, head, seq = self._next("candle", market, heard_at)
                yield Publish(topic, market.candle_frame(market.candle, head, seq))
            if instruments:
                yield self.instrument(market, heard_at)

    def trades(self, market: Market, heard_at: Ns) -> Publish:
        topic, head, seq = self._next("trades", market, heard_at)
        return Publish(topic, market.trades_frame(head, seq))

    def vwap(self, market: Market, heard_at: Ns, wall: Ns) -> Publish:
        """wall: the exchange's clock now."""
        topic, head, seq = self._next("vwap", market, heard_at)
        return Publish(topic, market.vwap_frame(head, seq, wall))

    def instrument(self, market: Market, heard_at: Ns) -> Publish:
        topic, head, seq = self._next("instrument", market, heard_at)
        return Publish(topic, market.instrument_frame(head, seq))

    def next_seq(self, topic: bytes) -> int:
        """The number of the frame that is sent on this topic now."""
        seq = self._seqs[topic] = self._seqs.get(topic, 0) + 1
        return seq

    def _next(self, kind: str, market: Market, heard_at: Ns) -> tuple[bytes, Head, int]:
        topic = self._topics[kind, market.symbol]
        return topic, Head(self.boot, heard_at), self.next_seq(topic)
