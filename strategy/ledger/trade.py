"""A trade: what one fill of ours means for the lots of its coin, or that it means nothing sound."""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple

from shared.orders import Filled
from shared.units import Ns, Sats, Side, plain

SATS_DECIMALS: Final = 8  # of every coin that is a base here; a fill says its quantity so

UNKNOWN: Final = ""
"""In place of a lot's exec_id: coins that were sold and of which no purchase is known."""

_LARGEST_COUNT: Final = 10**18
LARGEST: Final = Decimal(_LARGEST_COUNT)
LATEST: Final = Ns(7_258_118_400_000_000_000)  # the year 2200: a date beyond it is a fault

EXACT: Final = Context(prec=60)
"""Sixty digits: costs and fees are added and scaled in it without rounding."""

_NOTHING: Final = Decimal(0)


class Trade(Struct, frozen=True, order=True, gc=False):
    """What a fill of ours means for the lots. Sorted by its first three fields.

    qty: coins traded; fee_qty: coins taken as fee on top of a sale or out of a purchase (rounded
    up, so that the book never shows a coin the account lacks); cost, fee: quote currency.
    """

    wall: Ns
    trade_id: int
    exec_id: str
    pair: str
    side: Side
    qty: Sats
    fee_qty: Sats
    cost: Decimal
    fee: Decimal

    @property
    def currency(self) -> str:
        return self.pair.partition("/")[2]

    @property
    def moved(self) -> Sats:
        """How many coins the account has more (a purchase) or fewer (a sale) by this trade."""
        return Sats(self.qty - self.fee_qty if self.side is Side.BUY else self.qty + self.fee_qty)


def coin_of(pair: str) -> str:
    """The base coin of a v2 symbol: BTC of BTC/EUR."""
    return pair.partition("/")[0]


def trade_of(fill: Filled) -> Trade | None:
    """What a fill means for the lots, its fees by the asset actually charged; None if faulty.

    A fee in a third asset (a voucher such as KFEE) moves neither the coin nor the quote currency.
    It stays with the fill.
    """
    base, _, quote = fill.pair.partition("/")
    if not _is_amount(fill.cost):
        return None
    in_base = in_quote = _NOTHING
    for asset, amount in fill.fees:
        if not _is_amount(amount):
            return None
        if asset == base:
            in_base += amount
        elif asset == quote:
            in_quote += amount
    trade = Trade(
        wall=fill.wall,
        trade_id=fill.trade_id,
        exec_id=fill.exec_id,
        pair=fill.pair,
        side=fill.side,
        qty=fill.qty,
        fee_qty=Sats(int(in_base.scaleb(SATS_DECIMALS, EXACT).to_integral_value(ROUND_CEILING))),
        cost=fill.cost,
        fee=in_quote,
    )
    sound = (
        fill.exec_id != UNKNOWN
        and bool(base and quote)
        and 0 < fill.wall < LATEST
        and 0 <= fill.trade_id < _LARGEST_COUNT
        and 0 < fill.price < _LARGEST_COUNT
        and 0 < fill.qty < _LARGEST_COUNT
        and fill.cost >= 0
        and trade.fee_qty >= 0
        and trade.moved > 0
    )
    return trade if sound else None


def _is_amount(amount: Decimal) -> bool:
    return amount.is_finite() and abs(amount) < LARGEST


def fingerprint(trade: Trade) -> int:
    """A number of 256 bits that names the trade with all its values."""
    text = "|".join(
        [plain(value) if isinstance(value, Decimal) else str(value) for value in astuple(trade)]
    )
    return int.from_bytes(hashlib.sha256(text.encode()).digest())
