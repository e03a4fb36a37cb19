"""Stage 7, withhold: only coins that are free of tax may be sold (§ 23 (1) Nr. 2 EStG).

A sale takes the oldest coins first (FIFO per account and coin), so what may be sold is the free
*front* of the queue: a free lot behind a locked one cannot be reached.
"""

from __future__ import annotations

from shared.units import Sats
from strategy.core.plan import Plan


def withhold(plan: Plan, free: Sats, qty_min: Sats) -> Plan:
    """The plan with sells inside the tax-free stock. free: Sats at the front of the queue."""
    plan = plan.budgeted(f"free of tax today: {free / 1e8:.8f}", sell_sats=free)
    if is_locked(free, qty_min):
        plan = plan.capped("tax: no free coins at the front of the queue", sell=0)
    return plan


def is_locked(free: Sats, qty_min: Sats) -> bool:
    """Tax-locked: what may be sold is below the least quantity of the pair."""
    return free < qty_min
