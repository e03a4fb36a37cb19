"""Volume-weighted average prices over windows that end now, exact, each trade touched once.

Rule 1: a trade belongs to the moment at which the exchange says it happened, not to its arrival.
Rule 2: sums are ints (Ticks x Sats), so nothing drifts however long the process lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.frames import Trade, VwapWindow
from shared.units import SECOND, Ns

MOST_TRADES: Final = 200_000
"""Kept at most. A burst beyond it shortens the longest window instead of filling the memory."""


class RollingVwap:
    """windows_s: lengths in seconds, in the order in which they are reported."""

    def __init__(self, windows_s: Sequence[int], most: int = MOST_TRADES) -> None:
        self._windows = [_Window(Ns(seconds * SECOND)) for seconds in windows_s]
        self._most = most
        self._trades: list[tuple[Ns, int, int]] = []  # wall, Ticks, Sats; oldest first
        self._latest = Ns(0)

    def add(self, trade: Trade) -> None:
        """Trades come in order of their ids; one dated before its forerunner takes its date."""
        self._latest = Ns(max(self._latest, trade.wall))
        self._trades.append((self._latest, trade.price, trade.qty))
        for window in self._windows:
            window.take(trade.price * trade.qty, trade.qty, 1)
        if len(self._trades) > self._most:
            self._forget(self._most // 10)

    def at(self, wall: Ns, price_decimals: int) -> tuple[VwapWindow, ...]:
        """All windows as of `wall`, the exchange's time; it may pass without any trade."""
        wall = Ns(max(wall, self._latest))
        for window in self._windows:
            self._expire(window, wall)
        oldest = min(window.start for window in self._windows)
        if oldest > 1_000 and oldest * 2 > len(self._trades):
            self._forget(oldest)
        scale = 10.0**price_decimals
        return tuple(window.report(scale) for window in self._windows)

    def _expire(self, window: _Window, wall: Ns) -> None:
        trades, start, limit = self._trades, window.start, wall - window.length
        while start < len(trades) and trades[start][0] <= limit:
            _, price, qty = trades[start]
            window.take(-price * qty, -qty, -1)
            start += 1
        window.start = start

    def _forget(self, count: int) -> None:
        """Drop the oldest trades, from the windows too where they still hold them."""
        for window in self._windows:
            for _, price, qty in self._trades[window.start : count]:
                window.take(-price * qty, -qty, -1)
            window.start = max(window.start - count, 0)
        del self._trades[:count]


class _Window:
    """Sums over the trades from index `start` on."""

    __slots__ = ("count", "length", "product", "start", "volume")

    def __init__(self, length: Ns) -> None:
        self.length = length
        self.start = 0
        self.product = 0
        self.volume = 0
        self.count = 0

    def take(self, product: int, volume: int, count: int) -> None:
        self.product += product
        self.volume += volume
        self.count += count

    def report(self, scale: float) -> VwapWindow:
        vwap = self.product / self.volume / scale if self.volume else 0.0
        return VwapWindow(self.length // SECOND, vwap, self.volume, self.count)
