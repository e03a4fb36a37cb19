"""The models over a run of ticks: samples, thresholds, regime and spacing, all in one sweep.

The same operations on the same floats in the same order as tick by tick, but a tick at which
nothing of them is due only moves the sample that is being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shared.config import Config
from shared.units import SECOND, Ns
from strategy.core.memory import PairMemory
from strategy.core.regime import Regime, sampled
from strategy.core.samples import KEPT, Sample, Samples
from strategy.core.spacing import Asked, Spacing, asked, seen_by_models, space
from strategy.core.thresholds import Ranked, Record, Thresholds, note, rank, thresholds

_NEVER: Final = Ns(1 << 62)


class Swept(Struct):
    """What the models know after `count` ticks; the next one would change what is quoted."""

    count: int
    samples: Samples
    regime: Regime
    spacing: Spacing
    record: Record
    ranked: Ranked
    edges: Thresholds
    asked: Asked


def sweep(pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float], cfg: Config) -> Swept:
    """The models after these ticks, all fresh, until one would change regime or spacing.

    Rates and models' edges are known; what Avellaneda and Stoikov's model asks for is not followed.
    """
    record, ranked, edges = pair.record, pair.ranked, pair.edges
    assert edges is not None, "a band has edges"
    regime, spacing, wanted, samples = pair.regime, pair.spacing, pair.asked[2], pair.samples
    ends_at, done = samples.ends_at, list(samples.done)
    high, low, close = samples.high, samples.low, samples.close
    least = max(pair.floor_bps, float(cfg.grid.min_spacing_bps))
    patience, length = (int(s * SECOND) for s in (cfg.grid.narrow_after_sec, cfg.regime.sample_sec))
    sees, count, due = seen_by_models(cfg), len(nows), 0
    for place, now in enumerate(nows):
        mid = mids[place]
        if now < due:
            if mid > high:
                high = mid
            elif mid < low:
                low = mid
            close = mid
            continue
        complete = now >= ends_at
        noted, order, bounds = record, ranked, edges
        measured, asks, spaced = regime, wanted, spacing
        if now >= record.next_at:
            noted = note(record, regime.volatility, now, cfg.regime.adaptive)
            if noted is not record:
                order = rank(noted.seen, ranked)
                bounds = thresholds(noted, cfg.regime, order)
        if now >= regime.next_sample:
            measured = sampled(regime, mid, now, bounds, cfg.regime)
        if complete and sees:
            last = (*done[max(0, len(done) - sees + 1) :], Sample(high, low, close))
            asks = asked(Samples(last), measured.variance, cfg)
        if asks != wanted or spacing.less_since:  # else nothing is asked that was not before
            spaced = space(spacing, asks, least, now, cfg.grid)
        unwatched = complete and now - ends_at > length
        if unwatched or measured.kind is not regime.kind or spaced.bps != spacing.bps:
            count = place  # this tick has to be a whole one
            break
        record, ranked, edges = noted, order, bounds
        regime, wanted, spacing = measured, asks, spaced
        if complete:
            done.append(Sample(high, low, close))
            ends_at, high, low, close = Ns(ends_at + length), mid, mid, mid
        else:
            high, low, close = max(high, mid), min(low, mid), mid
        narrows = spacing.less_since + patience if spacing.less_since else _NEVER
        due = min(ends_at, regime.next_sample, record.next_at, narrows)
    kept = tuple(done[-KEPT:]) if ends_at != samples.ends_at else samples.done
    samples = Samples(kept, ends_at, high, low, close)
    return Swept(count, samples, regime, spacing, record, ranked, edges, wanted)
