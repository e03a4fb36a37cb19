"""Deposits and withdrawals: what changed the balances though nothing of ours was traded.

The books hold what we can account for: the balances as they were once, and every fill since. A
gap between them and the exchange's balances that stays the same for a while, and after a list and
a history that were asked for later, is no fill on its way: somebody has moved money. Equity is
measured on the books, so such a gap is neither gain nor loss, before it is recognised or after.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from shared.orders import Filled
from shared.units import SECOND, Ns

PERSISTS: Final = Ns(10 * SECOND)
ASK_AFTER: Final = Ns(2 * SECOND)
COIN_DECIMALS: Final = 8
_NONE: Final = Decimal(0)

Gap = tuple[tuple[str, Decimal], ...]
"""(asset, balance less books) where they differ, in the order of the assets' names."""


class Books(Struct, frozen=True):
    """expected: what we can account for; empty until the first sync. since: of this gap."""

    expected: dict[str, Decimal] = {}
    gap: Gap = ()
    since: Ns = Ns(0)


def entered(books: Books, fill: Filled) -> Books:
    """The books after a fill of ours."""
    if not books.expected:
        return books
    base, _, quote = fill.pair.partition("/")
    expected = dict(books.expected)
    coins = Decimal(fill.qty).scaleb(-COIN_DECIMALS) * fill.side.sign
    for asset, change in ((base, coins), (quote, -fill.side.sign * fill.cost)):
        expected[asset] = expected.get(asset, Decimal(0)) + change
    for asset, fee in fill.fees:
        expected[asset] = expected.get(asset, Decimal(0)) - fee
    return Books(expected, books.gap, books.since)


def compare(books: Books, totals: Mapping[str, Decimal], assets: tuple[str, ...], now: Ns) -> Books:
    """The books held against the exchange's balances of these assets."""
    known = ((each, totals.get(each, _NONE) - books.expected.get(each, _NONE)) for each in assets)
    gap = tuple((asset, change) for asset, change in known if change)
    if gap == books.gap:
        return books
    return Books(books.expected, gap, now if gap else Ns(0))


def wants_list(books: Books, listed_at: Ns, now: Ns) -> bool:
    """Whether to ask the exchange for its list and history because of the gap."""
    return bool(books.gap) and now - books.since >= ASK_AFTER and listed_at <= books.since


def is_flow(books: Books, listed_at: Ns, now: Ns) -> bool:
    """Whether the gap has stayed for so long that no fill can explain it any more."""
    return bool(books.gap) and now - books.since >= PERSISTS and listed_at > books.since


def opened(totals: Mapping[str, Decimal]) -> Books:
    """The books begun anew with what there is."""
    return Books(dict(totals))
