"""The course of a backtest: what its report needs, kept in a few thousand points however long."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from shared.orders import Filled
from shared.units import DAY, SECOND, Ns
from sim.backtest.packed import Packed
from sim.backtest.points import Points
from strategy.core.memory import Memory

MOST_POINTS: Final = 2_000
MOST_BANDS: Final = 5_000
_WEEK: Final = 7 * DAY


class Point(Struct, frozen=True, gc=False):
    """The account at a moment: equity in units, price in Ticks, coins in Sats."""

    wall: Ns
    equity: int
    price: int
    coins: int


class Band(Struct, frozen=True, gc=False):
    """From this moment on: the regime, the pause, and what forbids to quote ("" = nothing)."""

    wall: Ns
    regime: str
    pause: str
    stop: str


class Month(Struct):
    """begin, end: equity in units; fees in the quote currency's units too."""

    name: str
    begin: int
    end: int
    fills: int = 0
    fees: int = 0


class Course:
    """Watches a House (sim/backtest/backtest.py). Everything is bounded but the packed fills."""

    def __init__(self) -> None:
        self.fills = Packed(Filled)
        self.points: list[Point] = []
        self.bands: list[Band] = []
        self.months: list[Month] = []
        self.weeks: list[tuple[Ns, int]] = []  # first price of each week
        self.peak = 0
        self.drawdown = 0.0
        self.drawdown_at = Ns(0)
        self.turnover = 0  # units
        self.last: Point | None = None
        self._now = (Ns(0), 0, 0, 0)
        self._each = 1 * SECOND
        self._due = 0
        self._month_ends = 0
        self._week_ends = 0
        self._state: tuple[object, ...] = ()

    def filled(self, fill: Filled) -> None:
        self.fills.append(fill)
        self.turnover += fill.price * fill.qty
        if self.months:
            self.months[-1].fills += 1

    def priced(self, wall: Ns, price: int, coins: int, money: int) -> None:
        equity = coins * price + money
        self._now = (wall, equity, price, coins)
        if equity > self.peak:
            self.peak = equity
        elif equity < self.peak * (1.0 - self.drawdown):
            self.drawdown, self.drawdown_at = 1.0 - equity / self.peak, wall
        if wall >= self._due:
            self._keep(wall, equity, price, coins)

    def passed(self, points: Points, lead: int, coins: int, money: int) -> None:
        """`priced` for each, whose wall is `lead` later than its house time."""
        begin, count = 0, len(points.ats)
        marks = self._marks(points.prices, coins, money)
        while begin < count:
            # Of this part the last alone may be one to keep.
            last = min(bisect_left(points.ats, self._due - lead, begin), count - 1)
            prices = points.prices[begin:last]
            if marks and prices and self._marks(prices, coins, money):
                for at, price in zip(points.ats[begin:last], prices, strict=True):
                    self.priced(Ns(at + lead), price, coins, money)
            self.priced(Ns(points.ats[last] + lead), points.prices[last], coins, money)
            begin = last + 1

    def _marks(self, prices: Sequence[int], coins: int, money: int) -> bool:
        """Whether one of these is a new peak or the deepest drawdown."""
        most, least = coins * max(prices) + money, coins * min(prices) + money
        return most > self.peak or least < self.peak * (1.0 - self.drawdown)

    def stepped(self, wall: Ns, memory: Memory) -> None:
        pair = memory.first
        state = (pair.regime.kind, memory.pause, memory.halt, pair.breaker.frozen_at)
        if state != self._state and len(self.bands) < MOST_BANDS:
            self._state = state
            stop = f"halted: {memory.halt}" if memory.halt else ""
            stop = stop or ("circuit breaker" if pair.breaker.frozen else "")
            self.bands.append(Band(wall, pair.regime.kind.value, memory.pause.value, stop))

    def close(self) -> None:
        """The last moment counts, whatever the grid of points says."""
        wall, equity, price, coins = self._now
        self.last = Point(wall, equity, price, coins)
        if self.points and self.points[-1].wall != wall:
            self.points.append(self.last)
        if self.months:
            self.months[-1].end = equity

    def _keep(self, wall: Ns, equity: int, price: int, coins: int) -> None:
        self.points.append(Point(wall, equity, price, coins))
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            # From here on as far apart as what is left, so that no part is drawn coarser.
            self._each = max(2 * self._each, 2 * (wall - self.points[0].wall) // MOST_POINTS)
        self._due = wall + self._each
        if wall >= self._week_ends:
            self.weeks.append((wall, price))
            self._week_ends = (self._week_ends or wall) + _WEEK
            self._week_ends = max(self._week_ends, wall)
        if wall >= self._month_ends:
            if self.months:
                self.months[-1].end = equity
            moment = datetime.fromtimestamp(wall // SECOND, UTC)
            year, month = divmod(moment.year * 12 + moment.month, 12)
            following = datetime(year, month + 1, 1, tzinfo=UTC)
            self._month_ends = int(following.timestamp()) * SECOND
            self.months.append(Month(moment.strftime("%Y-%m"), equity, equity))
