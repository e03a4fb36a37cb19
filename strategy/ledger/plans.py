"""What to do about the room: stop at the cliff or go beyond, pace the free stock, harvest losses.

Rule: each answer says why in a sentence, a refusal too; nothing here sells anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from msgspec import Struct

from shared.units import cents
from strategy.ledger.events import UNITS_DECIMALS, Units, quantity_of
from strategy.ledger.room import Stock, tax_free, unlocks
from strategy.ledger.year import CENT, ZERO, rules_of, settle

_EXACT: Final = Context(prec=60)
_COIN: Final = 10**UNITS_DECIMALS


class Cliff(Struct, frozen=True):
    """How far the year's net should go. from_again: the net from which going beyond pays; EUR.

    Between the limit and from_again more gain leaves less in the pocket.
    """

    most: Decimal
    from_again: Decimal
    why: str


def cliff(
    year: int, net: Decimal, marginal_rate: Decimal, carried_loss: Decimal, *, beyond: bool
) -> Cliff:
    """Stop one cent below the limit, or go beyond it knowingly. net: external results included.

    A carried loss shields what is above the limit, but is used up by it (TAX.md 3).
    """
    last = cents(rules_of(year).freigrenze) - CENT
    # x - rate * max(0, x - carried) = last, solved for x.
    kept = _EXACT.subtract(Decimal(1), marginal_rate)
    again = max(
        last + CENT,
        _EXACT.divide(last - marginal_rate * carried_loss, kept).quantize(CENT, ROUND_CEILING),
    )
    if net > last:
        return Cliff(net, again, "the limit is passed already: every further gain is taxed")
    if beyond:
        return Cliff(again, again, f"told to go beyond: worth it only from {again} EUR on")
    return Cliff(last, again, f"stops at {last} EUR: from the limit to {again} EUR more is less")


class Pace(Struct, frozen=True):
    """per_day: coins that may be sold each day so that free ones never run out in the horizon.

    days_left: how many days the stock lasts at `wanted` a day, None if longer than the horizon.
    """

    per_day: Units
    days_left: int | None


def pace(
    stock: Sequence[Stock],
    today: date,
    horizon_days: int,
    safety_days: int,
    wanted: int,
    sold: int = 0,
) -> Pace:
    """Spread the free stock and the coming unlocks over the days until the horizon.

    sold: what was sold today already, which stood in the stock when the day began.
    """
    free = tax_free(stock, today, 0, safety_days).prefix + sold
    coming = [0] * (horizon_days + 1)
    for unlock in unlocks(stock, today, safety_days):
        after = (unlock.day - today).days
        if after < horizon_days:
            coming[after] += unlock.qty
    least: int | None = None
    days_left: int | None = None
    had = int(free)
    for day in range(1, horizon_days + 1):
        # What may have been sold by the end of this day, its own unlocks included.
        had += coming[day - 1] if day > 1 else 0
        least = had // day if least is None else min(least, had // day)
        if days_left is None and wanted * day > had:
            days_left = day - 1
    return Pace(Units(least or 0), days_left)


class HarvestLimits(Struct, frozen=True):
    """target_net: where the year's net shall come down to; min_loss: smallest loss worth a sale.

    most_qty: coins that may be sold for it at most, free ones on the way included. for_next_year:
    also where the net is a loss already, to carry it forward.
    """

    target_net: Decimal
    min_loss: Decimal
    per_day: int
    most_qty: Units
    for_next_year: bool = False


class Harvest(Struct, frozen=True):
    """qty 0: refused. loss: what the taxable parts of the sale would lose (a positive number)."""

    qty: Units
    loss: Decimal
    why: str


def harvest(
    stock: Sequence[Stock],
    today: date,
    price: Decimal,
    fee_rate: Decimal,
    net: Decimal,
    limits: HarvestLimits,
    done_today: int,
) -> Harvest:
    """How much to sell at `price` so that losses of taxable lots bring the net to its target.

    FIFO decides which lots go, so all parts before a loss count too (TAX.md 9). There is no rule
    against buying back (BFH IX R 60/07), but the new lot waits a year of its own.
    """
    limit = rules_of(today.year).freigrenze
    if done_today >= limits.per_day:
        return _no(f"{limits.per_day} sales for the tax were made today already")
    # What was begun in pieces (limits.order_quote) goes on to the target, under the limit too.
    begun = done_today > 0 and net > limits.target_net
    if 0 <= net < limit and not begun:
        return _no(f"the year's net of {net} EUR is exempt as it is: a loss would be wasted on it")
    if net < 0 and not limits.for_next_year:
        return _no("the year's net is a loss already, and none shall be made to carry forward")
    needed = net - limits.target_net if net >= limit or begun else None
    best_qty, best_loss, reached = _walk(stock, today, price, fee_rate, needed, limits.most_qty)
    if best_loss <= 0:
        return _no(
            "wish impossible under FIFO because no taxable lot at a loss is reached: "
            f"{_in_the_way(stock, today, price, limits.most_qty)}"
        )
    if best_loss < limits.min_loss:
        return _no(f"the loss within reach, {cents(best_loss)} EUR, is below {limits.min_loss} EUR")
    why = "brings the net to its target" if reached else "all the loss within reach"
    return Harvest(best_qty, cents(best_loss), why)


def _walk(
    stock: Sequence[Stock],
    today: date,
    price: Decimal,
    fee_rate: Decimal,
    needed: Decimal | None,
    most: int,
) -> tuple[Units, Decimal, bool]:
    """(quantity, loss, whether it is all that was needed): the least that is enough, else the best.

    Along the queue the loss grows or shrinks straight within each lot.
    """
    best_qty, best_loss = 0, ZERO
    sold, loss = 0, ZERO
    for lot in stock:
        taken = min(int(lot.qty), most - sold)
        if taken <= 0:
            break
        each = ZERO
        if not tax_free([lot], today, 0, 0).qty:
            cost = _EXACT.divide(lot.cost * _COIN, Decimal(int(lot.qty)))
            each = cost - price * (1 - fee_rate)
        gained = each * taken / _COIN
        if needed is not None and each > 0 and loss + gained >= needed:
            part = _EXACT.divide((needed - loss) * _COIN, each)
            units = max(0, int(part.to_integral_value(ROUND_CEILING)))
            return Units(sold + units), loss + each * units / _COIN, True
        sold, loss = sold + taken, loss + gained
        if loss > best_loss:
            best_qty, best_loss = sold, loss
    return Units(best_qty), best_loss, False


def _in_the_way(stock: Sequence[Stock], today: date, price: Decimal, most: int) -> str:
    """Which lots stand before the first taxable lot at a loss."""
    before = 0
    for lot in stock:
        free = bool(tax_free([lot], today, 0, 0).qty)
        if not free and lot.cost > price * quantity_of(lot.qty):
            what = f"{quantity_of(before)} stand before lot {lot.lot}"
            return f"{what}, and {quantity_of(most)} may be sold" if before >= most else what
        before += lot.qty
    return "there is none"


def _no(why: str) -> Harvest:
    return Harvest(Units(0), ZERO, why)


class AfterTax(Struct, frozen=True):
    """EUR: what a run earned, its tax, what is left; and the same of having held instead."""

    gain: Decimal
    tax: Decimal
    held_gain: Decimal
    held_tax: Decimal

    @property
    def left(self) -> Decimal:
        return self.gain - self.tax

    @property
    def held_left(self) -> Decimal:
        return self.held_gain - self.held_tax


def tax_of_years(
    nets: dict[int, Decimal], marginal_rate: Decimal, external: Decimal = ZERO
) -> Decimal:
    """The tax of a run's years at one marginal rate, losses carried; EUR, rounded down as tax is.

    external: other results under § 23 in each year; the tax they cost by themselves is left out.
    """
    from_all = _taxed({year: net + external for year, net in nets.items()})
    by_itself = _taxed(dict.fromkeys(nets, external))
    return ((from_all - by_itself) * marginal_rate).quantize(CENT, ROUND_FLOOR)


def after_tax(
    nets: dict[int, Decimal],
    gain: Decimal,
    held: tuple[date, date, Decimal],
    marginal_rate: Decimal,
) -> AfterTax:
    """A run after tax beside holding: held is (bought, sold at the end, gain of holding).

    nets: taxable results by year, from `book.nets`; gain: the whole economic result of the run.
    """
    bought, sold, held_gain = held
    young = Stock("held", Units(_COIN), bought)
    held_free = bool(tax_free([young], sold, 0, 0).qty)
    held_nets = {sold.year: ZERO if held_free else held_gain}
    return AfterTax(
        gain,
        tax_of_years(nets, marginal_rate),
        held_gain,
        tax_of_years(held_nets, marginal_rate),
    )


def _taxed(nets: dict[int, Decimal]) -> Decimal:
    return sum((result.taxable for result in settle(nets).values()), ZERO)
