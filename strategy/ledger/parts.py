"""Values of the tax book: where a lot came from, what is left of it, what a sale took of it.

Money is in whole euro cents, quantities in Units; days are German days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.ledger.events import Exchanged, Origin, Units
from strategy.ledger.rates import Looked
from strategy.ledger.tax import anniversary, berlin_day

_HOUR: Final = 3600 * SECOND


class Basis(Struct, frozen=True, gc=False):
    """Where a lot comes from.

    id: the acquisition's. qty: how much it brought. money: what that cost in `currency`, fees in
    that currency included. doubtful: nothing proves the date or the cost.
    """

    id: str
    account: str
    asset: str
    wall: Ns
    seq: int
    qty: Units
    currency: str
    money: Decimal
    rate: Looked
    origin: Origin
    doubtful: bool
    manual: bool


class OpenLot(Struct, frozen=True, gc=False):
    """What is left of a lot, and where: quantity and cost in euro cents."""

    account: str
    basis: Basis
    qty: Units
    cost: int


class Days(Struct, frozen=True):
    """Open lots acquired on one German day: how many, and what is left of them."""

    day: date
    lots: int
    qty: Units


class Row(Struct, frozen=True, gc=False):
    """The piece of one lot that one fill disposed of; money in euro cents.

    label: the fill's id, with "#fee" for coins kept as a fee, "#USD" for money spent. basis: None
    where no acquisition is known. money: the proceeds of the whole in the fill's currency, of which
    this is the part from the second to the third of the fourth number. costs: Werbungskosten.
    currency_leg: the asset is foreign money, not a coin. new_stock: acquired under the reform, if
    that is switched on: taxable at any age, and outside the sums of § 23.
    """

    label: str
    sale: Exchanged
    rate: Looked
    basis: Basis | None
    asset: str
    qty: Units
    money: tuple[Decimal, int, int, int]
    proceeds: int
    cost: int
    costs: int
    taxable: bool
    currency_leg: bool
    new_stock: bool

    @property
    def gain(self) -> int:
        return self.proceeds - self.cost - self.costs

    @property
    def provisional(self) -> bool:
        """Valued at a rate that stands in for one not yet known: not fit for a final report."""
        return self.rate.provisional or (self.basis is not None and self.basis.rate.provisional)

    @property
    def year(self) -> int:
        return day_of(self.sale.wall).year


def nets(rows: Iterable[Row], *, currency_legs: bool) -> dict[int, int]:
    """Gains less losses of the taxable parts by tax year, in euro cents; years of free ones are 0.

    currency_legs: whether disposals of foreign money count too.
    """
    found: dict[int, int] = {}
    for row in rows:
        if (currency_legs or not row.currency_leg) and not row.new_stock:
            found[row.year] = found.get(row.year, 0) + (row.gain if row.taxable else 0)
    return found


def day_of(wall: Ns) -> date:
    """The German day of a moment."""
    return _day_of_hour(wall // _HOUR)


def last_taxable_day(acquired: Ns) -> date:
    """The anniversary of an acquisition, by its German day."""
    return _last_taxable(acquired // _HOUR)


@lru_cache(maxsize=65_536)
def _day_of_hour(hour: int) -> date:
    # German days turn on a full hour of UTC.
    return berlin_day(Ns(hour * _HOUR))


@lru_cache(maxsize=65_536)
def _last_taxable(hour: int) -> date:
    return anniversary(_day_of_hour(hour))
