"""A history told in another currency: the same tape, by the ECB's daily rates.

Rule 1: between two days' rates, each of which holds at the hour of the fixing, the rate runs in a
straight line: a step at midnight would be a move that no market made.
Rule 2: quantities and moments stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.units import DAY, MINUTE, SECOND, Pair
from sim.backtest.data import Bar, Deal, History
from sim.backtest.tables import DataError
from strategy.ledger.rates import EURO, Rates

FIXING: Final = 795 * MINUTE
"""Of the day, UTC: 13:15, which is 14:15 in Frankfurt in winter."""


class Converted:
    """Rows for `play` (sim/backtest/run.py), of a pair that differs in its quote currency alone.

    One of the two currencies is the euro. DataError, while it is read, where no rate is known.
    """

    def __init__(self, rows: History, pair: Pair, rates: Rates) -> None:
        self._rows = rows
        self._rates = rates
        self._to_foreign = pair.quote != EURO
        self._currency = pair.quote if self._to_foreign else rows.pair.quote
        self._scale = float(10 ** (pair.price_decimals - rows.pair.price_decimals))
        self._begin = self._end = 0
        self._from = self._to = 0.0
        self.is_bars = rows.is_bars
        self.interval = rows.interval

    @property
    def done(self) -> float:
        return self._rows.done

    def bars(self) -> Iterator[Bar]:
        for wall, opened, high, low, close, qty in self._rows.bars():
            by = self._factor(wall)
            yield (
                *(wall, round(opened * by), round(high * by), round(low * by), round(close * by)),
                qty,
            )

    def deals(self) -> Iterator[Deal]:
        for wall, price, qty, bought in self._rows.deals():
            yield wall, round(price * self._factor(wall)), qty, bought

    def _factor(self, wall: int) -> float:
        if not self._begin <= wall < self._end:
            self._turn(wall)
        rate = self._from + (self._to - self._from) * ((wall - self._begin) / DAY)
        return self._scale * rate if self._to_foreign else self._scale / rate

    def _turn(self, wall: int) -> None:
        """Come to the day from one fixing to the next in which a moment lies."""
        self._begin = (wall - FIXING) // DAY * DAY + FIXING
        self._end = self._begin + DAY
        day = datetime.fromtimestamp(self._begin // SECOND, UTC).date()
        known = self._rates.look_up(self._currency, day)
        if known is None:
            raise DataError(
                f"no rate of the ECB for {self._currency} on {day}: --rates must cover the data"
            )
        after = self._rates.look_up(self._currency, day + timedelta(days=1)) or known
        self._from, self._to = float(known.value), float(after.value)
