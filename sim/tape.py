"""Recorded markets: reads a file of trades or bars, says what is wrong with it, and plays it.

Understood, plain or packed as .gz or .zip: trades with a header (time, side, price, amount), trades
as Kraken offers them for download (unix,price,volume), REST Trades as JSON, Binance's trades and
aggTrades, and bars with a header or without (time, open, high, low, close, volume). A bar is walked
open, high and low, close as four trades inside its interval.

Tape time is relative: the first trade happens START after the market opened. After the last one
the market stays quiet at its last price.
"""

from __future__ import annotations

import gzip
import io
import itertools
import zipfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared.units import SECOND, Pair
from sim.sources import Hit, Quote, Tick

START: Final = 5 * SECOND
_BACK_NS: Final = 1 * SECOND  # so much disorder in time is smoothed over
_SPREAD_BPS: Final = 1  # of the background around the last trade, where the tape does not say

_TIMES: Final = ("time_ms", "unix", "time", "timestamp", "datetime", "date", "open_time")
_PRICES: Final = ("price",)
_AMOUNTS: Final = ("amount", "qty", "quantity", "volume", "size", "vol")
_SIDES: Final = ("side", "type", "taker_side")
_BARS: Final = ("open", "high", "low", "close")


class TapeError(Exception):
    """A file that cannot be played: which line, and why."""


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

    def __len__(self) -> int:
        return len(self.times)


def read_tape(path: Path, pair: Pair) -> Tape:
    """A tape from a file; TapeError naming the line where it cannot be understood."""
    try:
        text = _unpack(path)
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror or error}") from None
    except (EOFError, zipfile.BadZipFile, UnicodeDecodeError, ValueError) as error:
        raise TapeError(f"{path}: not a readable .csv, .json, .gz or .zip: {error}") from None
    reader = _Reader(str(path), pair)
    first = text.lstrip()[:1]
    if first in ("{", "["):
        reader.read_json(text)
    else:
        reader.read_lines(text)
    return reader.tape()


