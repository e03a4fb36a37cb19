"""Which column of a table of market data holds what, and what its times mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND

NAIVE: Final = "times bear no zone: they are taken as UTC"

_TIMES: Final = (
    *("time_ms", "unix", "time", "timestamp", "open_time", "opentime", "datetime", "date"),
    *("unix timestamp", "open time", "ts", "t", "transact_time", "trade_time", "created_time"),
    *("mts", "gmt time", "utc time", "time_period_start", "datum", "zeit", "zeitpunkt"),
)
_DATES: Final = ("date", "datum", "day", "tag")  # with one of these beside it
_CLOCKS: Final = ("time", "uhrzeit", "zeit")
_PRICES: Final = ("price", "last", "kurs", "preis")
_AMOUNTS: Final = (
    *("volume", "amount", "qty", "quantity", "size", "vol", "volume btc", "volume_btc"),
    *("base_volume", "volume_traded", "v", "vol.", "volumen", "menge"),
)
_BARS: Final = (
    ("open", "o", "price_open", "open price", "eröffnung", "er\ufffdffnung", "eroeffnung"),
    ("high", "h", "price_high", "high price", "hoch"),
    ("low", "l", "price_low", "low price", "tief"),
    ("close", "c", "price_close", "close price", "schluss", "schlusskurs"),
)
_SIDES: Final = ("side", "type", "taker_side")
_MAKERS: Final = ("is_buyer_maker", "isbuyermaker", "buyer_maker")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = 1_230_768_000 * SECOND  # 2009-01-01
_LATEST: Final = 4_102_444_800 * SECOND  # 2100-01-01
_GERMAN: Final = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4}|\d\d)(?!\d)(.*)")
_YEAR_FIRST: Final = re.compile(r"(\d{4})[./](\d\d?)[./](\d\d?)(?!\d)(.*)")
_EITHER_WAY: Final = re.compile(r"\d\d?/\d\d?/(\d{4}|\d\d)\b.*")
_CLOCK: Final = re.compile(r"\d\d?:\d\d(:\d\d(\.\d+)?)?")
_UTC: Final = re.compile(r" ?(UTC|GMT)$")


class LayoutError(Exception):
    """Neither trades nor bars."""


class Layout(Struct, frozen=True):
    """Which column holds what; -1 where there is none. price: the open of a bar."""

    time: int
    price: int
    qty: int
    side: int = -1
    maker_buys: int = -1  # true where the buyer was the maker
    high: int = -1  # where there is none, a bar is one price
    low: int = -1
    close: int = -1
    clock: int = -1  # time of day, where `time` bears the date alone
    has_header: bool = False
    is_naive: bool = False

    @property
    def is_bars(self) -> bool:
        return self.high >= 0 or self.qty < 0

    def moment(self, cells: list[str]) -> str:
        """The time of a row as it is written, of one column or of two."""
        if self.clock < 0:
            return cells[self.time]
        clock = cells[self.clock].strip()
        if not _CLOCK.fullmatch(clock):
            return clock
        return f"{cells[self.time]} {'0' if clock[1] == ':' else ''}{clock}"

    def with_zone(self, is_naive: bool) -> Layout:
        return replace(self, is_naive=is_naive)


def find_layout(cells: list[str], *, prices: bool = False) -> Layout:
    """The layout from the first line; LayoutError. prices: one price for each line."""
    cells = [cell.strip() for cell in cells]
    if prices or len(cells) == 1:
        if len(cells) > 1:
            raise LayoutError(f"one price for each line is expected, not {len(cells)} columns")
        header = not _is_number(cells[0])
        if header and cells[0].lower() not in (*_PRICES, "close"):
            raise LayoutError(
                f"{shown(cells[0])} is not a price, nor are there columns (between , ; tab or |)"
            )
        return Layout(time=-1, price=0, qty=-1, has_header=header)
    if not _is_number(cells[1]):
        return _named([cell.lower().strip("<>") for cell in cells])
    words = [cell.lower() in ("true", "false") for cell in cells]
    if len(cells) == 3:
        return Layout(time=0, price=1, qty=2)  # Kraken: unix, price, volume
    if len(cells) in (7, 8) and words[6] and not words[5]:
        return Layout(time=5, price=1, qty=2, maker_buys=6)  # Binance aggTrades
    if len(cells) in (6, 7) and words[5]:
        return Layout(time=4, price=1, qty=2, maker_buys=5)  # Binance trades
    if len(cells) >= 6:
        # Kraken: time, open, high, low, close, [vwap,] volume, trades; Binance klines: twelve.
        has_vwap = (
            len(cells) == 8
            and all(_is_number(cells[place]) for place in (2, 3, 5))
            and float(cells[3]) <= float(cells[5]) <= float(cells[2])
        )
        return Layout(time=0, price=1, high=2, low=3, close=4, qty=6 if has_vwap else 5)
    if len(cells) == 5:
        return Layout(time=0, price=1, high=2, low=3, close=4, qty=-1)
    if len(cells) == 2 and _is_time(cells[0]):
        return Layout(time=0, price=1, qty=-1)
    raise LayoutError(f"{len(cells)} columns without a header: neither trades nor bars")


def _named(names: list[str]) -> Layout:
    def column(wanted: tuple[str, ...]) -> int:
        return next((names.index(name) for name in wanted if name in names), -1)

    time, qty, price = column(_TIMES), column(_AMOUNTS), column(_PRICES)
    date, clock = column(_DATES), column(_CLOCKS)
    if min(date, clock) < 0 or (time >= 0 and names[time] not in (*_DATES, *_CLOCKS)):
        clock = -1
    else:
        time = date
    o, h, low, c = (column(wanted) for wanted in _BARS)
    c = price if c < 0 else c
    if time >= 0 and min(o, h, low, c) >= 0:
        return Layout(
            time=time, price=o, high=h, low=low, close=c, qty=qty, clock=clock, has_header=True
        )
    if time >= 0 and qty < 0 and max(price, c) >= 0:
        only = price if price >= 0 else c
        return Layout(time=time, price=only, qty=-1, clock=clock, has_header=True)
    if min(time, price, qty) < 0:
        raise LayoutError(
            "the header names neither trades (time, price, amount) nor bars (time, open, high, "
            f"low, close, volume); it has: {shown(', '.join(names), 200)}"
        )
    return Layout(
        time=time, price=price, qty=qty, side=column(_SIDES), maker_buys=column(_MAKERS),
        clock=clock, has_header=True,
    )  # fmt: skip


def read_wall(text: str, notes: list[str]) -> int:
    """A time of any usual unit as ns since 1970: seconds, ms, us, ns, or ISO 8601; ValueError.

    ValueError too for what is before Bitcoin or far from now: it is another unit, or torn.
    """
    try:
        # Times of bars are whole seconds or milliseconds; a float would lose ns of a trade.
        value = int(text)
    except ValueError:
        wall = _read_written(text, notes)
    else:
        wall = value
        for limit, unit in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
            if -limit < value < limit:
                wall = value * unit
                break
    if not _EARLIEST <= wall < _LATEST:
        raise ValueError(f"the time {shown(text)} lies outside 2009 to 2100")
    return wall


def _read_written(text: str, notes: list[str]) -> int:
    """A time that is not a whole number."""
    whole, point, part = text.partition(".")
    if point and whole.isdigit() and part.isdigit():
        if not part.strip("0"):
            return read_wall(whole, notes)
        if len(whole) <= 11:
            return int(whole) * SECOND + int(part[:9].ljust(9, "0"))
    written = text.strip()
    if german := _GERMAN.fullmatch(written):
        day, month, year, rest = german.groups()
        written = f"{year if len(year) == 4 else '20' + year}-{month:0>2}-{day:0>2}{rest}"
    elif first := _YEAR_FIRST.fullmatch(written):
        year, month, day, rest = first.groups()
        written = f"{year}-{month:0>2}-{day:0>2}{rest}"
    elif _EITHER_WAY.fullmatch(written):
        raise ValueError(f"{shown(text)} may be two days (05/06: 5 June, May 6): write 2024-06-05")
    try:
        moment = datetime.fromisoformat(_UTC.sub("+00:00", written))
    except ValueError:
        raise ValueError(
            f"the time {shown(text)} is neither seconds since 1970 nor as 2024-01-31T12:00"
        ) from None
    if moment.tzinfo is None:
        if NAIVE not in notes:
            notes.append(NAIVE)
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000


def why_not(at: Layout, cells: list[str], error: Exception) -> str:
    """Why a row cannot be used, in words for people. error: what reading it brought."""
    for place in (at.price, at.high, at.low, at.close, at.qty):
        if place >= len(cells):
            return f"has only {len(cells)} columns"
        if place >= 0 and not _is_number(cells[place]):
            return f"{shown(cells[place])} is not a number"
    return str(error)


def shown(text: str, most: int = 40) -> str:
    """The beginning of a cell as it may be shown on a terminal."""
    return '"' + "".join(c if c.isprintable() else "?" for c in text[:most]) + '"'


def _is_time(text: str) -> bool:
    try:
        read_wall(text, [])
    except (ValueError, OverflowError):
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
