"""What the tax allows, from the exchange's own trades: the lab's second opinion on the gate.

Deliberately told in another way than the gate tells it: each moment at which an order or a lot is
used up is looked at by itself, in exact fractions, from the sales' bookings and not from the book.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from shared.orders import Filled
from shared.settings_watch import Tax
from shared.units import Ns, fixed_text
from strategy.ledger.lots import Disposal, Lots
from strategy.ledger.tax import berlin_day
from strategy.ledger.year import rules_of

ROUNDED = Fraction(1, 10)
"""EUR by which a sum of rounded fills may differ from the exact one."""

Sell = tuple[Decimal, int]
"""Price in EUR a coin, and the Sats that may still be sold at it."""


class TaxTruth:
    """Lots and the year's result, booked at the exchange."""

    def __init__(self, coin: str, tax: Tax) -> None:
        self.lots = Lots(coin)
        self._tax = tax
        self._nets: dict[int, Fraction] = {}

    def book(self, fill: Filled) -> None:
        booking = self.lots.book(fill)
        if isinstance(booking, Disposal):
            year = berlin_day(fill.wall).year
            for part in booking.parts:
                if part.taxable:
                    gain = Fraction(part.proceeds) - Fraction(part.cost) - Fraction(part.fee)
                    self._nets[year] = self._nets.get(year, Fraction(0)) + gain

    def passed_by(self, fill: Filled) -> Fraction:
        """By how many EUR the year has passed its limit with this sale; 0 where it has not."""
        room = self._room(fill.wall)
        self.book(fill)
        left = self._room(fill.wall)
        return -left if left < min(room, -ROUNDED) else Fraction(0)

    def objection(self, sells: Sequence[Sell], wall: Ns) -> str:
        """Why these sells must not all rest; "" if in any order they stay within the year."""
        safety = self._tax.holding_safety_days
        free = self.lots.free_prefix(wall, safety)
        resting = sum(left for _, left in sells)
        if resting <= free:
            return ""
        costs = self._costs(free)
        room = self._room(wall)
        for moment in self._moments(sells, costs, resting - free):
            gain = _dearest(sells, moment) - _oldest(costs, moment)
            if gain > room + ROUNDED:
                coins = [fixed_text(each, 8) for each in (resting, free)]
                return (
                    f"sells of {coins[0]} rest, {coins[1]} are free of tax, and in the worst order "
                    f"they gain {float(gain):.2f} EUR of a room of {float(room):.2f}"
                )
        return ""

    def _room(self, wall: Ns) -> Fraction:
        year = berlin_day(wall).year
        limit = min(rules_of(year).freigrenze, self._tax.annual_exemption_eur)
        other = Fraction(self._tax.of_year(year).external_s23_net_eur)
        return Fraction(limit) - Fraction(1, 100) - other - self._nets.get(year, Fraction(0))

    def _costs(self, free: int) -> list[tuple[int, Fraction]]:
        """(Sats, EUR a Sat) of the lots behind the free coins."""
        found = []
        for lot in self.lots.open_lots():
            taken = min(free, int(lot.left))
            free -= taken
            if lot.left > taken:
                found.append((lot.left - taken, Fraction(lot.cost_left) / lot.left))
        return found

    def _moments(
        self, sells: Sequence[Sell], costs: list[tuple[int, Fraction]], most: int
    ) -> list[int]:
        """After how many taxable Sats an order or a lot ends, and the end."""
        found, by_order, by_lot = {most}, 0, 0
        for _, left in sorted(sells, reverse=True):
            by_order += left
            found.add(by_order)
        for qty, _ in costs:
            by_lot += qty
            found.add(by_lot)
        return sorted(moment for moment in found if moment <= most)


def _dearest(sells: Sequence[Sell], sats: int) -> Fraction:
    """What the dearest so many Sats of these sells bring."""
    got = Fraction(0)
    for price, left in sorted(sells, reverse=True):
        taken = min(left, sats)
        sats -= taken
        got += Fraction(price) * taken / 10**8
    return got


def _oldest(costs: list[tuple[int, Fraction]], sats: int) -> Fraction:
    """What so many Sats cost, the oldest first; what nobody has bought cost nothing."""
    cost = Fraction(0)
    for qty, each in costs:
        taken = min(qty, sats)
        sats -= taken
        cost += each * taken
    return cost


def tax_of(tax: Tax, seed: int) -> Tax:
    """The year of this run: most sell free coins alone, some have room, some have hardly any."""
    match seed % 5:
        case 3:
            return replace(tax, pace_days=0)
        case 4:
            return replace(tax, external_s23_net_eur=Decimal(990), near_threshold_days=365)
        case _:
            return replace(tax, annual_exemption_eur=Decimal(0), pace_days=0)
