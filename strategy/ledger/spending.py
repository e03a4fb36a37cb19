"""What spending foreign money may gain: a resting buy of BTC/USD is a disposal of dollars to come.

§ 23 (1) s. 1 Nr. 2 s. 3 EStG: foreign money goes first in, first out, whatever it is spent on; that
a purchase of coins is its disposal is the careful view (docs/tax.md, Dollars; confidence low).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

from shared.units import Ns
from strategy.ledger.events import euros, quantity_of
from strategy.ledger.parts import OpenLot, last_taxable_day
from strategy.ledger.tax import free_from_wall
from strategy.ledger.year import CENT, ZERO

_EXACT: Final = Context(prec=60)


def worst_of_spending(
    lots: Iterable[OpenLot], spent: int, rate: Decimal, now: tuple[Ns, date], safety_days: int
) -> Decimal:
    """The largest taxable gain, EUR, at any moment while up to `spent` units leave the queue.

    lots: from the front, first to go first. rate: units for one euro, as last published. now: the
    moment and its German day. What is about a year old counts with its gain, not with its loss.
    Money of unknown origin brings neither (docs/tax.md).
    """
    wall, today = now
    gain = worst = ZERO
    for lot in lots:
        taken = min(spent, int(lot.qty))
        if taken <= 0:
            break
        spent -= taken
        if free_from_wall(lot.basis.wall, safety_days) <= wall:
            continue
        share = _EXACT.divide(_EXACT.multiply(euros(lot.cost), Decimal(taken)), Decimal(lot.qty))
        each = _EXACT.subtract(_EXACT.divide(quantity_of(taken), rate), share)
        if each > 0 or today < last_taxable_day(lot.basis.wall):
            gain = _EXACT.add(gain, each)
            worst = max(worst, gain)
    return worst.quantize(CENT, ROUND_CEILING, _EXACT)
