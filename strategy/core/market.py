"""Stage 1, observe: what the market is, and how far we may trust what we know of it.

The age of our knowledge is now less `heard_at`, the moment the last byte came from the exchange:
a quiet market is young, a feed that republishes an old book is not.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shared.frames import Book, Instrument, Vwap, decode, encode
from shared.settings_house import Time
from shared.units import SECOND, Ns, Pair, Ticks

MOVE_WINDOW: Ns = Ns(60 * SECOND)


class Freshness(enum.StrEnum):
    FRESH = "fresh"  # quote
    SETTLING = "settling"  # valid again, but not for long enough
    STALE = "stale"  # nothing that adds risk
    DEAD = "dead"  # cancel all own orders


_FRESH: Final = Freshness.FRESH  # reached once: each stage asks, and an enum's members are slow


class View(Struct, frozen=True, gc=False):
    """What a tick sees of one pair. Prices in Ticks; mid and vwap are estimates, in Ticks too."""

    pair: Pair
    freshness: Freshness
    age: Ns
    bid: Ticks
    ask: Ticks
    mid: float
    vwap: float  # 0.0 where nothing traded
    move_60s: float  # largest relative move of the mid against any moment of the last 60 s
    why: str  # what is wrong with the book, in the feed's words

    @property
    def fresh(self) -> bool:
        return self.freshness is _FRESH


class Extremes:
    """The least and the largest value of a sliding time window, amortised O(1)."""

    def __init__(self, window: Ns) -> None:
        self._window = window
        self._low: deque[tuple[Ns, float]] = deque()
        self._high: deque[tuple[Ns, float]] = deque()

    def add(self, now: Ns, value: float) -> None:
        low, high, newest = self._low, self._high, (now, value)
        while low and low[-1][1] >= value:
            low.pop()
        low.append(newest)
        while high and high[-1][1] <= value:
            high.pop()
        high.append(newest)

    def of(self, now: Ns) -> tuple[float, float] | None:
        """(least, largest) of the window that ends now; None where nothing is known."""
        low, high, begin = self._low, self._high, now - self._window
        if not low:
            return None
        for values in (low, high):
            # The newest value stands until the next one, however old it is.
            while values[0][0] < begin and len(values) > 1:
                values.popleft()
        return low[0][1], high[0][1]

    def state(self) -> tuple[list[tuple[Ns, float]], list[tuple[Ns, float]]]:
        return list(self._low), list(self._high)

    def become(self, lows: list[tuple[Ns, float]], highs: list[tuple[Ns, float]]) -> None:
        self._low, self._high = deque(lows), deque(highs)


class TapeState(Struct, frozen=True):
    """A tape as values, for the journal. book: its own encoding, empty where there is none."""

    pair: Pair | None
    book: bytes
    vwap: float
    gaps: int
    born: Ns
    boot: Ns
    valid_since: Ns | None
    lows: list[tuple[Ns, float]]
    highs: list[tuple[Ns, float]]


class Tape:
    """What one pair's frames have told: changed in place, only by `hear_*`."""

    def __init__(self, born: Ns) -> None:
        self.pair: Pair | None = None
        self.book: Book | None = None
        self.vwap = 0.0  # quote currency, of the first window
        self.gaps = 0
        self._born = born
        self._boot = Ns(0)
        self._valid_since: Ns | None = None  # None: the newest book is not to be traded on
        self._moves = Extremes(MOVE_WINDOW)

    def hear_instrument(self, frame: Instrument) -> None:
        self.pair = frame.pair

    def hear_pair(self, pair: Pair) -> None:
        """The private line's own answer, for a start without a feed; frames are newer."""
        if self.pair is None:
            self.pair = pair

    def hear_vwap(self, frame: Vwap) -> None:
        if frame.windows and frame.boot == self._boot:
            self.vwap = frame.windows[0].vwap

    def hear_book(self, frame: Book, now: Ns, time: Time) -> None:
        """The newest wins. A new boot must prove itself; an older boot or number is ignored."""
        last = self.book
        if frame.boot < self._boot:
            return
        if frame.boot == self._boot and last is not None:
            if frame.seq <= last.seq:
                return
            self.gaps += frame.seq - last.seq - 1
        stale = time.feed_stale_sec * SECOND
        if frame.boot != self._boot or self.age(now) > stale:
            # Another life, or a gap that made us stale: it must prove itself anew.
            self._boot = frame.boot
            self._valid_since = None
        self.book = frame
        if not tradable(frame) or now - frame.heard_at > stale:
            self._valid_since = None
            return
        if self._valid_since is None:
            self._valid_since = now
        self._moves.add(now, (frame.bids[0] + frame.asks[0]) / 2)

    def hear_run(self, book: Book, nows: Sequence[Ns], mids: Sequence[float]) -> None:
        """As if a book had been heard at each of these moments, `book` at the last of them.

        All are of the present boot, tradable, and none came late.
        """
        self.book = book
        begin = bisect_left(nows, nows[-1] - MOVE_WINDOW)
        for now, mid in zip(nows[begin:], mids[begin:], strict=True):
            self._moves.add(now, mid)

    def extremes(self, now: Ns) -> tuple[float, float] | None:
        """The least and the largest mid of the window that the breaker looks at."""
        return self._moves.of(now)

    def age(self, now: Ns) -> Ns:
        return Ns(now - (self.book.heard_at if self.book else self._born))

    def freshness(self, now: Ns, time: Time) -> Freshness:
        age, since = self.age(now), self._valid_since
        if age > time.feed_cancel_sec * SECOND:
            return Freshness.DEAD
        if since is None or age > time.feed_stale_sec * SECOND:
            return Freshness.STALE
        return _FRESH if now - since >= time.feed_recover_sec * SECOND else Freshness.SETTLING

    def state(self) -> TapeState:
        book = encode(self.book) if self.book is not None else b""
        lows, highs = self._moves.state()
        return TapeState(
            self.pair, book, self.vwap, self.gaps, self._born, self._boot, self._valid_since,
            lows, highs,
        )  # fmt: skip

    def become(self, state: TapeState) -> None:
        """The tape as it was when `state` was taken."""
        book = decode(state.book) if state.book else None
        self.book = book if isinstance(book, Book) else None
        self.pair, self.vwap, self.gaps = state.pair, state.vwap, state.gaps
        self._born, self._boot, self._valid_since = state.born, state.boot, state.valid_since
        self._moves.become(state.lows, state.highs)

    def move(self, now: Ns, mid: float) -> float:
        found = self._moves.of(now)
        if found is None or mid <= 0:
            return 0.0
        low, high = found
        return max(mid / low - 1.0, 1.0 - mid / high)


def tradable(book: Book) -> bool:
    """Valid, two-sided, not crossed: checked again here, whatever the feed says of it."""
    return book.valid and bool(book.bids) and bool(book.asks) and book.bids[0] < book.asks[0]


def observe(tape: Tape, now: Ns, time: Time) -> View | None:
    """The view of this tick; None while the pair's precisions or its first book are unknown."""
    if tape.pair is None or tape.book is None:
        return None
    book, pair = tape.book, tape.pair
    two_sided = bool(book.bids) and bool(book.asks)
    bid, ask = (book.bids[0], book.asks[0]) if two_sided else (0, 0)
    mid = (bid + ask) / 2
    return View(
        pair,
        tape.freshness(now, time),
        tape.age(now),
        Ticks(bid),
        Ticks(ask),
        mid,
        tape.vwap * float(10**pair.price_decimals) if tape.vwap else 0.0,
        tape.move(now, mid),
        book.why,
    )
