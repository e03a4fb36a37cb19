"""The other traders' resting orders: a lattice of made-up quantities around a touch.

A level's price and quantity are functions of its place in the lattice and of a salt, so the book
costs no memory, stays where it is while the touch wanders, and is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final, Protocol

from shared.units import Pair

# Typical sizes of a level in quote currency: much dust, some orders, few large ones.
_SIZES: Final = (
    *(5, 5, 12, 25, 25, 60, 90, 140, 260, 420, 700, 1_100, 2_000, 2_600, 4_200, 6_000),
    *(8_400, 9_500, 12_000, 16_000, 21_000, 26_000, 33_000, 42_000, 52_000, 66_000, 84_000),
    *(110_000, 140_000, 190_000, 260_000, 340_000),
)
_HIDDEN: Final = 5  # one place of so many is empty at first
_REACH: Final = 14  # how many places from the touch the small changes happen
_MOST_CHANGES: Final = 512
_MOST_KNOWN: Final = 16_384


def mix(value: int) -> int:
    """A number scattered over 32 bits: the chance of a place in the lattice."""
    value = (value ^ (value >> 16)) * 0x45D9F3B & 0xFFFFFFFF
    value = (value ^ (value >> 16)) * 0x45D9F3B & 0xFFFFFFFF
    return value ^ (value >> 16)


class Background(Protocol):
    """Everybody else's resting orders: made up (`Liquidity`), or a real market's (`LiveBook`)."""

    @property
    def bid(self) -> int: ...

    @property
    def ask(self) -> int: ...

    def move(self, bid: int, ask: int) -> bool: ...

    def hit(self, taker: str, qty: int) -> None: ...

    def take(self, taker: str, price: int, qty: int) -> None: ...

    def poke(self) -> None: ...

    def qty_at(self, side: str, price: int) -> int: ...

    def bids(self) -> Iterator[tuple[int, int]]: ...

    def asks(self) -> Iterator[tuple[int, int]]: ...


class Liquidity:
    """Background levels of one pair. Bids lie below asks, always."""

    def __init__(self, pair: Pair, salt: int, bid: int, ask: int) -> None:
        assert 0 < bid < ask, (bid, ask)
        self._salt = mix(salt * 2654435761 & 0xFFFFFFFF)
        self._scale = int(10 ** (pair.price_decimals + pair.qty_decimals))
        self._step = max(2, bid // 25_000)
        self._changed: dict[int, int] = {}  # place -> Sats; what differs from the lattice
        self._known: dict[int, tuple[int, int]] = {}  # what the salt says, computed once
        self._pokes = 0
        self.bid = bid
        self.ask = ask
        self.bid_qty = self._touch_qty(bid)
        self.ask_qty = self._touch_qty(ask)

    def move(self, bid: int, ask: int) -> bool:
        """Put the touch elsewhere; whether anything changed."""
        assert 0 < bid < ask, (bid, ask)
        changed = False
        if bid != self.bid:
            self.bid, self.bid_qty, changed = bid, self._touch_qty(bid), True
        if ask != self.ask:
            self.ask, self.ask_qty, changed = ask, self._touch_qty(ask), True
        return changed

    def hit(self, taker: str, qty: int) -> None:
        """A trade at the touch takes from it; an emptied touch is refilled by others at once."""
        if taker == "buy":
            left = self.ask_qty - qty
            self.ask_qty = left if left > 0 else self._fresh_qty(self.ask)
        else:
            left = self.bid_qty - qty
            self.bid_qty = left if left > 0 else self._fresh_qty(self.bid)

    def take(self, taker: str, price: int, qty: int) -> None:
        """An order of ours takes from a level, which disappears when it is emptied."""
        if taker == "buy" and price == self.ask:
            self.ask_qty -= qty
            if self.ask_qty <= 0:
                self.ask, self.ask_qty = self._next(self._above(price))
        elif taker == "sell" and price == self.bid:
            self.bid_qty -= qty
            if self.bid_qty <= 0:
                self.bid, self.bid_qty = self._next(self._below(price))
        else:
            place = price // self._step
            self._changed[place] = max(0, self._qty(place) - qty)

    def poke(self) -> None:
        """One small change near the touch: a level comes, goes or changes its quantity."""
        self._pokes += 1
        dice = mix(self._pokes ^ self._salt)
        offset = 1 + dice % _REACH
        touch = self.bid if dice & 0x10000 else self.ask
        place = touch // self._step + (-offset if dice & 0x10000 else offset)
        if place <= 0:
            return
        if len(self._changed) >= _MOST_CHANGES:
            self._changed.clear()
        gone = dice >> 20 & 7 == 0 and self._qty(place) > 0
        self._changed[place] = 0 if gone else self._size(dice >> 8, self._price(place))

    def qty_at(self, side: str, price: int) -> int:
        """Background Sats resting at exactly this price on this side; 0 where nothing rests."""
        if side == "buy":
            if price >= self.bid:
                return self.bid_qty if price == self.bid else 0
        elif price <= self.ask:
            return self.ask_qty if price == self.ask else 0
        place = price // self._step
        return self._qty(place) if self._price(place) == price else 0

    def bids(self) -> Iterator[tuple[int, int]]:
        """(Ticks, Sats), best first, without end but for the price of nothing."""
        yield self.bid, self.bid_qty
        yield from self._below(self.bid)

    def asks(self) -> Iterator[tuple[int, int]]:
        """(Ticks, Sats), best first, without end."""
        yield self.ask, self.ask_qty
        yield from self._above(self.ask)

    def _below(self, price: int) -> Iterator[tuple[int, int]]:
        changed = self._changed
        for place in range(price // self._step, 0, -1):
            at, usual = self._level(place)
            if at < price and (qty := changed.get(place, usual)):
                yield at, qty

    def _above(self, price: int) -> Iterator[tuple[int, int]]:
        changed = self._changed
        for place in count(price // self._step):
            at, usual = self._level(place)
            if at > price and (qty := changed.get(place, usual)):
                yield at, qty

    def _next(self, levels: Iterator[tuple[int, int]]) -> tuple[int, int]:
        # The lowest bid of all is one tick: a market without any bid does not occur.
        return next(levels, (1, self._fresh_qty(1)))

    def _price(self, place: int) -> int:
        return self._level(place)[0]

    def _qty(self, place: int) -> int:
        return self._changed.get(place, self._level(place)[1])

    def _level(self, place: int) -> tuple[int, int]:
        """Price and usual quantity of a place, from the salt alone."""
        found = self._known.get(place)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            price = place * self._step + mix(place ^ self._salt) % self._step
            dice = mix(place * 31 ^ self._salt)
            qty = 0 if dice % _HIDDEN == 0 else self._size(dice >> 4, place * self._step)
            found = self._known[place] = price, qty
        return found

    def _touch_qty(self, price: int) -> int:
        place = price // self._step
        found = self._qty(place) if self._price(place) == price else 0
        return found or self._size(mix(price ^ self._salt) >> 4, price)

    def _fresh_qty(self, price: int) -> int:
        self._pokes += 1
        return self._size(mix(self._pokes * 7 ^ self._salt) >> 4, price)

    def _size(self, dice: int, price: int) -> int:
        quote = _SIZES[dice % len(_SIZES)] * (64 + (dice >> 8) % 64)
        return max(5_000, quote * self._scale // (96 * max(1, price)))
