"""What a pair's tape sums up to: candles of every interval and the rolling 24 hours."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import copy
from typing import Final

from msgspec import Struct

from shared.units import MINUTE

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes (Kraken v2, ohlc)."""

_KEPT_MINUTES: Final = 43_200  # thirty days
_DAY_MINUTES: Final = 1_440


class Bar(Struct):
    """One candle. Prices in Ticks, volume in Sats, money the exact turnover."""

    begin: int  # wall ns
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    money: int = 0
    trades: int = 0

    def add(self, price: int, qty: int) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += qty
        self.money += price * qty
        self.trades += 1

    def join(self, later: Bar) -> None:
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.money += later.money
        self.trades += later.trades

    @property
    def vwap(self) -> int:
        """Ticks, rounded half up; the close where nothing traded."""
        return (2 * self.money + self.volume) // (2 * self.volume) if self.volume else self.close


class Candles:
    """Minute bars of one pair, empty minutes left out."""

    def __init__(self, kept: int = _KEPT_MINUTES) -> None:
        self.minutes: deque[Bar] = deque(maxlen=kept)
        self._running: dict[int, Bar] = {}  # interval in minutes -> the candle being made
        self._day: Bar | None = None  # the finished minutes of the last 24 hours
        self._day_made = -1

    def add(self, wall: int, price: int, qty: int) -> None:
        """One trade; times that go back count for the running minute."""
        begin = wall - wall % MINUTE
        if not self.minutes or begin > self.minutes[-1].begin:
            self.minutes.append(Bar(begin, price, price, price, price))
        self.minutes[-1].add(price, qty)
        for interval, bar in self._running.items():
            start = wall - wall % (interval * MINUTE)
            if start > bar.begin:
                self._running[interval] = bar = Bar(start, price, price, price, price)
            bar.add(price, qty)

    def running(self, interval: int) -> Bar | None:
        """The candle being made; None before the first trade."""
        found = self._running.get(interval)
        if found is None:
            bars = self.bars(interval, 1)
            if not bars:
                return None
            self._running[interval] = found = bars[-1]
        return found

    def bars(self, interval: int, count: int) -> Sequence[Bar]:
        """The last candles of an interval, oldest first, the running one included."""
        span = interval * MINUTE
        found: list[Bar] = []
        for minute in reversed(self.minutes):
            start = minute.begin - minute.begin % span
            if found and found[-1].begin == start:
                earlier = copy(minute)
                earlier.begin = start
                earlier.join(found[-1])
                found[-1] = earlier
                continue
            if len(found) == count:
                break
            found.append(copy(minute))
            found[-1].begin = start
        found.reverse()
        return found

    def day(self, wall: int) -> Bar | None:
        """The last 24 hours as one bar; None before the first trade."""
        if not self.minutes:
            return None
        now = self.minutes[-1]
        if self._day_made != now.begin:
            self._day_made = now.begin
            self._day = self._sum_up(wall)
        if self._day is None:
            return copy(now)
        day = copy(self._day)
        day.join(now)
        return day

    def _sum_up(self, wall: int) -> Bar | None:
        """All minutes of the last 24 hours but the running one."""
        floor = wall - _DAY_MINUTES * MINUTE
        total: Bar | None = None
        kept = list(self.minutes)[-_DAY_MINUTES - 1 : -1]
        for minute in kept:
            if minute.begin < floor:
                continue
            if total is None:
                total = copy(minute)
            else:
                total.join(minute)
        return total
