"""A real market's resting orders as the background of simulated ones: what the feed shows, no more.

Rule 1: nothing is made up. Where the view ends nobody knows who rests there, so an order of ours
beyond it has everybody before it until the view reaches it.
Rule 2: a trade that the last book already includes took from what stood there before: its quantity
is counted as standing again while that trade is judged, or the same coins would be counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.units import Ns

UNKNOWN: Final = 1 << 60
"""Sats before an order whose price lies outside of the view."""

Levels = dict[int, int]


class LiveBook:
    """Both sides of a book, best first: Ticks to Sats. It is replaced as a whole by `show`."""

    def __init__(self, bids: Levels, asks: Levels) -> None:
        """bids, asks: in the order of a book, neither empty nor crossed."""
        self._bids: Levels = {}
        self._asks: Levels = {}
        self._wall = Ns(0)
        self._judged: tuple[int, int] | None = None  # price and quantity of a trade
        self.bid, self.ask = 0, 0
        self.show(bids, asks, Ns(0))

    def show(self, bids: Levels, asks: Levels, wall: Ns) -> None:
        """The market's newest book. wall: the exchange's own time of it, 0 where it gave none."""
        bid, ask = next(iter(bids)), next(iter(asks))
        assert 0 < bid < ask, (bid, ask)
        self._bids, self._asks, self._wall = dict(bids), dict(asks), wall
        self.bid, self.ask = bid, ask

    def judge(self, price: int, qty: int, wall: Ns) -> None:
        """A trade of this time is judged next (Rule 2)."""
        included = not self._wall or wall <= self._wall
        self._judged = (price, qty) if included else None

    def judged(self) -> None:
        """That trade has been judged."""
        self._judged = None

    def move(self, bid: int, ask: int) -> bool:
        """What `show` brought has changed the book."""
        return True

    def hit(self, taker: str, qty: int) -> None:
        """Nothing: the next book of the market tells what is left."""

    def poke(self) -> None:
        """Nothing: a real market lives by itself."""

    def take(self, taker: str, price: int, qty: int) -> None:
        """An order of ours has taken from a level; the next book brings back what it left."""
        side = self._asks if taker == "buy" else self._bids
        left = side.get(price, 0) - qty
        if left > 0:
            side[price] = left
        else:
            side.pop(price, None)

    def qty_at(self, side: str, price: int) -> int:
        """Sats of others at exactly this price; UNKNOWN where the view does not reach."""
        levels, sign = (self._bids, -1) if side == "buy" else (self._asks, 1)
        judged = self._judged
        more = judged[1] if judged is not None and judged[0] == price else 0
        if not levels or price * sign > next(reversed(levels)) * sign:
            return UNKNOWN
        return levels.get(price, 0) + more

    def bids(self) -> Iterator[tuple[int, int]]:
        """(Ticks, Sats), best first, as far as the view reaches."""
        return iter(self._bids.items())

    def asks(self) -> Iterator[tuple[int, int]]:
        """(Ticks, Sats), best first, as far as the view reaches."""
        return iter(self._asks.items())


def levels_of(prices: Sequence[int], qtys: Sequence[int]) -> Levels:
    """One side of a book frame."""
    return dict(zip(prices, qtys, strict=True))
