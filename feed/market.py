"""One pair as the exchange tells it: book, trades, VWAP, candle, ticker, and the frames they make.

Rule 1: a book is shown only while it is in sync, its two sides exist and do not overlap. Otherwise
the frame says why it is empty.
Rule 2: after a fault the book hears nothing but the next snapshot; updates until then are counted.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from feed.book import APPLIED, Book, Crossed, Imprecise, Mismatch, OneSided, Result, Unusable
from feed.vwap import RollingVwap
from shared import frames
from shared.kraken.public import (
    BookRow,
    CandleRow,
    TickerRow,
    TradeRow,
    trade_of,
    units,
    wall_ns,
)
from shared.settings_house import Feed
from shared.units import MILLISECOND, MINUTE, SECOND, Ns, Pair

DEPTHS: Final = (10, 25, 100, 500, 1000)

SHOWN_LEVELS: Final = 25
"""Levels a side in a frame at most: nobody downstream looks deeper."""

MISMATCH: Final = "checksum mismatch"

OVERLAP: Final = 10
"""Trades of the past that a frame repeats: whoever missed one frame misses no trade."""

FUTURE: Final = MINUTE
"""A trade dated further ahead of the exchange's own clock than this is not believed."""


class Settings(Struct, frozen=True):
    """What the feed's part of the configuration says, in ns.

    most_desyncs: wrong checksums of one pair in ten minutes that do not yet end the line.
    """

    depth: int
    vwap_windows_s: tuple[int, ...]
    candle_interval_min: int
    publish_gap: Ns
    line_silence: Ns
    book_silence: Ns
    answer: Ns
    most_desyncs: int = 3


