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
    sell_room = int(base - values.btc_min_pct * equity / view.mid)
    if buy_room < plan.buy_units:
        why = f"coins at most {values.btc_max_pct:.0%} of the account"
        plan = plan.budgeted(why, buy_units=buy_room)
    if sell_room < plan.sell_sats:
        why = f"coins at least {values.btc_min_pct:.0%} of the account"
        plan = plan.budgeted(why, sell_sats=sell_room)
    buy_most, sell_most = int(cap_pct * equity), int(cap_pct * equity / view.mid)
    if buy_most < plan.buy_units or sell_most < plan.sell_sats:
        why = f"at most {cap_pct:.0%} of the account at a time"
        plan = plan.budgeted(why, buy_units=buy_most, sell_sats=sell_most)
    return plan


def share(base: int, quote: int, mid: float) -> float:
    """The coins' part of the account at this mid, 0 to 1."""
    held = base * mid
    return held / (held + quote) if held + quote > 0 else 0.0
