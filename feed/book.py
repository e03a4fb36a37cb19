"""An order book of depth N that is verified by its checksum after every message.

Rule 1: a message is applied whole, truncated once, then verified. Never in between.
Rule 2: whatever was not `Applied` shows nothing: the caller publishes no level of it.

A side is three parallel lists, best first: signed prices (negative for bids, so that both sides
rise), quantities, and the text that each level adds to the checksum. A sentinel ends the prices, so
that a search always lands on an element. Text and checksum are rebuilt only where a level of the
best ten was touched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Generic, NoReturn
from zlib import crc32

from msgspec import Struct

from shared.kraken.checksum import TOP
from shared.kraken.public import BookRow, Level, Number

INF: Final = 1 << 62
"""The sentinel: above every price."""

EXACT_BELOW: Final = 10**15
"""Floats with at most 15 significant digits round to the very digits that were written."""


class Applied(Struct, frozen=True):
    """Applied and verified; both sides have levels and do not overlap."""


class Mismatch(Struct, frozen=True):
    """The checksum is wrong: the book is worth nothing until the next snapshot."""

    expected: int
    found: int


class Crossed(Struct, frozen=True):
    """Verified, but the best bid is not below the best ask."""

    bid: int
    ask: int


class OneSided(Struct, frozen=True):
    """Verified, but a side is empty."""


class Imprecise(Struct, frozen=True):
    """A float has too many digits: apply the same message again, decoded exactly."""


class Unusable(Struct, frozen=True):
    """A number that no price or quantity can be: the book is worth nothing any more."""

    why: str


Result = Applied | Mismatch | Crossed | OneSided | Imprecise | Unusable

APPLIED: Final = Applied()
ONE_SIDED: Final = OneSided()
IMPRECISE: Final = Imprecise()


class Book:
    """One pair's book in Ticks and Sats.

    depth: as subscribed; 10, 25, 100, 500 or 1000. Decimals: as the instrument channel says.
    """

    __slots__ = ("_asks", "_bids", "_crc", "_decimals", "_floats")

    def __init__(self, depth: int, price_decimals: int, qty_decimals: int) -> None:
        assert depth >= TOP, depth
        self._bids = _Side(depth)
        self._asks = _Side(depth)
        self._crc = 0
        self._floats: _Scale[float] = _Scale(
            10.0**price_decimals, 10.0**qty_decimals, 0.5, EXACT_BELOW
        )
        self._decimals: _Scale[Decimal] = _Scale(
            Decimal(10**price_decimals), Decimal(10**qty_decimals), Decimal("0.5"), INF
        )

    def apply(self, row: BookRow[float], snapshot: bool) -> Result:
        """Apply one message and verify it. A snapshot begins with an empty book."""
        return self._apply(row, snapshot, self._floats)

    def apply_exact(self, row: BookRow[Decimal], snapshot: bool) -> Result:
        """As `apply`, for a message whose digits do not fit into floats."""
        result = self._apply(row, snapshot, self._decimals)
        return Unusable("a price or quantity that is too large") if result is IMPRECISE else result

    def _apply(self, row: BookRow[Number], snapshot: bool, scale: _Scale[Number]) -> Result:
        bids, asks = self._bids, self._asks
        if snapshot:
            bids.clear()
            asks.clear()
        try:
            touched = bids.edit(row.bids, -1, scale)
            touched = asks.edit(row.asks, 1, scale) or touched
        except _DigitsError:
            return IMPRECISE
        except (_RangeError, OverflowError, ValueError) as error:
            return Unusable(str(error))
        if touched or snapshot:
            self._crc = crc32((asks.text() + bids.text()).encode())
        if self._crc != row.checksum:
            return Mismatch(row.checksum, self._crc)
        bid, ask = -bids.prices[0], asks.prices[0]
        if bid == -INF or ask == INF:
            return ONE_SIDED
        return APPLIED if bid < ask else Crossed(bid, ask)

    def bids(self, most: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The best prices (Ticks) and their quantities (Sats), best first."""
        prices, qtys = self._bids.prices[:-1], self._bids.qtys
        return tuple([-price for price in prices[:most]]), tuple(qtys[:most])

    def asks(self, most: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """As `bids`."""
        prices, qtys = self._asks.prices[:-1], self._asks.qtys
        return tuple(prices[:most]), tuple(qtys[:most])


class _DigitsError(Exception):
    """An int this large may not be what was written."""


class _RangeError(Exception):
    """Negative, zero price, or infinite."""


class _Scale(Struct, Generic[Number], frozen=True, gc=False):
    """How numbers of the wire become ints: `int(x * scale + half)`, exact below `limit`."""

    price: Number
    qty: Number
    half: Number
    limit: int


class _Side:
    __slots__ = ("_depth", "_dirty", "_text", "prices", "qtys", "texts")

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.prices: list[int] = [INF]
        self.qtys: list[int] = []
        self.texts: list[str] = []
        self._text = ""
        self._dirty = False

    def clear(self) -> None:
        self.prices = [INF]
        self.qtys = []
        self.texts = []
        self._dirty = True

    def text(self) -> str:
        """What this side adds to the checksum."""
        if self._dirty:
            self._text = "".join(self.texts[:TOP])
            self._dirty = False
        return self._text

    def edit(self, levels: Sequence[Level[Number]], sign: int, scale: _Scale[Number]) -> bool:
        """Set and delete levels in their order, then truncate; True if one of the ten changed."""
        if not levels:
            return False
        prices, qtys, texts = self.prices, self.qtys, self.texts
        price_scale, qty_scale, half, limit = scale.price, scale.qty, scale.half, scale.limit
        touched = False
        for level in levels:
            ticks = int(level.price * price_scale + half)
            if not 0 < ticks < limit:
                _refuse(ticks, limit)
            price = ticks * sign
            at = bisect_left(prices, price)
            if level.qty:
                sats = int(level.qty * qty_scale + half)
                if not 0 < sats < limit:
                    _refuse(sats, limit)
                if prices[at] == price:
                    qtys[at] = sats
                    texts[at] = f"{ticks}{sats}"
                else:
                    prices.insert(at, price)
                    qtys.insert(at, sats)
                    texts.insert(at, f"{ticks}{sats}")
            elif prices[at] == price:
                del prices[at], qtys[at], texts[at]
            else:
                continue  # Deleting what is not held changes nothing.
            if at < TOP:
                touched = True
        if len(qtys) > self._depth:
            # Kraken sends no deletion for a level that an insertion pushed out.
            depth = self._depth
            del prices[depth:-1], qtys[depth:], texts[depth:]
        if touched:
            self._dirty = True
        return touched


def _refuse(units: int, limit: int) -> NoReturn:
    if units >= limit:
        raise _DigitsError
    raise _RangeError("a price or quantity that is not above 0")
