"""One pair's market: the background, our resting orders in the queue among it, and its tape."""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from shared.units import MILLISECOND, SECOND, Ns, Pair
from sim.engine.candles import Candles
from sim.engine.instruments import Listing
from sim.engine.liquidity import Background, Liquidity
from sim.engine.values import Order, Print
from sim.sources import Hit, Quote, Source

_KEPT_PRINTS: Final = 1_000
_HISTORY_S: Final = 180  # of made-up trades before the opening, so that averages begin filled
POKE_NS: Final = 150 * MILLISECOND
"""How often the background changes a little by itself."""

_NEVER: Final = 1 << 62

Level = tuple[int, int]  # Ticks, Sats


class Meeting(Struct, frozen=True, gc=False):
    """A resting order of ours that the market fills, in Sats, at its own price."""

    order: Order
    qty: int


def _bid_rank(order: Order) -> tuple[int, int]:
    return -order.price, order.place


def _ask_rank(order: Order) -> tuple[int, int]:
    return order.price, order.place


class Market:
    """Price-time priority: better price first, then the background ahead of us, then our place."""

    def __init__(
        self,
        listing: Listing,
        source: Source,
        position: int,
        wall: Ns,
        background: Background | None = None,
    ) -> None:
        """background: of a real market, which does not live by our doing; made up without it."""
        self.listing = listing
        self.pair: Pair = listing.pair
        # Exact: the cost of an order is a count of the same unit.
        least = self.pair.cost_min.scaleb(self.pair.price_decimals + self.pair.qty_decimals)
        self.least_cost = math.ceil(least)
        self.status = "online"
        self.source = source
        source.seek(position)
        touch = source.opening()
        salt = sum(listing.rest.encode())
        self.liquidity: Background = background or Liquidity(self.pair, salt, touch.bid, touch.ask)
        self.own: dict[str, list[Order]] = {"buy": [], "sell": []}  # best first
        self.prints: deque[Print] = deque(maxlen=_KEPT_PRINTS)
        self.candles = Candles()
        self.trade_count = 0
        self.next_poke = position + POKE_NS if background is None else _NEVER
        self.ended = False  # the tape's end has been announced
        self._history = [(hit, wall + hit.at - position) for hit in source.history(_HISTORY_S)]

    def open_tape(self, trade_count: int, skip: int = 0) -> None:
        """Number the tape so that what was traded before we came ends at this number.

        skip: numbers that may have been told before a crash and are not used again.
        """
        self.trade_count = trade_count - len(self._history)
        for hit, wall in self._history:
            self.record(hit.side, hit.price, hit.qty, hit.order_type, Ns(wall))
        self._history = []
        self.trade_count += skip

    def record(self, side: str, price: int, qty: int, order_type: str, wall: Ns) -> Print:
        """One trade for the public tape."""
        self.trade_count += 1
        found = Print(self.pair.symbol, self.trade_count, side, price, qty, order_type, wall)
        self.prints.append(found)
        self.candles.add(wall, price, qty)
        return found

    @property
    def last(self) -> int:
        """The last price, or the mid before any trade. Ticks."""
        return self.prints[-1].price if self.prints else self.liquidity.bid

    def insert(self, order: Order, place: int) -> None:
        """Let an order rest at the end of the queue at its price."""
        order.place = place
        order.ahead = self.liquidity.qty_at(order.side, order.price)
        self.restore(order)

    def restore(self, order: Order) -> None:
        """Let an order rest where it says it stands."""
        insort(self.own[order.side], order, key=_bid_rank if order.side == "buy" else _ask_rank)

    def remove(self, order: Order) -> bool:
        """Take an order out of the queue; whether it stood there."""
        try:
            self.own[order.side].remove(order)
        except ValueError:
            return False
        return True

    def quote(self, tick: Quote) -> tuple[list[Meeting], bool]:
        """Move the background; ours that it went through are filled; whether the book changed."""
        changed = self.liquidity.move(tick.bid, tick.ask)
        met: list[Meeting] = []
        for order in self.own["buy"]:
            if order.price <= tick.ask:
                break
            met.append(Meeting(order, order.left))
        for order in self.own["sell"]:
            if order.price >= tick.bid:
                break
            met.append(Meeting(order, order.left))
        return met, changed

    def hit(self, tick: Hit) -> list[Meeting]:
        """A trade of others: ours at better prices are filled, ours at its price in turn."""
        met: list[Meeting] = []
        for side, sign in (("buy", 1), ("sell", -1)):
            ours = 0
            for order in self.own[side]:
                beyond = (order.price - tick.price) * sign
                if beyond < 0:
                    break
                if beyond > 0:
                    # A buyer cannot trade through our bid, nor a seller through our ask.
                    if (tick.side == "sell") == (side == "buy"):
                        met.append(Meeting(order, order.left))
                    continue
                # Whoever stood before us and left makes room.
                ahead = min(order.ahead, self.liquidity.qty_at(side, order.price))
                order.ahead = max(0, ahead - tick.qty)
                part = min(order.left, max(0, tick.qty - ahead - ours))
                if part:
                    ours += part
                    met.append(Meeting(order, part))
        return met

    def best(self, side: str) -> int | None:
        """The best price of a side of the whole book."""
        sign = 1 if side == "sell" else -1
        facing, ours = self.own["buy" if side == "sell" else "sell"], self.own[side]
        for price, _ in self.liquidity.asks() if side == "sell" else self.liquidity.bids():
            if facing and price * sign <= facing[0].price * sign:
                continue  # as in `levels`: it does not show through our best order
            return ours[0].price if ours and ours[0].price * sign < price * sign else price
        return ours[0].price if ours else None

    def levels(self, side: str) -> Iterator[tuple[int, int, int]]:
        """(Ticks, Sats of the background, Sats of ours), best first.

        The background shows nothing at or through our best order of the other side: the book
        is never crossed nor locked.
        """
        sign = 1 if side == "sell" else -1
        background = self.liquidity.asks() if side == "sell" else self.liquidity.bids()
        facing = self.own["buy" if side == "sell" else "sell"]
        limit = facing[0].price * sign if facing else None
        ours = self._own_levels(side)
        index = 0
        for price, qty in background:
            if limit is not None and price * sign <= limit:
                continue
            while index < len(ours) and ours[index][0] * sign < price * sign:
                yield ours[index][0], 0, ours[index][1]
                index += 1
            if index < len(ours) and ours[index][0] == price:
                yield price, qty, ours[index][1]
                index += 1
            else:
                yield price, qty, 0
        for price, qty in ours[index:]:
            yield price, 0, qty

    def view(self, side: str, depth: int) -> list[Level]:
        """The best levels of a side as everybody sees them."""
        if not self.own["buy"] and not self.own["sell"]:
            book = self.liquidity
            return list(islice(book.asks() if side == "sell" else book.bids(), depth))
        return [(price, qty + own) for price, qty, own in islice(self.levels(side), depth)]

    def poke(self, position: int) -> bool:
        """Let the background live; whether it did. Jumps over long pauses."""
        if position < self.next_poke:
            return False
        self.liquidity.poke()
        self.next_poke += POKE_NS
        if position - self.next_poke > SECOND:
            self.next_poke = position + POKE_NS
        return True

    def _own_levels(self, side: str) -> list[Level]:
        found: list[Level] = []
        for order in self.own[side]:
            if found and found[-1][0] == order.price:
                found[-1] = (order.price, found[-1][1] + order.left)
            else:
                found.append((order.price, order.left))
        return found
