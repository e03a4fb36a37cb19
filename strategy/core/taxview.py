"""The lots and the tax year as people are shown them: bounded, however many lots there are.

Money is in the currency of the fills. Only where that is EUR can the Freigrenze be compared; the
report of the year (docs/tax.md) converts each leg at the rate of its day, this page does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from shared.units import SECOND, Sats, Side, cents, fixed_text, plain
from strategy.core.memory import Memory
from strategy.core.slots import State
from strategy.ledger.lots import Disposal, Lot, Lots
from strategy.ledger.tax import berlin_day, free_from_wall
from strategy.ledger.year import rules_of

COIN_DECIMALS: Final = 8
LOTS_SHOWN: Final = 60
UNLOCKS_SHOWN: Final = 60
AGES: Final = ((30, "0-29"), (90, "30-89"), (180, "90-179"), (330, "180-329"), (10**6, "330+"))
"""Days of age up to which a lot falls into the bar of this name."""

RESTS: Final = (State.LIVE, State.PENDING_NEW, State.AMEND_PENDING, State.LOST)
_ZERO: Final = Decimal(0)


def tax_data(memory: Memory) -> dict[str, Any]:
    """The answer to `tax`: lots by age, unlock calendar, the year's gains, what is at risk."""
    lots, config = memory.lots, memory.config.tax
    safety = config.holding_safety_days
    opened = lots.open_lots()
    currency = memory.config.pair.partition("/")[2]
    years = earned(lots)
    this = berlin_day(memory.wall).year
    year = years.get(this, {"taxable": _ZERO, "free": _ZERO})
    limit = min(rules_of(this).freigrenze, config.annual_exemption_eur)
    net = year["taxable"] + config.external_s23_net_eur
    due = net * Decimal(repr(config.marginal_rate)) if net >= limit else _ZERO
    gain = year["taxable"] + year["free"]
    resting = sum(
        slot.qty - slot.filled
        for slot in memory.all_slots()
        if slot.side is Side.SELL and slot.state in RESTS
    )
    at_risk = Sats(max(0, resting - memory.free()))
    return {
        "currency": currency,
        "year": this,
        "gain": plain(cents(gain)),
        "gain_free": plain(cents(year["free"])),
        "gain_taxable": plain(cents(year["taxable"])),
        "freigrenze": plain(limit),
        "room": plain(max(_ZERO, limit - net)) if currency == "EUR" else None,
        "tax": plain(cents(due)),
        "gain_after_tax": plain(cents(gain - due)),
        "gain_all_years": plain(
            cents(sum((y["taxable"] + y["free"] for y in years.values()), _ZERO))
        ),
        "lots": len(opened),
        "cost": plain(cents(sum((lot.cost_left for lot in opened), _ZERO))),
        "total": fixed_text(lots.total(), COIN_DECIMALS),
        "free": fixed_text(memory.free(), COIN_DECIMALS),
        "resting_sells": fixed_text(resting, COIN_DECIMALS),
        "taxable_at_risk": fixed_text(at_risk, COIN_DECIMALS),
        "ages": ages(opened, berlin_day(memory.wall)),
        "unlocks": unlocks(opened, safety, berlin_day(memory.wall)),
        "oldest": [_row(lot, safety, memory.wall) for lot in opened[:LOTS_SHOWN]],
    }


def earned(lots: Lots) -> dict[int, dict[str, Decimal]]:
    """German year -> gains of its sales: of free parts and of taxable ones, fees deducted."""
    found: dict[int, dict[str, Decimal]] = {}
    sold = {trade.exec_id: trade.wall for trade in lots.trades() if trade.side is Side.SELL}
    for booking in lots.bookings():
        if not isinstance(booking, Disposal) or booking.exec_id not in sold:
            continue
        year = berlin_day(sold[booking.exec_id]).year
        sums = found.setdefault(year, {"taxable": _ZERO, "free": _ZERO})
        for part in booking.parts:
            kind = "taxable" if part.taxable else "free"
            sums[kind] += part.proceeds - part.cost - part.fee
    return found


def ages(opened: Sequence[Lot], today: date) -> list[tuple[str, int, str]]:
    """Days of age, number of lots, coins."""
    sums = {name: [0, 0] for _, name in AGES}
    for lot in opened:
        days = (today - berlin_day(lot.wall)).days
        name = next(name for most, name in AGES if days < most)
        sums[name][0] += 1
        sums[name][1] += lot.left
    return [(name, n, fixed_text(coins, COIN_DECIMALS)) for name, (n, coins) in sums.items()]


def unlocks(opened: Sequence[Lot], safety: int, today: date) -> list[tuple[str, str]]:
    """Day from which coins are free, and how many; the next days first, what is free left out."""
    found: dict[str, int] = {}
    for lot in opened:
        day = berlin_day(free_from_wall(lot.wall, safety))
        if day > today:
            found[day.isoformat()] = found.get(day.isoformat(), 0) + lot.left
        if len(found) > UNLOCKS_SHOWN:
            break  # Lots are in order of time, so are their days.
    return [(day, fixed_text(coins, COIN_DECIMALS)) for day, coins in found.items()][:UNLOCKS_SHOWN]


def _row(lot: Lot, safety: int, now_wall: int) -> dict[str, Any]:
    free_from = free_from_wall(lot.wall, safety)
    days = timedelta(seconds=max(0, free_from - now_wall) // SECOND).days
    return {
        "acquired": berlin_day(lot.wall).isoformat(),
        "left": fixed_text(lot.left, COIN_DECIMALS),
        "cost": plain(lot.cost_left),
        "currency": lot.currency,
        "free_from": berlin_day(free_from).isoformat(),
        "days_to_go": days,
        "free": free_from <= now_wall,
    }
