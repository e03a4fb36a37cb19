"""Ticks, Sats, Ns: what a price, a quantity and a moment are, and the only conversions.

Rule 1: what we send is an int, what we book is a Decimal, what we estimate is a float.
Rule 2: each crossing between two of them is one named function of this file.
"""

from __future__ import annotations

import enum
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NewType

from msgspec import Struct

Ticks = NewType("Ticks", int)
"""A price, as a count of 10 ** -price_decimals of the pair's quote currency."""

Sats = NewType("Sats", int)
"""A quantity, as a count of 10 ** -qty_decimals of the base coin (10⁻⁸ for BTC)."""

Ns = NewType("Ns", int)
"""Nanoseconds. `now` counts since boot (never backwards); `*_wall` counts since 1970 UTC."""

SECOND: Final = Ns(1_000_000_000)
MILLISECOND: Final = Ns(1_000_000)
MINUTE: Final = Ns(60 * SECOND)
DAY: Final = Ns(86_400 * SECOND)

BPS: Final = 10_000


class Side(enum.StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def other(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: how the base balance moves."""
        return 1 if self is Side.BUY else -1


class Pair(Struct, frozen=True, gc=False, cache_hash=True):
    """A market as the exchange's instrument channel (or AssetPairs) describes it.

    Nothing here is ever hard-coded: precisions and minima move (KRAKEN.md 2.1).
    """

    symbol: str  # v2 name, "BTC/EUR"
    base: str
    quote: str
    price_decimals: int
    qty_decimals: int
    cost_decimals: int
    price_step: int  # the smallest price increment, in Ticks (1 on BTC pairs)
    qty_step: int  # the smallest quantity increment, in Sats
    qty_min: Sats
    cost_min: Decimal  # quote currency
    status: str = "online"  # a pair state of KRAKEN.md 1.2


def price_of(pair: Pair, ticks: int) -> Decimal:
    """Ticks as an exact price in quote currency."""
    return Decimal(ticks).scaleb(-pair.price_decimals)


def qty_of(pair: Pair, sats: int) -> Decimal:
    """Sats as an exact quantity of the base coin."""
    return Decimal(sats).scaleb(-pair.qty_decimals)


def cost_of(pair: Pair, ticks: int, sats: int) -> Decimal:
    """Price times quantity in quote currency, exact, not rounded."""
    return Decimal(ticks * sats).scaleb(-pair.price_decimals - pair.qty_decimals)


def to_ticks(pair: Pair, price: Decimal) -> Ticks:
    """An exact price as Ticks; ValueError where it has more digits than the pair."""
    return Ticks(_exact(price, pair.price_decimals))


def to_sats(pair: Pair, qty: Decimal) -> Sats:
    """An exact quantity as Sats; ValueError where it has more digits than the pair."""
    return Sats(_exact(qty, pair.qty_decimals))


def float_price(pair: Pair, ticks: float) -> float:
    """Ticks as an estimate in quote currency: for statistics, never for money."""
    return float(ticks) / float(10**pair.price_decimals)


@lru_cache(maxsize=16_384)
def fixed_text(units: int, decimals: int) -> str:
    """A count of 10 ** -decimals as fixed-point text, always with a decimal point.

    Kraken refuses numbers as strings and its error text asks for a `number_float`;
    exponent forms are not confirmed (KRAKEN.md 9.14), so there is always a point and never an e.
    """
    if units < 0:
        return f"-{fixed_text(-units, decimals)}"
    if decimals == 0:
        return f"{units}.0"
    digits = str(units)
    if len(digits) <= decimals:
        digits = digits.zfill(decimals + 1)
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def price_text(pair: Pair, ticks: int) -> str:
    return fixed_text(ticks, pair.price_decimals)


def qty_text(pair: Pair, sats: int) -> str:
    return fixed_text(sats, pair.qty_decimals)


def plain(value: Decimal) -> str:
    """A Decimal as fixed-point text without an exponent (`str` may print 1E-7)."""
    return format(value, "f")


def cents(value: Decimal) -> Decimal:
    """Rounded half up to two places, the convention of TAX.md 2."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _exact(value: Decimal, decimals: int) -> int:
    scaled = value.scaleb(decimals)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{plain(value)} has more than {decimals} decimals")
    return whole
