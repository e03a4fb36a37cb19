"""The models over a run of ticks: samples, thresholds, regime and spacing, all in one sweep.

The same operations on the same floats in the same order as tick by tick, but a tick at which
nothing of them is due only moves the sample that is being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from shared.config import Config
from shared.settings_trade import Regime as RegimeConfig
from shared.units import SECOND, Ns
from strategy.core.memory import PairMemory
from strategy.core.regime import Kind, Regime, sampled
from strategy.core.samples import KEPT, NO_CLOSE, Sample, Samples
from strategy.core.spacing import (
    Asked,
    Spacing,
    asked,
    kept_on_floor,
    on_floor,
    seen_by_models,
    space,
)
from strategy.core.thresholds import Ranked, Record, Thresholds, note, rank, thresholds

_NEVER: Final = Ns(1 << 62)


class Known(NamedTuple):
    """What volatility has been like of late, and what follows from it."""

    record: Record
    ranked: Ranked
    edges: Thresholds


class Swept(Struct):
    """What the models know after `count` ticks.

    changed: the last of them has changed regime or spacing. If it has not, and there are more
    ticks, the next one would.
    """

    count: int
    changed: bool
    samples: Samples
    regime: Regime
    spacing: Spacing
    known: Known
    asked: Asked


def sweep(
    pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float], cfg: Config, kinds: Sequence[Kind]
) -> Swept:
    """The models after these ticks, all fresh, until one would change regime or spacing.

    Where `kinds` has the regime of that one it is the last, otherwise it is left out. Rates and
    edges are known; what Avellaneda and Stoikov's model asks for is not followed.
    """
    assert pair.edges is not None, "a band has edges"
    known = Known(pair.record, pair.ranked, pair.edges)
    regime, spacing, samples = pair.regime, pair.spacing, pair.samples
    wanted: Asked | None = pair.asked[2]
    ends_at, done = samples.ends_at, list(samples.done)
    high, low, close = samples.high, samples.low, samples.close
    least = max(pair.floor_bps, float(cfg.grid.min_spacing_bps))
    patience, length = (int(s * SECOND) for s in (cfg.grid.narrow_after_sec, cfg.regime.sample_sec))
    models, count, due, changed = _Models(least, cfg), len(nows), 0, False
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
        noted, measured, asks, spaced = known, regime, wanted, spacing
        if now >= known.record.next_at:
            noted = _noted(known, regime.volatility, now, cfg.regime)
        if now >= regime.next_sample:
            measured = sampled(regime, mid, now, noted.edges, cfg.regime)
        if complete and models.sees:
            asks = models.ask(done, Sample(high, low, close), measured.variance, spacing)
        if asks is not None and (asks != wanted or spacing.less_since):
            spaced = space(spacing, asks, least, now, cfg.grid)
        unwatched = complete and now - ends_at > length
        changed = measured.kind is not regime.kind or spaced.bps != spacing.bps
        if unwatched or (changed and measured.kind not in kinds):
            count, changed = place, False  # this tick has to be a whole one
            break
        known, regime, wanted, spacing = noted, measured, asks, spaced
        if complete:
            done.append(Sample(high, low, close))
            ends_at, high, low, close = Ns(ends_at + length), mid, mid, mid
        else:
            high, low, close = max(high, mid), min(low, mid), mid
        if changed:
            count = place + 1
            break
        narrows = spacing.less_since + patience if spacing.less_since else _NEVER
        due = min(ends_at, regime.next_sample, known.record.next_at, narrows)
    if wanted is None:
        wanted = asked(Samples(tuple(done[-models.sees :])), regime.variance, cfg)
    kept = tuple(done[-KEPT:]) if ends_at != samples.ends_at else samples.done
    samples = Samples(kept, ends_at, high, low, close)
    return Swept(count, changed, samples, regime, spacing, known, wanted)


class _Models:
    """Asks the models of spacing, but not where no close could lift it from the floor."""

    def __init__(self, floor: float, cfg: Config) -> None:
        self.sees = seen_by_models(cfg)
        self._floor, self._cfg = floor, cfg
        self._lowest = on_floor(floor)
        self._calm = NO_CLOSE

    def ask(
        self, done: Sequence[Sample], last: Sample, variance: float, spacing: Spacing
    ) -> Asked | None:
        """What they ask for after these samples; None where it leaves the spacing as it is."""
        if self._calm[0] <= last.close <= self._calm[1]:
            return None
        seen = Samples((*done[max(0, len(done) - self.sees + 1) :], last))
        asks = asked(seen, variance, self._cfg)
        low = spacing == self._lowest and asks.bps <= self._floor
        self._calm = kept_on_floor(seen, self._floor, self._cfg) if low else NO_CLOSE
        return asks


def _noted(known: Known, volatility: float, now: Ns, cfg: RegimeConfig) -> Known:
    """The same once the next volatility is on record."""
    record = note(known.record, volatility, now, cfg.adaptive)
    if record is known.record:
        return known
    ranked = rank(record.seen, known.ranked)
    return Known(record, ranked, thresholds(record, cfg, ranked))
