"""Where chaos and trends begin: fixed, or from what this market has been like of late.

A record keeps one figure of volatility for each quarter of an hour. Adaptive thresholds are
quantiles of it, inside bounds; until the record is long enough the fixed ones stand.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from shared.config import Regime as RegimeConfig
from shared.settings import Adaptive
from shared.units import BPS, SECOND, Ns

YEAR_SECONDS: Final = 31_556_952.0
EACH: Final = Ns(900 * SECOND)
EACH_HOUR: Final = 4


class Record(Struct, frozen=True):
    """Annualised volatilities, oldest first, and when the next is due."""

    seen: tuple[float, ...] = ()
    next_at: Ns = Ns(0)


class Thresholds(Struct, frozen=True):
    """chaos: annualised volatility, a ratio. trend: momentum in bps over the half-life."""

    chaos: float
    trend_bps: float
    adaptive: bool = False


def note(record: Record, volatility: float, now: Ns, cfg: Adaptive) -> Record:
    """The record after this tick; a volatility of 0 is not known yet."""
    if volatility <= 0.0 or now < record.next_at:
        return record
    return Record((*record.seen, volatility)[-cfg.window_hours * EACH_HOUR :], Ns(now + EACH))


def thresholds(record: Record, cfg: RegimeConfig) -> Thresholds:
    """The edges of this tick."""
    adaptive = cfg.adaptive
    if not adaptive.enabled or len(record.seen) < adaptive.warm_up_hours * EACH_HOUR:
        return Thresholds(cfg.chaos_volatility_pct, float(cfg.trend_momentum_bps))
    ordered = sorted(record.seen)
    chaos = quantile(ordered, adaptive.chaos_quantile) * adaptive.chaos_factor
    usual = quantile(ordered, 0.5) * math.sqrt(cfg.half_life_sec / YEAR_SECONDS) * BPS
    trend = usual * adaptive.trend_factor
    return Thresholds(
        min(max(chaos, adaptive.chaos_min_pct), adaptive.chaos_max_pct),
        min(max(trend, float(adaptive.trend_min_bps)), float(adaptive.trend_max_bps)),
        adaptive=True,
    )


def quantile(ordered: list[float], part: float) -> float:
    """The value below which `part` of them lie, between neighbours in proportion."""
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
