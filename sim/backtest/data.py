"""History for backtests, streamed: bars or trades out of files of any usual form, checked by line.

Rule 1: nothing is repaired in silence. A row that cannot be used is left out, counted and named
with its line; so are gaps, rows that overlap another file's, and times without a zone.
Rule 2: the rows are a stream: none is held but the one that is read (look.py holds some hundred at
the begin), however long the files are.

Understood: Kraken's OHLCVT and trades, Binance's klines, trades and aggTrades, Bitvavo's candles,
any table whose header names its columns, times with prices, and one price for each line; as text,
plain or packed, as Parquet, or as a recording of our own feed (tables.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from shared.units import MINUTE, SECOND, Pair
from sim.backtest.backwards import from_the_end
from sim.backtest.columns import why_not
from sim.backtest.look import Part, look
from sim.backtest.rows import UNUSABLE, read_bar, read_deal, scales_of
from sim.backtest.rows import Bar as Bar  # what a History yields
from sim.backtest.rows import Deal as Deal
from sim.backtest.tables import DataError, cells_of

MOST_NAMED: Final = 20
"""Faults and gaps that are told one by one; the rest is counted."""

_BACK_NS: Final = SECOND  # so much disorder among trades is smoothed over
_REMEMBERED: Final = 4_096
_OTHER_MARKET: Final = 0.005
_SILENT: Final = 60 * MINUTE  # without a trade: told as a gap
_A_FAULT: Final = 3  # a price that moves by this factor from one row to the next
_CURRENCY: Final = re.compile(r"(?:XBT|BTC)[-_/]?(USD|EUR|GBP|CHF|JPY|CAD|AUD)")


class Findings(Struct):
    """What is wrong with the data, filled while it is read."""

    rows: int = 0
    bad_rows: int = 0
    bad: list[str] = []
    late_rows: int = 0  # of the bad ones, bars whose time repeats or goes back
    gap_count: int = 0
    gaps: list[str] = []
    longest_gap: int = 0  # ns
    overlap_rows: int = 0
    notes: list[str] = []

    def note_once(self, name: str, text: str) -> None:
        """The first of its kind for each file: all of them say the same."""
        told = f"{name}: {text}"
        if not any(note.startswith(told.split(" line ")[0]) for note in self.notes):
            self.note(told)

    def note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < MOST_NAMED:
            self.notes.append(text)


class History:
    """Rows of one or more files in the order of their time, each once.

    After (and while) it is iterated, `found` says what was wrong with it, and `done` how much of
    the files' bytes has been read, 0 to 1.
    """

    def __init__(self, paths: Sequence[Path], pair: Pair, *, prices: bool = False) -> None:
        """DataError where a file cannot be read at all, is empty, or the files do not fit."""
        if not paths:
            raise DataError("no file was named")
        self.pair = pair
        self.found = Findings()
        self._scales = scales_of(pair)
        parts = [self._look(path, prices) for path in dict.fromkeys(paths)]
        self.parts = sorted(parts, key=lambda part: (part.begins, str(part.path)))
        if len({bool(part.interval) for part in parts}) > 1:
            kinds = (f"{p.path.name}: {'bars' if p.interval else 'trades'}" for p in self.parts)
            raise DataError(
                f"some files hold bars and others trades ({', '.join(kinds)}): one kind at a time"
            )
        self.is_bars = bool(parts[0].interval)
        self.interval = min(part.interval for part in parts)
        if self.is_bars and len({part.interval for part in parts}) > 1:
            told = ", ".join(f"{p.path.name}: {p.interval // SECOND} s" for p in self.parts)
            raise DataError(f"the files hold bars of different lengths ({told}): name those of one")
        self.begins = self.parts[0].begins
        self._closes: dict[int, int] = {}  # of moments that a later file has too
        self._size = sum(max(1, part.path.stat().st_size) for part in parts)
        self._read = 0
        self._now_at: IO[bytes] | None = None
        self._told = 0.0  # of a file that is told from its end

    @property
    def done(self) -> float:
        opened = self._now_at
        if opened is None:
            here = 0.0
        elif opened.closed:  # it is told from its end
            here = self._told * Path(opened.name).stat().st_size
        else:
            here = opened.tell()
        return min(1.0, (self._read + here) / self._size)

    def bars(self) -> Iterator[Bar]:
        """Every bar once; only where `is_bars`. DataError where not one can be used."""
        last = price = 0
        for number, part in enumerate(self.parts):
            before, joins = last, self._joins(number)
            for line, cells in self._lines(part):
                bar = self._bar(part, line, cells)
                if bar is None or (bar[0] <= last and self._is_late(part, line, bar, before)):
                    continue
                self._see_gap(part, line, last, bar[0])
                if price and not (price < _A_FAULT * bar[3] and bar[2] < _A_FAULT * price):
                    self._see_leap(part, line)
                last, price = bar[0], bar[4]
                self.found.rows += 1
                if last >= joins:
                    self._remember(last, price)
                yield bar
        self._refuse_none()

    def deals(self) -> Iterator[Deal]:
        """Every trade once; only where not `is_bars`. DataError where not one can be used."""
        last, price_before, bought = 0, 0, True
        for number, part in enumerate(self.parts):
            before, joins = last, self._joins(number)
            for line, cells in self._lines(part):
                deal = self._deal(part, line, cells, (price_before, bought))
                if deal is None:
                    continue
                wall, price, qty, bought = deal
                if wall < last:
                    if wall <= before:
                        self.found.overlap_rows += 1
                        self._compare(part, line, wall, price)
                        continue
                    if last - wall > _BACK_NS:
                        self._bad(part, line, "time goes back")
                        continue
                    wall = last
                if last and wall - last > _SILENT:
                    self._see_silence(part, line, wall - last)
                if price_before and not price_before < _A_FAULT * price < 9 * price_before:
                    self._see_leap(part, line)
                last, price_before = wall, price
                self.found.rows += 1
                if last >= joins:
                    self._remember(last, price)
                yield wall, price, qty, bought
        self._refuse_none()

    # One row.

    def _bar(self, part: Part, line: int, cells: list[str]) -> Bar | None:
        """None for a row that cannot be used, after it was counted."""
        try:
            found = self.found
            return read_bar(part.layout, cells, self._scales, found.notes, found.rows)
        except UNUSABLE as error:
            self._bad(part, line, why_not(part.layout, cells, error))
        return None

    def _deal(
        self, part: Part, line: int, cells: list[str], before: tuple[int, bool]
    ) -> Deal | None:
        """before: price and side of the trade before, for data that names no side."""
        try:
            return read_deal(part.layout, cells, self._scales, self.found.notes, before)
        except UNUSABLE as error:
            self._bad(part, line, why_not(part.layout, cells, error))
        return None

    # What is wrong.

    def _is_late(self, part: Part, line: int, bar: Bar, before: int) -> bool:
        """Say why a bar that does not come later than the last one is left out."""
        if bar[0] <= before:
            self.found.overlap_rows += 1
            self._compare(part, line, bar[0], bar[4])
        else:
            self._bad(part, line, "time repeats or goes back")
            self.found.late_rows += 1
            if part.layout.is_naive:
                self.found.note_once(
                    part.path.name,
                    f"before line {line} the clock goes back: local time with a daylight saving "
                    "change? Times without a zone are taken as UTC",
                )
        return True

    def _joins(self, number: int) -> int:
        """From which moment on a part's prices are kept to be compared with the next one's."""
        return self.parts[number + 1].begins if number + 1 < len(self.parts) else 1 << 62

    def _remember(self, wall: int, price: int) -> None:
        self._closes[wall if self.is_bars else wall // MINUTE] = price
        if len(self._closes) > _REMEMBERED:
            del self._closes[next(iter(self._closes))]

    def _compare(self, part: Part, line: int, wall: int, price: int) -> None:
        known = self._closes.get(wall if self.is_bars else wall // MINUTE)
        if known and abs(price / known - 1.0) > _OTHER_MARKET:
            self.found.note_once(
                part.path.name,
                f"from line {line} on, where the files overlap, they disagree by more than 0.5 %: "
                "another market, or another time zone?",
            )

    def _see_leap(self, part: Part, line: int) -> None:
        self.found.note_once(
            part.path.name,
            f"at line {line} the price is more than three times, or less than a third of, what it "
            "was: a fault of the data? It is played as it stands",
        )

    def _refuse_none(self) -> None:
        """DataError where no row was of use; which, and what may help."""
        if not self.found.rows and self.found.bad_rows:
            told = "; ".join(self.found.bad[:3])
            raise DataError(
                f"not one of {self.found.bad_rows} rows can be used ({told}): if the columns are "
                "not what they seem, name them in a header line"
            )

    def _see_gap(self, part: Part, line: int, last: int, wall: int) -> None:
        if not last or wall - last <= self.interval:
            return
        missing = (wall - last) // self.interval - 1
        self.found.gap_count += 1
        self.found.longest_gap = max(self.found.longest_gap, wall - last - self.interval)
        if missing and len(self.found.gaps) < MOST_NAMED:
            self.found.gaps.append(f"{part.path.name}, line {line}: {missing} bars missing before")

    def _see_silence(self, part: Part, line: int, length: int) -> None:
        self.found.gap_count += 1
        self.found.longest_gap = max(self.found.longest_gap, length)
        if len(self.found.gaps) < MOST_NAMED:
            minutes = length // MINUTE
            self.found.gaps.append(
                f"{part.path.name}, line {line}: {minutes} minutes without a trade before"
            )

    def _bad(self, part: Part, line: int, why: str) -> None:
        """Count a row that is left out, and name the first few."""
        self.found.bad_rows += 1
        if len(self.found.bad) < MOST_NAMED:
            self.found.bad.append(f"{part.path.name}, line {line}: {why}")

    # Files.

    def _look(self, path: Path, prices: bool) -> Part:
        """The file as it will be read; one whose name says another currency is doubted."""
        notes: list[str] = []
        part = look(path, self.pair, notes, prices=prices)
        for note in notes:
            self.found.note(note)
        said = _CURRENCY.search(part.path.name.upper())
        if said and said[1] != self.pair.quote:
            self.found.note(
                f"{part.path.name}: its name says {said[1]}, it is played as {self.pair.symbol} "
                "(--pair)"
            )
        return part

    def _lines(self, part: Part) -> Iterator[tuple[int, list[str]]]:
        last, notes = 0, self.found.notes
        with (
            part.path.open("rb") as raw,
            closing(cells_of(part.path, raw, self.pair, notes)) as rows,
        ):  # closed before the file that they are read from
            self._now_at = raw
            try:
                for line, cells in from_the_end(rows) if part.is_backwards else rows:
                    last = max(last, line)
                    if part.is_backwards:
                        self._told = 1.0 - line / last
                    if line > part.skips:
                        yield line, cells
            except DataError as error:
                if not last:
                    raise
                # What was read before the tear is played, and the report says so.
                told = str(error).removeprefix(f"{part.path}: ")
                self.found.note(f"{part.path.name}: nothing can be read behind line {last}: {told}")
            self._now_at = None
            self._read += part.path.stat().st_size
