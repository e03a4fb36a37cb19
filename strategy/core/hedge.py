"""Stage 8, hedge: in a drawdown, buy less, and with `inverse_grid` sell more.

`reduce_exposure` shrinks the buys linearly from the trigger to the risk pause. `inverse_grid`
grows the sells by as much. Neither lifts a ceiling or a budget of an earlier stage: what the tax
gate has withheld stays withheld.
"""

from __future__ import annotations

from shared.settings_trade import Hedge
from strategy.core.plan import Plan


def hedge(plan: Plan, drawdown: float, pause_at: float, cfg: Hedge) -> Plan:
    """The plan with smaller buys. Ratios of the peak: drawdown; pause_at, above the trigger."""
    if not cfg.enabled or drawdown < cfg.trigger_drawdown_pct:
        return plan
    width = pause_at - cfg.trigger_drawdown_pct
    part = min(1.0, (drawdown - cfg.trigger_drawdown_pct) / width)
    # In quarters upward, so that a wandering drawdown does not amend every order.
    keep = max(0.25, -(-(1.0 - cfg.max_reduction_pct * part) * 4 // 1) / 4)
    plan = plan.scaled(
        lambda: f"hedge: buys at {keep:.0%} in a drawdown of {drawdown:.1%}", buy=keep
    )
    if cfg.strategy == "reduce_exposure":
        return plan
    more = 2.0 - keep
    return plan.boosted(lambda: f"hedge: sells at {more:.0%} in a drawdown of {drawdown:.1%}", more)
