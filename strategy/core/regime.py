"""Stage 4, classify: range-bound, trending or chaos, from volatility and momentum.

Both are exponentially weighted over time samples of fixed length, so a bar, a tape and the live
line agree. A regime is left only beyond a margin and after its least dwell time; chaos is
entered at once.
"""

from __future__ import annotations

import enum
import math
from typing import Final

import msgspec
from msgspec import Struct

from shared.settings_trade import Regime as RegimeConfig
from shared.settings_trade import RegimeValues
from shared.units import BPS, SECOND, Ns
from strategy.core.market import View
from strategy.core.thresholds import YEAR_SECONDS, Thresholds

CHAOS_LEFT_AT: Final = 0.8
TREND_LEFT_AT: Final = 0.6
WARM_SAMPLES: Final = 5


class Kind(enum.StrEnum):
    RANGE_BOUND = "range_bound"
    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    CHAOS = "chaos"


# Reached once: each sample asks, and an enum's members are slow.
_RANGE, _UP, _DOWN, _CHAOS = Kind.RANGE_BOUND, Kind.TRENDING_UP, Kind.TRENDING_DOWN, Kind.CHAOS


class Regime(Struct, frozen=True):
    kind: Kind = Kind.RANGE_BOUND
    since: Ns = Ns(0)
    variance: float = 0.0  # of the log return, per second
    slow: float = 0.0  # exponentially weighted log price
    last: float = 0.0  # log price of the last sample
    next_sample: Ns = Ns(0)
    samples: int = 0

    @property
    def volatility(self) -> float:
        """Annualised, as a ratio (0.5 = 50 %)."""
        return math.sqrt(self.variance * YEAR_SECONDS)

    @property
    def momentum_bps(self) -> float:
        """How far the price stands from its own slow average."""
        return (self.last - self.slow) * BPS


def classify(regime: Regime, view: View, now: Ns, edges: Thresholds, cfg: RegimeConfig) -> Regime:
    """The regime after this tick; nothing changes between two samples."""
    if not view.fresh or now < regime.next_sample:
        return regime
    return sampled(regime, view.mid, now, edges, cfg)


def sampled(regime: Regime, mid: float, now: Ns, edges: Thresholds, cfg: RegimeConfig) -> Regime:
    """The regime after the sample that is due now."""
    price = math.log(mid)
    next_sample = Ns(int(now + cfg.sample_sec * SECOND))
    if not regime.samples:
        return Regime(since=now, slow=price, last=price, next_sample=next_sample, samples=1)
    # A sample is late where the feed was away; its move belongs to all of that time.
    elapsed = cfg.sample_sec + (now - regime.next_sample) / SECOND
    keep, samples = 0.5 ** (elapsed / cfg.half_life_sec), regime.samples + 1
    move = price - regime.last
    fresh_variance = move * move / elapsed
    # Until the window is warm every sample weighs the same, so one jump cannot rule.
    alike = 1.0 - 1.0 / samples
    keep = alike if alike < keep else keep
    measured = Regime(
        regime.kind,
        regime.since,
        keep * regime.variance + (1.0 - keep) * fresh_variance,
        keep * regime.slow + (1.0 - keep) * price,
        price,
        next_sample,
        samples,
    )
    kind = _choose(measured, now, edges, cfg)
    if kind is measured.kind:
        return measured
    return msgspec.structs.replace(measured, kind=kind, since=now)


def _choose(regime: Regime, now: Ns, edges: Thresholds, cfg: RegimeConfig) -> Kind:
    kind = regime.kind
    if regime.samples < WARM_SAMPLES:
        return kind
    if regime.volatility >= edges.chaos * (CHAOS_LEFT_AT if kind is _CHAOS else 1.0):
        return _CHAOS
    if now - regime.since < cfg.least_dwell_sec * SECOND:
        return kind
    trend = edges.trend_bps
    up = trend * (TREND_LEFT_AT if kind is _UP else 1.0)
    down = trend * (TREND_LEFT_AT if kind is _DOWN else 1.0)
    momentum = regime.momentum_bps
    if momentum >= up:
        return _UP
    return _DOWN if momentum <= -down else _RANGE


def values_of(regime: Regime, cfg: RegimeConfig) -> RegimeValues:
    """What is set for a kind of market: the settings name each as it names itself."""
    values: RegimeValues = getattr(cfg, regime.kind)
    return values
