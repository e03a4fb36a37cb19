"""Avellaneda and Stoikov's market maker: spread and lean from risk aversion.

M. Avellaneda, S. Stoikov, High-frequency trading in a limit order book, Quantitative Finance 8(3),
2008, pp. 217-224: with inventory q, risk aversion gamma, volatility sigma, time left T - t and
fills that arrive at the rate A exp(-k d) at the distance d from the mid,

    reservation price   r = s - q gamma sigma^2 (T - t)
    optimal spread      a - b = gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k)

Units here: prices in percent of the mid, time in horizons (a grid never closes, so T - t is always
one horizon), q in [-1, 1] from least to largest share of coins. sigma^2 is then the variance of
the return over the horizon in percent squared, and gamma is of the order the settings name.
"""

from __future__ import annotations

import math

from shared.settings import AvellanedaStoikov

PERCENT_BPS = 100.0


def variance_pct2(variance_per_s: float, horizon_s: float) -> float:
    """The return's variance over the horizon in percent squared."""
    return variance_per_s * horizon_s * 10_000.0


def spread_bps(variance: float, cfg: AvellanedaStoikov) -> float:
    """The distance from the first buy to the first sell. variance: percent squared."""
    reward = 2.0 / cfg.gamma * math.log1p(cfg.gamma / cfg.fill_decay)
    return min((cfg.gamma * variance + reward) * PERCENT_BPS, float(cfg.max_spread_bps))


def half_spread_bps(variance_per_s: float, cfg: AvellanedaStoikov) -> float | None:
    """The wanted spacing, from the anchor to the first rung, in bps.

    None while the volatility is not known, 0.0 while switched off.
    """
    if not cfg.enabled:
        return 0.0
    if variance_per_s <= 0.0:
        return None
    return spread_bps(variance_pct2(variance_per_s, cfg.horizon_sec), cfg) / 2.0


def lean_bps(inventory: float, variance: float, cfg: AvellanedaStoikov) -> float:
    """How far the reservation price lies above the mid; negative with too many coins.

    inventory: -1 (least share) to 1 (largest share), 0 at the target.
    """
    lean = -inventory * cfg.gamma * variance * PERCENT_BPS
    most = float(cfg.max_skew_bps)
    return min(max(lean, -most), most)
