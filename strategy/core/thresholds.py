"""Where chaos and trends begin: fixed, or from what this market has been like of late.

A record keeps one figure of volatility for each quarter of an hour. Adaptive thresholds are
quantiles of it, inside bounds; until the record is long enough the fixed ones stand.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shared.settings import Adaptive
from shared.settings_trade import Regime as RegimeConfig
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


class Ranked(Struct, frozen=True):
    """A record's figures as they were seen, and from the least to the largest."""

    seen: tuple[float, ...] = ()
    ordered: list[float] = []


def rank(seen: tuple[float, ...], known: Ranked, before: tuple[float, ...] | None = None) -> Ranked:
    """These figures in order: one more than what is known of, with its oldest gone or not, is put
    in its place; anything else is sorted. before: what they have come of by one `note`, where that
    is at hand: if it is what is known of, nothing need be compared."""
    gone = len(known.seen) + 1 - len(seen)
    if not seen or gone not in (0, 1):
        return Ranked(seen, sorted(seen))
    if known.seen is not before and known.seen[gone:] != seen[:-1]:
        return Ranked(seen, sorted(seen))
    ordered = known.ordered.copy()
    if gone:
        del ordered[bisect_left(ordered, known.seen[0])]
    insort(ordered, seen[-1])
    return Ranked(seen, ordered)


def thresholds(record: Record, cfg: RegimeConfig, ranked: Ranked | None = None) -> Thresholds:
    """The edges of this tick. ranked: the record's figures in order, where they are known."""
    adaptive = cfg.adaptive
    if not adaptive.enabled or len(record.seen) < adaptive.warm_up_hours * EACH_HOUR:
        return Thresholds(cfg.chaos_volatility_pct, float(cfg.trend_momentum_bps))
    ordered = (ranked or rank(record.seen, Ranked())).ordered
    chaos = quantile(ordered, adaptive.chaos_quantile) * adaptive.chaos_factor
    usual = quantile(ordered, 0.5) * math.sqrt(cfg.half_life_sec / YEAR_SECONDS) * BPS
    trend = usual * adaptive.trend_factor
    return Thresholds(
        min(max(chaos, adaptive.chaos_min_pct), adaptive.chaos_max_pct),
        min(max(trend, float(adaptive.trend_min_bps)), float(adaptive.trend_max_bps)),
        adaptive=True,
    )


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of them lie, between neighbours in proportion."""
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
