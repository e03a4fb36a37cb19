"""Stage 9, tilt: lean against an allocation that has left its target.

Sizes are tilted, not spacings: the lattice of prices stays, so orders keep their places.
"""

from __future__ import annotations

from typing import Final

from shared.config import RegimeValues
from strategy.core.plan import Plan

LEAST: Final = 0.5


def tilt(plan: Plan, coin_share: float, values: RegimeValues) -> Plan:
    """Smaller buys above the target share of coins, smaller sells below it."""
    target = values.btc_target_pct
    if coin_share > target:
        buy = _keep(coin_share - target, values.btc_max_pct - target)
        return plan.scaled(f"coins at {coin_share:.0%}, above target: buys at {buy:.0%}", buy=buy)
    sell = _keep(target - coin_share, target - values.btc_min_pct)
    return plan.scaled(f"coins at {coin_share:.0%}, below target: sells at {sell:.0%}", sell=sell)


def _keep(deviation: float, width: float) -> float:
    """1 at the target falling to LEAST at the limit, in quarters: sizes seldom change."""
    if width <= 0.0:
        return 1.0
    keep = 1.0 - (1.0 - LEAST) * min(1.0, deviation / width)
    return max(LEAST, -(-keep * 4 // 1) / 4)