def _unpack(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    elif raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise ValueError(f"holds {len(names)} files, expected one")
            raw = archive.read(names[0])
    return raw.decode("utf-8-sig")


class _Layout(Struct, frozen=True):
    """Which column holds what; -1 where there is none."""

    time: int
    price: int
    qty: int
    side: int = -1
    maker_buys: int = -1  # aggTrades: true where the buyer was the maker
    bars: tuple[int, int, int, int] | None = None


class _Reader:
    """Turns rows into columns and knows where it is, for the error's sake."""

    def __init__(self, name: str, pair: Pair) -> None:
        self._name = name
        self._line = 0
        self._price_scale = pair.price_decimals
        self._qty_scale = pair.qty_decimals
        self._walls = array("q")
        self._price = array("q")
        self._qty = array("q")
        self._buys = array("b")
        self._bars: tuple[array[int], array[int], array[int]] = (array("q"), array("q"), array("q"))

    def read_lines(self, text: str) -> None:
        layout: _Layout | None = None
        for self._line, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            cells = [cell.strip().strip('"') for cell in line.split(",")]
            if layout is None:
                layout = self._find_layout(cells)
                if not _is_number(cells[layout.price]):
                    continue
            self._row(cells, layout)

    def read_json(self, text: str) -> None:
        """REST Trades: {"result": {PAIR: [[price, volume, time, side, type, "", id], ...]}}."""
        try:
            found: Any = msgspec.json.decode(text.encode(), strict=False)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise TapeError(f"{self._name}: {error}") from None
        if isinstance(found, dict) and isinstance(found.get("result"), dict):
            found = next((rows for key, rows in found["result"].items() if key != "last"), None)
        if not isinstance(found, list):
            raise TapeError(f"{self._name}: JSON without a list of trades under result")
        layout = _Layout(time=2, price=0, qty=1, side=3)
        for self._line, row in enumerate(found, start=1):
            if not isinstance(row, list):
                raise self._bad("a trade is not a list")
            self._row([str(cell) for cell in row], layout)

    def tape(self) -> Tape:
        if not self._walls:
            raise TapeError(f"{self._name}: holds no trade and no bar")
        first = self._walls[0]
        times = array("q", (wall - first for wall in self._walls))
        gaps = sorted(b - a for a, b in itertools.pairwise(times[:10_000]) if b > a)
        bar_ns = 0
        if self._bars[0]:
            bar_ns = gaps[len(gaps) // 2] if gaps else 60 * SECOND
        return Tape(times, self._price, self._qty, self._buys, *self._bars, bar_ns, first)

    def _find_layout(self, cells: list[str]) -> _Layout:
        if not _is_number(cells[1] if len(cells) > 1 else ""):
            return self._named_layout([cell.lower() for cell in cells])
        if len(cells) == 3:
            return _Layout(time=0, price=1, qty=2)
        words = [cell.lower() in ("true", "false") for cell in cells]
        if len(cells) in (7, 8) and words[6] and not words[5]:
            return _Layout(time=5, price=1, qty=2, maker_buys=6)
        if len(cells) in (6, 7) and words[5]:
            return _Layout(time=4, price=1, qty=2, maker_buys=5)
        if len(cells) >= 6:
            # Kraken's bars: time, open, high, low, close, [vwap,] volume, trades; without a
            # header the sixth column is the volume in both usual forms.
            return _Layout(time=0, price=1, qty=5, bars=(1, 2, 3, 4))
        raise self._bad(f"{len(cells)} columns without a header: neither trades nor bars")

    def _named_layout(self, names: list[str]) -> _Layout:
        def column(wanted: tuple[str, ...]) -> int:
            return next((names.index(name) for name in wanted if name in names), -1)

        time, qty = column(_TIMES), column(_AMOUNTS)
        bars = tuple(column((name,)) for name in _BARS)
        if time >= 0 and qty >= 0 and min(bars) >= 0:
            o, h, low, c = bars
            return _Layout(time=time, price=o, qty=qty, bars=(o, h, low, c))
        price = column(_PRICES)
        if min(time, price, qty) < 0:
            raise self._bad(
                "the header names neither trades (time, price, amount) "
                "nor bars (time, open, high, low, close, volume)"
            )
        return _Layout(time=time, price=price, qty=qty, side=column(_SIDES))

    def _row(self, cells: list[str], at: _Layout) -> None:
        try:
            wall = _wall(cells[at.time])
            price = self._ticks(cells[at.price])
            qty = self._sats(cells[at.qty])
            if at.bars is not None:
                high, low, close = (self._ticks(cells[n]) for n in at.bars[1:])
                if not (low <= price <= high and low <= close <= high):
                    raise self._bad("open and close must lie between low and high")
                for part, value in zip(self._bars, (high, low, close), strict=True):
                    part.append(value)
            buys = self._side(cells, at, price)
        except IndexError:
            raise self._bad(f"has only {len(cells)} columns") from None
        except InvalidOperation:
            raise self._bad("a price, an amount or a time is not a number") from None
        except (ValueError, OverflowError) as error:
            raise self._bad(str(error) or "not a number") from None
        if self._walls and wall < self._walls[-1]:
            if self._walls[-1] - wall > _BACK_NS:
                raise self._bad("time goes back")
            wall = self._walls[-1]
        self._walls.append(wall)
        self._price.append(price)
        self._qty.append(qty)
        self._buys.append(buys)

    def _side(self, cells: list[str], at: _Layout, price: int) -> bool:
        if at.maker_buys >= 0:
            return cells[at.maker_buys].lower() == "false"
        if at.side >= 0:
            word = cells[at.side].lower()
            if word not in ("buy", "sell", "b", "s"):
                raise ValueError(f'side "{word}" is neither buy nor sell')
            return word[0] == "b"
        # Without a side: a rise is a buyer's, a fall a seller's, else as before.
        if not self._price or price == self._price[-1]:
            return bool(self._buys[-1]) if self._buys else True
        return price > self._price[-1]

    def _ticks(self, text: str) -> int:
        price = int(Decimal(text).scaleb(self._price_scale).to_integral_value(ROUND_HALF_EVEN))
        if not 0 < price < 1 << 62:
            raise ValueError(f"price {text} is not above 0")
        return price

    def _sats(self, text: str) -> int:
        qty = int(Decimal(text).scaleb(self._qty_scale).to_integral_value(ROUND_HALF_EVEN))
        if not 0 <= qty < 1 << 62:
            raise ValueError(f"amount {text} is below 0")
        return qty

    def _bad(self, why: str) -> TapeError:
        return TapeError(f"{self._name}, line {self._line}: {why}")


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _wall(text: str) -> int:
    """A time of any usual unit as ns since 1970: seconds, ms, us, ns, or ISO 8601."""
    if _is_number(text):
        value = Decimal(text)
        for limit, unit in ((10**11, 9), (10**14, 6), (10**17, 3)):
            if abs(value) < limit:
                return int(value.scaleb(unit))
        return int(value)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000


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
