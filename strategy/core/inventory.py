"""How much of the account may be coins: limits per regime as budgets of the two sides.

Worst case: all resting buys fill, or all resting sells. A target never sells by itself.
"""

from __future__ import annotations

from shared.config import RegimeValues
from strategy.core.market import View
from strategy.core.plan import Plan


def confine(
    plan: Plan,
    view: View,
    account: tuple[int, int],
    cap_pct: float,
    values: RegimeValues,
) -> Plan:
    """Budgets within the regime's least and largest BTC share, and within one step's cap.

    account: coins in Sats and all money in units (Ticks x Sats), holds included.
    cap_pct: what all resting orders of one side together may move, of the equity.
    """
    base, quote = account
    held = base * view.mid
    equity = held + quote
    if equity <= 0:
        return plan.budgeted("nothing in the account", buy_units=0, sell_sats=0)
    buy_room = int(values.btc_max_pct * equity - held)
    plan = plan.budgeted(
        f"coins at most {values.btc_max_pct:.0%} of the account", buy_units=buy_room
    )
    sell_room = int(base - values.btc_min_pct * equity / view.mid)
    plan = plan.budgeted(
        f"coins at least {values.btc_min_pct:.0%} of the account", sell_sats=sell_room
    )
    return plan.budgeted(
        f"at most {cap_pct:.0%} of the account at a time",
        buy_units=int(cap_pct * equity),
        sell_sats=int(cap_pct * equity / view.mid),
    )


def share(base: int, quote: int, mid: float) -> float:
    """The coins' part of the account at this mid, 0 to 1."""
    held = base * mid
    return held / (held + quote) if held + quote > 0 else 0.0
