"""Harvesting: lots at a loss are sold to bring a taxable year's net down (TAX.md 9).

Rule 1: only losses that FIFO reaches, only taxable parts, only as far as useful, so often a day.
Rule 2: all own orders are out before such a sale: it never meets an order of ours.
Rule 3: what is not done is said, with its reason; each sale is recorded with the lots it takes.
Rule 4: none while a withdrawal is not booked: it takes the lots that were looked at.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from shared.units import MINUTE, Ns
from strategy.core.memory import Memory
from strategy.core.taxdesk import HARVESTED_FACT, PER_SAT
from strategy.core.taxgate import euro_price, units
from strategy.ledger.entries import Remember
from strategy.ledger.plans import Harvest, HarvestLimits, harvest
from strategy.ledger.tax import berlin_date, berlin_day

LOOK_EACH: Final = Ns(MINUTE)


def consider(memory: Memory, now: Ns) -> None:
    """Look once a minute, and after each fill, at what a sale at a loss would do."""
    taxes = memory.taxes
    if not memory.config.tax.harvest_enabled:
        return
    lately = taxes.harvest_at and now - taxes.harvest_at < LOOK_EACH
    if lately and taxes.harvest_fills == memory.fills:
        return
    found = _find(memory)
    if found is not None:
        memory.taxes = replace(taxes, harvest=found, harvest_at=now, harvest_fills=memory.fills)


def _find(memory: Memory) -> Harvest | None:
    """None while the market or the account is not known."""
    pair = memory.first
    view, spec, tax = pair.view, pair.tape.pair, memory.config.tax
    if view is None or spec is None or not view.fresh or pair.taker is None:
        return None
    price = euro_price(memory, pair, view.bid)
    today = berlin_day(memory.wall)
    gate = memory.desk.gate(memory.wall, 1)
    if price is None or gate.room is None:
        return Harvest(units(0), Decimal(0), "a rate is missing: what a sale loses is not known")
    if memory.outgoing.rows:
        return Harvest(units(0), Decimal(0), "waits: a withdrawal takes the oldest coins")
    done = memory.taxes.harvested[1] if memory.taxes.harvested[0] == today.isoformat() else 0
    reserve = int(memory.config.grid.base_reserve.scaleb(spec.qty_decimals))
    piece = memory.config.limits.order_quote.scaleb(spec.price_decimals + spec.qty_decimals)
    most = int(piece) // max(int(view.bid), 1) * max(0, tax.harvest_max_per_day - done)
    most = max(0, min(most, memory.base_total(pair) - reserve))
    limits = HarvestLimits(
        tax.harvest_target_net_eur,
        tax.harvest_min_loss_eur,
        tax.harvest_max_per_day,
        units(most),
        tax.harvest_for_next_year,
    )
    net = gate.net + tax.of_year(today.year).external_s23_net_eur
    return harvest(memory.desk.queue(), today, price, Decimal(str(pair.taker)), net, limits, done)


def under_way(memory: Memory) -> Harvest | None:
    """The harvest that is to be made now."""
    found = memory.taxes.harvest
    return found if found is not None and found.qty > 0 else None


def wanted_sats(found: Harvest) -> int:
    """Its quantity in whole Sats, rounded up."""
    return -(-int(found.qty) // PER_SAT)


def sent(memory: Memory) -> Remember:
    """Count one more sale of today; it stays counted over a restart."""
    today = berlin_date(memory.wall)
    day, count = memory.taxes.harvested
    count = count + 1 if day == today else 1
    # Looked at anew before the next one, whether this one fills or not: the count is of orders.
    memory.taxes = replace(memory.taxes, harvested=(today, count), harvest_at=Ns(0))
    return Remember(HARVESTED_FACT, f"{today} {count}")
