"""Stage 9, skew: lean against an allocation that has left its target, and with book and advice.

Delta skew tilts sizes, not prices: the lattice stays, so orders keep their places in the queue.
Avellaneda-Stoikov moves prices instead. Either way what the order book and an advice say moves all
rungs together by a bounded lean, and only by whole quarters of a step (`leaned`).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.settings import AvellanedaStoikov, Skew
from shared.settings_trade import RegimeValues
from shared.units import BPS
from strategy.core.avellaneda import lean_bps, variance_pct2
from strategy.core.plan import Plan
from strategy.core.spacing import settle

LEAST: Final = 0.5
LEAN_QUANTUM: Final = 0.25
"""Of a step: a finer lean would move orders for less than the place in the queue is worth."""

MOST_LEAN: Final = 0.5
"""Of a step: beyond it a rung would stand nearer to its neighbour's place than to its own."""


class Opinion(Struct, frozen=True):
    """What leans: the book's imbalance (-1 to 1), variance per second, advice in bps."""

    imbalance: float = 0.0
    variance: float = 0.0
    bias_bps: float = 0.0


def skew(
    plan: Plan,
    coin_share: float,
    values: RegimeValues,
    opinion: Opinion,
    cfg: tuple[Skew, AvellanedaStoikov],
) -> Plan:
    """The plan with smaller rungs on the heavy side, or with the reservation price's lean."""
    delta, stoikov = cfg
    if stoikov.enabled:
        inventory = inventory_of(coin_share, values)
        variance = variance_pct2(opinion.variance, stoikov.horizon_sec)
        lean = lean_bps(inventory, variance, stoikov)
        lean += opinion.imbalance * float(stoikov.obi_sensitivity_bps) + opinion.bias_bps
        most = float(stoikov.max_skew_bps)
    else:
        plan = tilt(plan, coin_share, values)
        if not opinion.imbalance and not opinion.bias_bps:
            return plan
        lean = opinion.imbalance * float(delta.obi_sensitivity_bps) + opinion.bias_bps
        most = float(delta.max_skew_bps)
    lean = min(max(lean, -most), most)
    return plan.leaning(lambda: _wanted(lean, opinion), lean)


def _wanted(lean: float, opinion: Opinion) -> str:
    part = f" (advice {opinion.bias_bps:+.1f})" if opinion.bias_bps else ""
    return f"wants to lean by {lean:+.1f} bps{part}"


def leaned(held: float, wanted_bps: float, step: float) -> float:
    """The lean that is laid, a ratio: whole quarters of a step, half a step at most."""
    quantum = LEAN_QUANTUM * step
    most = MOST_LEAN * step
    return min(max(settle(held, wanted_bps / BPS, quantum), -most), most)


def inventory_of(coin_share: float, values: RegimeValues) -> float:
    """-1 at the least share, 0 at the target, 1 at the largest."""
    deviation = coin_share - values.btc_target_pct
    width = (
        values.btc_max_pct - values.btc_target_pct
        if deviation > 0
        else values.btc_target_pct - values.btc_min_pct
    )
    if width <= 0.0:
        return 0.0 if deviation == 0.0 else (1.0 if deviation > 0 else -1.0)
    return min(max(deviation / width, -1.0), 1.0)


def tilt(plan: Plan, coin_share: float, values: RegimeValues) -> Plan:
    """Smaller buys above the target share of coins, smaller sells below it."""
    buy, sell = sizes(coin_share, values)
    if coin_share > values.btc_target_pct:
        return plan.scaled(
            lambda: f"coins at {coin_share:.0%}, above target: buys at {buy:.0%}", buy=buy
        )
    return plan.scaled(
        lambda: f"coins at {coin_share:.0%}, below target: sells at {sell:.0%}", sell=sell
    )


def sizes(coin_share: float, values: RegimeValues) -> tuple[float, float]:
    """What is left of the sizes of (buys, sells)."""
    target = values.btc_target_pct
    if coin_share > target:
        return _keep(coin_share - target, values.btc_max_pct - target), 1.0
    return 1.0, _keep(target - coin_share, target - values.btc_min_pct)


def tilts(values: RegimeValues) -> tuple[float, ...]:
    """The shares of coins at which the tilt changes."""
    target = values.btc_target_pct
    widths = target - values.btc_min_pct, values.btc_max_pct - target
    # `_keep` falls by half over the width, in quarters.
    return (
        target - widths[0], target - widths[0] / 2, target + widths[1] / 2, target + widths[1],
    )  # fmt: skip


def _keep(deviation: float, width: float) -> float:
    """1 at the target falling to LEAST at the limit, in quarters: sizes seldom change."""
    if width <= 0.0:
        return 1.0
    keep = 1.0 - (1.0 - LEAST) * deviation / width
    return max(LEAST, -(-keep * 4 // 1) / 4)
