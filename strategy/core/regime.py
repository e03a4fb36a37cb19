"""Stage 4, classify: range-bound, trending or chaos, from volatility and momentum.

Both are exponentially weighted over time samples of fixed length, so a bar, a tape and the live
line agree. A regime is left only beyond a margin and after its least dwell time; chaos is
entered at once.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

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


# Bound once: an enum's members are slow to look up, and each tick needs these.
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
    if not regime.samples:
        price, next_sample = math.log(mid), Ns(int(now + cfg.sample_sec * SECOND))
        return Regime(since=now, slow=price, last=price, next_sample=next_sample, samples=1)
    run = sampled_all(regime, (now,), (mid,), edges, cfg)
    return run.changed or run.regime


class Run(NamedTuple):
    """before: so many ticks come before the first one that changes the kind. regime: after those;
    changed: after that one too, None where there is none."""

    before: int
    regime: Regime
    changed: Regime | None = None


def sampled_all(
    regime: Regime, nows: Sequence[Ns], mids: Sequence[float], edges: Thresholds, cfg: RegimeConfig
) -> Run:
    """Sample at those of these fresh ticks at which it is due, until the kind changes.

    There has been a sample before.
    """
    kind, since, samples, due = regime.kind, regime.since, regime.samples, int(regime.next_sample)
    variance, slow, last = regime.variance, regime.slow, regime.last
    usual, half_life, apart = cfg.sample_sec, cfg.half_life_sec, cfg.sample_sec * SECOND
    chaos, up, down = _edges_of(kind, edges)
    dwell, late, elapsed, faded = cfg.least_dwell_sec * SECOND, -1, usual, 0.0
    place, end = bisect_left(nows, due), len(nows)
    while place < end:
        now, price = nows[place], math.log(mids[place])
        if now - due != late:  # most come as late as the one before
            late = now - due
            # A sample is late where the feed was away; its move belongs to all of that time.
            elapsed = usual + late / SECOND
            faded = 0.5 ** (elapsed / half_life)
        count, move = samples + 1, price - last
        # Until the window is warm every sample weighs the same, so one jump cannot rule.
        alike = 1.0 - 1.0 / count
        keep = alike if alike < faded else faded
        grown = keep * variance + (1.0 - keep) * (move * move / elapsed)
        mean, following = keep * slow + (1.0 - keep) * price, int(now + apart)
        if count >= WARM_SAMPLES:
            found = kind
            if math.sqrt(grown * YEAR_SECONDS) >= chaos:
                found = _CHAOS
            elif now - since >= dwell:
                momentum = (price - mean) * BPS
                found = _UP if momentum >= up else _DOWN if momentum <= down else _RANGE
            if found is not kind:
                before = Regime(kind, since, variance, slow, last, Ns(due), samples)
                changed = Regime(found, now, grown, mean, price, Ns(following), count)
                return Run(place, before, changed)
        variance, slow, last, due, samples = grown, mean, price, following, count
        place = bisect_left(nows, due, place + 1)
    if samples > regime.samples:
        regime = Regime(kind, since, variance, slow, last, Ns(due), samples)
    return Run(end, regime)


def _edges_of(kind: Kind, edges: Thresholds) -> tuple[float, float, float]:
    """The annualised volatility (a ratio) of chaos, and the momenta (bps) of the two trends; what a
    regime has entered it leaves only beyond a margin."""
    chaos, trend = edges.chaos, edges.trend_bps
    left = trend * TREND_LEFT_AT
    return (
        chaos * CHAOS_LEFT_AT if kind is _CHAOS else chaos,
        left if kind is _UP else trend,
        -left if kind is _DOWN else -trend,
    )


def values_of(regime: Regime, cfg: RegimeConfig) -> RegimeValues:
    """What is set for a kind of market: the settings name each as it names itself."""
    values: RegimeValues = getattr(cfg, regime.kind)
    return values
