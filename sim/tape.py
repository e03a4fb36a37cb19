"""Recorded markets: a file of trades or bars in columns, and how it is played.

The file may be whatever a backtest reads (sim/backtest/data.py), but each of its rows must be of
use. A bar is walked open, high and low, close as four trades inside its interval.

Tape time is relative: the first trade happens START after the market opened. After the last one
the market stays quiet at its last price.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from shared.units import SECOND, Pair
from sim.backtest.data import Bar, Deal, History
from sim.backtest.tables import DataError
from sim.sources import Hit, Quote, Tick

Row = TypeVar("Row", Bar, Deal)

START: Final = 5 * SECOND
_SPREAD_BPS: Final = 1  # of the background around the last trade, where the tape does not say


class TapeError(Exception):
    """A file that cannot be played: which line, why, and the remedy."""


class Tape(Struct, frozen=True):
    """A recorded market in columns. Times in ns from its first row, prices in Ticks.

    Trades: `price` and `buys` (1 where the taker bought). Bars: open in `price`, and the other
    three; `bar_ns` is their interval, 0 for trades.
    """

    times: array[int]
    price: array[int]
    qty: array[int]  # Sats
    buys: array[int]
    high: array[int]
    low: array[int]
    close: array[int]
    bar_ns: int
    first_wall: int  # ns since 1970 of the first row
    notes: tuple[str, ...] = ()  # what a person should know of the file

    def __len__(self) -> int:
        return len(self.times)


def read_tape(path: Path, pair: Pair) -> Tape:
    """A tape from a file; TapeError naming the line where it cannot be used."""
    walls, opened, high, low, close, sats = (array("q") for _ in range(6))
    sides = array("b")
    try:
        history = History([path], pair)
        if history.is_bars:
            for bar in _whole(path, history, history.bars()):
                for column, value in zip((walls, opened, high, low, close, sats), bar, strict=True):
                    column.append(value)
        else:
            for deal in _whole(path, history, history.deals()):
                for column, value in zip((walls, opened, sats, sides), deal, strict=True):
                    column.append(value)
    except DataError as error:
        raise TapeError(str(error)) from None
    first, notes = walls[0], tuple(history.found.notes)
    times = array("q", (wall - first for wall in walls))
    return Tape(times, opened, sats, sides, high, low, close, history.interval, first, notes)


def _whole(path: Path, history: History, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; TapeError at the first that cannot be used. A bar that comes twice is passed over.

    What a backtest leaves out and tells would be a hole in a market that somebody trades on.
    """
    found = history.found
    for row in itertools.chain(rows, (None,)):
        if found.bad_rows > found.late_rows:
            raise TapeError(f"{path}, {found.bad[-1].removeprefix(f'{path.name}, ')}: mend it")
        if row is not None:
            yield row
    if found.late_rows:
        found.note(f"{found.bad[0]}; bars left out for that: {found.late_rows:,}")


class Played:
    """A tape as a source: each trade first moves the touch to itself, then happens."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._row = 0
        self._past = 0  # rows that lie before the position sought
        self._pending: list[Hit] = []  # what is left of the bar being walked, last first
        self._bid = tape.price[0]
        self._ask = tape.price[0] + 1

    @property
    def end(self) -> int:
        """Market time at which the tape has been told."""
        return START + self._tape.times[-1] + self._tape.bar_ns

    def seek(self, position: int) -> None:
        self._row = bisect_right(self._tape.times, position - START - self._tape.bar_ns)
        self._past = self._row
        self._pending = []
        if self._row:
            last = self._tape.close if self._tape.bar_ns else self._tape.price
            self._bid, self._ask = last[self._row - 1], last[self._row - 1] + 1
        if self._row < len(self._tape):
            self._fill()
        while self._pending and self._pending[-1].at <= position:
            self._touch(self._pending.pop())
            if not self._pending:
                self._fill()

    def next_at(self) -> int | None:
        if not self._pending:
            self._fill()
        return self._pending[-1].at if self._pending else None

    def until(self, position: int) -> Iterator[Tick]:
        while (at := self.next_at()) is not None and at <= position:
            hit = self._pending.pop()
            self._touch(hit)
            yield Quote(hit.at, self._bid, self._ask)
            if hit.qty:
                yield hit

    def opening(self) -> Quote:
        return Quote(0, self._bid, self._ask)

    def history(self, seconds: int) -> Iterator[Hit]:
        """Trades before the position sought: those of the tape itself, a restart's case."""
        begin = end = self._past
        floor = self._tape.times[min(end, len(self._tape) - 1)] - seconds * SECOND
        while begin > 0 and self._tape.times[begin - 1] >= floor:
            begin -= 1
        for row in range(begin, end):
            yield from reversed(self._hits(row))

    def _touch(self, hit: Hit) -> None:
        """The touch follows the trade; the other side stays unless it would cross or lag."""
        gap = max(1, hit.price * _SPREAD_BPS // 10_000)
        if hit.side == "buy":
            self._ask = hit.price
            if not hit.price - gap <= self._bid < hit.price:
                self._bid = max(1, hit.price - max(1, gap // 3))
                self._ask = max(self._ask, self._bid + 1)
        else:
            self._bid = hit.price
            if not hit.price < self._ask <= hit.price + gap:
                self._ask = hit.price + max(1, gap // 3)

    def _fill(self) -> None:
        while not self._pending and self._row < len(self._tape):
            self._pending = self._hits(self._row)
            self._row += 1

    def _hits(self, row: int) -> list[Hit]:
        """The trades of one row, last first."""
        tape = self._tape
        at = START + tape.times[row]
        price, qty = tape.price[row], tape.qty[row]
        if not tape.bar_ns:
            return [Hit(at, "buy" if tape.buys[row] else "sell", price, qty, "limit")]
        close = tape.close[row]
        low_first = close >= price
        turns = (tape.low[row], tape.high[row]) if low_first else (tape.high[row], tape.low[row])
        walk = (price, *turns, close)
        part, more = divmod(qty, 4)
        hits = []
        for n, (level, before) in enumerate(zip(walk, (price, *walk), strict=False)):
            side = "buy" if level > before or (level == before and low_first) else "sell"
            share = part + (more if n == 3 else 0)
            moment = at + tape.bar_ns * (5 + 30 * n) // 100
            hits.append(Hit(moment, side, level, share, "limit"))
        hits.reverse()
        return hits