def settings_of(feed: Feed) -> Settings:
    return Settings(
        depth=feed.depth,
        vwap_windows_s=feed.vwap_windows_sec,
        candle_interval_min=feed.candle_interval_min,
        publish_gap=Ns(SECOND // feed.publish_per_sec),
        line_silence=_ns(feed.line_silence_sec),
        book_silence=_ns(feed.book_silence_sec),
        answer=_ns(feed.snapshot_sec),
    )


class Heard(enum.Enum):
    """What a book message did."""

    VERIFIED = "verified"  # its checksum matches
    RESYNCED = "resynced"  # likewise, and the book was out of sync because of a fault
    IGNORED = "ignored"  # no snapshot yet: nothing to apply it to, nothing to check
    DESYNCED = "desynced"  # its checksum, or a number in it, is wrong
    IMPRECISE = "imprecise"  # nothing yet: to be decoded exactly and heard again


class Counts(Struct):
    """Book messages since the start. messages = verified + failed + unchecked."""

    messages: int = 0
    verified: int = 0
    failed: int = 0
    unchecked: int = 0
    resyncs: int = 0
    suspect: int = 0  # verified, but crossed or one-sided


class Head(Struct, frozen=True):
    """What every frame says first, less its own sequence number."""

    boot: Ns
    heard_at: Ns


class Market:
    """suspect_since: since when the book is crossed or one-sided, 0 while it is not."""

    def __init__(self, symbol: str, settings: Settings) -> None:
        self.symbol = symbol
        self.spec: Pair | None = None
        self.spec_changed = Ns(0)
        self.in_sync = False
        self.why = "waiting for the instrument"
        self.fault = ""
        self.suspect_since = Ns(0)
        self.counts = Counts()
        self.missed_trades = 0
        self.ticker = (0, 0, 0)
        self.candle: frames.Candle | None = None
        self.book_due = Ns(0)
        self._settings = settings
        self._depth = settings.depth
        self._book = Book(settings.depth, 0, 0)
        self._desynced = False
        self._book_sent = Ns(0)
        self._book_changed = Ns(0)
        self._book_time: str | None = None
        self._tape: tuple[frames.Trade, ...] = ()
        self._trades_changed = Ns(0)
        self._vwap = RollingVwap(settings.vwap_windows_s)

    def learn(self, spec: Pair, at: Ns) -> bool:
        """Take precisions, minima and state; True if the book must be subscribed anew for them."""
        old, self.spec, self.spec_changed = self.spec, spec, at
        if old is not None and _decimals(old) == _decimals(spec):
            return False
        self.lose("waiting for a snapshot")
        self._vwap = RollingVwap(self._settings.vwap_windows_s)
        self._tape = ()
        self.candle = None
        self.ticker = (0, 0, 0)
        return old is not None

    def subscribed(self, depth: int) -> None:
        """The depth that was acknowledged; it counts from the next snapshot on."""
        if depth in DEPTHS:
            self._depth = depth

    def lose(self, why: str) -> None:
        """The book is worth nothing until the next snapshot."""
        self.in_sync = False
        self.suspect_since = Ns(0)
        self._show(why)

    def hear_book(self, row: BookRow[float], snapshot: bool, now: Ns) -> Heard:
        """One row of a book message. After DESYNCED, `fault` says what was wrong."""
        if self.spec is None or not (snapshot or self.in_sync):
            self.counts.messages += 1
            self.counts.unchecked += 1
            return Heard.IGNORED
        if snapshot:
            self._book = Book(self._depth, self.spec.price_decimals, self.spec.qty_decimals)
        return self._judge(self._book.apply(row, snapshot), row, snapshot, now)

    def hear_book_again(self, row: BookRow[Decimal], snapshot: bool, now: Ns) -> Heard:
        """The same row with all its digits, after IMPRECISE."""
        return self._judge(self._book.apply_exact(row, snapshot), row, snapshot, now)

    def fail(self, why: str, fault: str) -> Heard:
        """A book message that cannot be right: the book is out of sync from here on."""
        self.counts.messages += 1
        self.counts.failed += 1
        self._desynced = True
        self.fault = fault
        self.lose(why)
        return Heard.DESYNCED

    def hear_trades(self, rows: list[TradeRow], at: Ns, wall_now: Ns) -> tuple[int, int]:
        """How many trades are new, and how many are missing before or among them.

        wall_now: the exchange's clock as far as it is known, else 0. What is faulty or known is
        dropped.
        """
        assert self.spec is not None
        known = [trade_of(self.spec, row) for row in rows]
        fresh: list[frames.Trade] = []
        missed = 0
        last = self._tape[-1] if self._tape else None
        for trade in sorted((t for t in known if t), key=lambda trade: trade.trade_id):
            if wall_now and trade.wall > wall_now + FUTURE:
                continue
            if last is not None:
                # Ids that begin anew under a later date are another tape, not old news.
                if trade.trade_id <= last.trade_id and trade.wall <= last.wall:
                    continue
                missed += max(trade.trade_id - last.trade_id - 1, 0)
            fresh.append(trade)
            self._vwap.add(trade)
            last = trade
        if fresh:
            self._tape = (*self._tape[-OVERLAP:], *fresh)
            self._trades_changed = at
            self.missed_trades += missed
        return len(fresh), missed

    def hear_candle(self, row: CandleRow, at: Ns) -> None:
        """The running candle; an earlier one, as a snapshot brings many, does not replace it."""
        assert self.spec is not None
        begin = wall_ns(row.interval_begin)
        prices = [
            units(price, self.spec.price_decimals)
            for price in (row.open, row.high, row.low, row.close)
        ]
        volume = units(row.volume, self.spec.qty_decimals)
        if not begin or not all(prices) or volume is None or not 0 <= row.trades < 1 << 62:
            return
        if self.candle is not None and begin < self.candle.begin_wall:
            return
        opened, high, low, close = (price or 0 for price in prices)
        self.candle = frames.Candle(
            Ns(0), 0, Ns(0), at, self.symbol, row.interval * 60,
            begin, opened, high, low, close, volume, row.trades,
        )  # fmt: skip

    def hear_ticker(self, row: TickerRow) -> None:
        assert self.spec is not None
        prices = [units(p, self.spec.price_decimals) for p in (row.bid, row.ask, row.last)]
        if all(prices):
            bid, ask, last = (price or 0 for price in prices)
            self.ticker = (bid, ask, last)

    def book_frame(self, head: Head, seq: int, now: Ns) -> frames.Book:
        """The book as it may be shown now. The next one is due in a second, if nothing changes."""
        self._book_sent = now
        self.book_due = Ns(now + SECOND)
        shown = SHOWN_LEVELS if self.in_sync and not self.why else 0
        bids, bid_qtys = self._book.bids(min(shown, self._depth))
        asks, ask_qtys = self._book.asks(min(shown, self._depth))
        wall = wall_ns(self._book_time) if shown else Ns(0)
        return frames.Book(
            head.boot, seq, head.heard_at, self._book_changed,
            self.symbol, shown > 0, self.why, bids, bid_qtys, asks, ask_qtys, wall,
        )  # fmt: skip

    def trades_frame(self, head: Head, seq: int) -> frames.Trades:
        """The trades heard last, after some that were published before."""
        return frames.Trades(
            head.boot, seq, head.heard_at, self._trades_changed, self.symbol, self._tape
        )

    def vwap_frame(self, head: Head, seq: int, wall_now: Ns) -> frames.Vwap:
        assert self.spec is not None
        windows = self._vwap.at(wall_now, self.spec.price_decimals)
        return frames.Vwap(
            head.boot, seq, head.heard_at, self._trades_changed, self.symbol, windows
        )

    def candle_frame(self, candle: frames.Candle, head: Head, seq: int) -> frames.Candle:
        return replace(candle, boot=head.boot, seq=seq, heard_at=head.heard_at)

    def instrument_frame(self, head: Head, seq: int) -> frames.Instrument:
        assert self.spec is not None
        return frames.Instrument(head.boot, seq, head.heard_at, self.spec_changed, self.spec)

    def _judge(
        self, result: Result, row: BookRow[float] | BookRow[Decimal], snapshot: bool, now: Ns
    ) -> Heard:
        if result is not APPLIED:
            match result:
                case Imprecise():
                    return Heard.IMPRECISE
                case Mismatch(expected, found):
                    return self.fail(MISMATCH, f"checksum {found} instead of {expected}")
                case Unusable(why):
                    return self.fail("unusable number", why)
                case Crossed() | OneSided():
                    # Verified: not shown, because nobody could trade on it, but still applied.
                    self.counts.suspect += 1
                    self.suspect_since = self.suspect_since or now
                    self._show("crossed" if isinstance(result, Crossed) else "one side is empty")
        elif self.suspect_since or self.why:
            self.suspect_since = Ns(0)
            self._show("")
        self.counts.messages += 1
        self.counts.verified += 1
        self._book_time = row.timestamp
        self._book_changed = now
        self.book_due = min(self.book_due, Ns(self._book_sent + self._settings.publish_gap))
        if not snapshot:
            return Heard.VERIFIED
        self.in_sync = True
        resynced, self._desynced = self._desynced, False
        self.counts.resyncs += resynced
        return Heard.RESYNCED if resynced else Heard.VERIFIED

    def _show(self, why: str) -> None:
        if why != self.why:
            self.why = why
            self.book_due = Ns(0)  # That a book is good no more is published at once.


def _decimals(spec: Pair) -> tuple[int, int]:
    return spec.price_decimals, spec.qty_decimals


def _ns(seconds: float) -> Ns:
    return Ns(int(seconds * 1000) * MILLISECOND)
