"""How much may be sold: free of tax, and within what the year has room for.

Rule 1: a sale takes the oldest coins, so the free stock is a prefix of the queue (TAX.md 10).
Rule 2: resting sells may fill in any order and in part. The dear ones may fill last, when only
taxable coins are left; a set of orders is placed only if its worst course stays in the room.
Rule 3: exactly the Freigrenze is taxable already: room ends one cent below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from msgspec import Struct

from shared.units import cents
from strategy.ledger.events import UNITS_DECIMALS, Units, euros, quantity_of
from strategy.ledger.parts import OpenLot, day_of
from strategy.ledger.tax import anniversary, first_free_day
from strategy.ledger.year import CENT, ZERO, rules_of

_EXACT: Final = Context(prec=60)
_COIN: Final = 10**UNITS_DECIMALS
_FINE: Final = Decimal("1e-12")


class Stock(Struct, frozen=True, gc=False):
    """An open lot as the gate sees it. acquired: its German day; cost: EUR, for all of `qty`.

    doubted: its year ends about now, so a loss of it may not count any more, a gain still may.
    """

    lot: str
    qty: Units
    acquired: date
    cost: Decimal = ZERO
    doubted: bool = False


class Unlock(Struct, frozen=True):
    """From `day` on, this lot may be sold free of tax."""

    day: date
    qty: Units
    lot: str


class Free(Struct, frozen=True):
    """qty: what may be sold free of tax today, beyond what is reserved. prefix: reserved too."""

    qty: Units
    prefix: Units
    next_unlock: Unlock | None


class Resting(Struct, frozen=True):
    """What an open sell may still sell, at EUR a coin. A fee only lowers the gain: left out."""

    price: Decimal
    qty: Units


def stock_of(lots: Iterable[OpenLot], today: date = date.min) -> list[Stock]:
    """The queue of one account and coin as the gate sees it, first to be sold first.

    today: by the German calendar; from the anniversary on the loss of a lot is doubted, for a
    resting sell may fill a day later, and in the safety days the book counts the lot as free.
    """
    found = []
    for lot in lots:
        acquired = day_of(lot.basis.wall)
        doubted = today >= anniversary(acquired)
        found.append(Stock(lot.basis.id, lot.qty, acquired, euros(lot.cost), doubted))
    return found


def without_first(stock: Sequence[Stock], gone: int) -> list[Stock]:
    """The queue without its first units, which are `gone`."""
    found = []
    for lot in stock:
        taken = min(gone, int(lot.qty))
        gone -= taken
        if taken == 0:
            found.append(lot)
        elif taken < lot.qty:
            cost = lot.cost * (lot.qty - taken) / lot.qty
            found.append(Stock(lot.lot, Units(lot.qty - taken), lot.acquired, cost, lot.doubted))
    return found


# What is free.


def tax_free(stock: Sequence[Stock], today: date, reserved: int, safety_days: int) -> Free:
    """The largest quantity whose sale is free of tax, and what becomes free next.

    reserved: what resting sells (their fees in coins too) and pending withdrawals may still take.
    """
    prefix = 0
    coming = None
    for lot in stock:
        if not _is_free(lot, today, safety_days):
            coming = Unlock(_free_from(lot, safety_days), lot.qty, lot.lot)
            break
        prefix += lot.qty
    return Free(Units(max(0, prefix - reserved)), Units(prefix), coming)


def unlocks(stock: Iterable[Stock], today: date, safety_days: int) -> list[Unlock]:
    """Every lot that is locked today and the day it comes free, earliest first."""
    return [
        Unlock(_free_from(lot, safety_days), lot.qty, lot.lot)
        for lot in stock
        if not _is_free(lot, today, safety_days)
    ]


def _free_from(lot: Stock, safety_days: int) -> date:
    return first_free_day(lot.acquired) + timedelta(days=safety_days)


def _is_free(lot: Stock, today: date, safety_days: int) -> bool:
    return today >= _free_from(lot, safety_days)


# What the year has room for.


def taxable_room(
    year: int, net: Decimal, external: Decimal, buffer: Decimal, own_limit: Decimal | None = None
) -> Decimal:
    """EUR of taxable gain that may still be made this year; negative once the limit is passed.

    net: the worse of the year's totals with and without the currency leg. external: the person's
    other results under § 23. buffer: for rates not yet published. own_limit lowers the limit.
    """
    limit = rules_of(year).freigrenze
    if own_limit is not None:
        limit = min(limit, own_limit)
    return cents(limit) - CENT - net - external - buffer


def worst_gain(resting: Sequence[Resting], stock: Sequence[Stock], free: int) -> Decimal | None:
    """The largest taxable gain these sells can leave behind at any moment, EUR, rounded up.

    free: units at the front of the queue that are free of tax. For every t up to what reaches
    beyond them: the proceeds of the t dearest units less the FIFO cost of units free to free + t.
    Between two borders of orders or lots that is a straight line, so the borders decide. None
    where the sells stay within the free units. Coins beyond the known ones cost nothing.
    """
    reach = sum(order.qty for order in resting) - free
    if reach <= 0:
        return None
    orders = _dearest(resting)
    lowest = orders[-1].price
    lots = [(qty, min(each, lowest) if shy else each) for qty, each, shy in _behind(stock, free)]
    lots.append((reach, ZERO))
    gain = worst = ZERO
    place, rest = 0, 0
    for order in orders:
        left = min(int(order.qty), reach)
        reach -= left
        while left > 0:
            if rest == 0:
                rest, each = lots[place]
                place += 1
            piece = min(left, rest)
            left, rest = left - piece, rest - piece
            gain = _EXACT.add(gain, _EXACT.multiply(order.price - each, Decimal(piece)))
            worst = max(worst, gain)
    fine = (worst / _COIN).quantize(_FINE, ROUND_HALF_EVEN, _EXACT)
    return fine.quantize(CENT, ROUND_CEILING, _EXACT)


def fits(resting: Sequence[Resting], stock: Sequence[Stock], free: int, room: Decimal) -> bool:
    """Whether all these sells may rest: however they fill, the gain stays within the room."""
    worst = worst_gain(resting, stock, free)
    return worst is None or worst <= room


def most_at(
    price: Decimal,
    wanted: int,
    resting: Sequence[Resting],
    stock: Sequence[Stock],
    free: int,
    room: Decimal,
    step: int = 1,
) -> Units:
    """The largest quantity, in steps, that one more sell at `price` may have beside the others."""
    low, high = 0, wanted // step
    while low < high:
        # More quantity never lowers the worst case, so halving finds the border.
        middle = (low + high + 1) // 2
        if fits([*resting, Resting(price, Units(middle * step))], stock, free, room):
            low = middle
        else:
            high = middle - 1
    return Units(low * step)


def _dearest(resting: Sequence[Resting]) -> list[Resting]:
    return sorted((order for order in resting if order.qty > 0), key=lambda order: -order.price)


def _behind(stock: Sequence[Stock], free: int) -> Iterator[tuple[int, Decimal, bool]]:
    """(qty, cost of a unit times a coin's units, doubted) of what lies behind the free units."""
    for lot in stock:
        taken = min(free, lot.qty)
        free -= taken
        if lot.qty > taken:
            each = _EXACT.divide(lot.cost * _COIN, Decimal(int(lot.qty)))
            yield lot.qty - taken, each, lot.doubted


# Near the threshold.


class Guarded(Struct, frozen=True):
    """The first locked lot is close to its free day: voluntary sales must not reach into it."""

    lot: str
    day: date
    days: int
    saves: Decimal
    why: str


def near_threshold(
    stock: Sequence[Stock],
    today: date,
    price: Decimal,
    days: int,
    safety_days: int,
    marginal_rate: Decimal,
) -> Guarded | None:
    """Whether the first locked lot is worth waiting for: free within `days`, and at a gain.

    A lot at a loss is the reverse: its loss counts only until the anniversary (TAX.md 10).
    saves: the tax that waiting saves at the marginal rate, EUR.
    """
    locked = next((lot for lot in stock if not _is_free(lot, today, safety_days)), None)
    if locked is None:
        return None
    day = _free_from(locked, safety_days)
    gain = price * quantity_of(locked.qty) - locked.cost
    left = (day - today).days
    if left > days or gain <= 0:
        return None
    return Guarded(
        locked.lot,
        day,
        left,
        cents(gain * marginal_rate),
        f"lot {locked.lot} is free of tax in {left} days ({day}): not sold before",
    )


# What a sale would do.


class Preview(Struct, frozen=True):
    """A sale of `qty` at a price: (lot, qty, gain, taxable) of each piece; gains before fees."""

    pieces: tuple[tuple[str, Units, Decimal, bool], ...]
    taxable_gain: Decimal
    free_gain: Decimal
    unknown: Units

    def told(self) -> str:
        """One line for the record of an emergency sale."""
        lots = ", ".join(
            f"{quantity_of(qty)} of {lot} ({'taxable' if taxable else 'free'} {gain})"
            for lot, qty, gain, taxable in self.pieces
        )
        return f"expected taxable gain {self.taxable_gain} EUR: {lots or 'no known lot'}"


def preview(stock: Sequence[Stock], qty: int, price: Decimal, today: date) -> Preview:
    """Which lots a sale would take today and what it would gain, by the book's calendar.

    For the record of what breaks the gate (an emergency sale), and for `what if`.
    """
    pieces = []
    taxable_gain = free_gain = ZERO
    for lot in stock:
        taken = min(qty, lot.qty)
        if taken <= 0:
            break
        qty -= taken
        part = _EXACT.divide(_EXACT.multiply(lot.cost, Decimal(taken)), Decimal(int(lot.qty)))
        gain = cents(price * quantity_of(taken) - part)
        taxable = not _is_free(lot, today, 0)
        pieces.append((lot.lot, Units(taken), gain, taxable))
        if taxable:
            taxable_gain += gain
        else:
            free_gain += gain
    unknown = max(0, qty)
    taxable_gain += cents(price * quantity_of(unknown))
    return Preview(tuple(pieces), taxable_gain, free_gain, Units(unknown))
