"""The models over a run of ticks: samples, thresholds, regime and spacing.

The same operations on the same floats in the same order as tick by tick. Neither regime nor spacing
looks at the other, so each is followed by itself, from one tick at which it is due to the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from shared.config import Config
from shared.settings_trade import Regime as RegimeConfig
from shared.units import SECOND, Ns
from strategy.core.memory import PairMemory
from strategy.core.regime import Kind, Regime, sampled_all
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
    classed = _classified(pair, nows, mids, cfg.regime, kinds)
    may_change = pair.regime.kind in kinds
    spaced = _spaced(pair, nows[: classed.ticks], mids, cfg, may_change=may_change)
    if spaced.ticks < classed.ticks:
        classed = _classified(pair, nows[: spaced.ticks], mids, cfg.regime, kinds)
    samples, regime, wanted = spaced.samples, classed.regime, spaced.asked
    if wanted is None:
        seen = Samples(samples.done[-seen_by_models(cfg) :])
        wanted = asked(seen, regime.variance, cfg)
    changed = classed.changed or spaced.changed
    return Swept(spaced.ticks, changed, samples, regime, spaced.spacing, classed.known, wanted)


class _Classified(NamedTuple):
    """The regime after so many ticks; changed: by the last of them."""

    ticks: int
    regime: Regime
    known: Known
    changed: bool = False


def _classified(
    pair: PairMemory,
    nows: Sequence[Ns],
    mids: Sequence[float],
    cfg: RegimeConfig,
    kinds: Sequence[Kind],
) -> _Classified:
    """Record, edges and regime: the edges stand from one note on the record to the next."""
    assert pair.edges is not None, "a band has edges"
    regime, known = pair.regime, Known(pair.record, pair.ranked, pair.edges)
    place, count = 0, len(nows)
    while place < count:
        noted = known
        if nows[place] >= known.record.next_at:
            noted = _noted(known, regime.volatility, nows[place], cfg)
        end = bisect_left(nows, noted.record.next_at, place + 1)
        run = sampled_all(regime, nows[place:end], mids[place:end], noted.edges, cfg)
        regime, place = run.regime, place + run.before
        if run.changed is not None and run.changed.kind in kinds:
            return _Classified(place + 1, run.changed, noted, changed=True)
        # What a tick that is left out would note is left out with it.
        known = noted if run.before else known
        if run.changed is not None:
            break
    return _Classified(place, regime, known)


class _Spaced(NamedTuple):
    """The spacing after so many ticks; changed: by the last of them. asked: None where no model can
    lift it from the floor."""

    ticks: int
    samples: Samples
    spacing: Spacing
    asked: Asked | None
    changed: bool


def _spaced(
    pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float], cfg: Config, *, may_change: bool
) -> _Spaced:
    """Samples and spacing, looked at where a sample ends or less has been asked for long enough."""
    spacing, samples = pair.spacing, pair.samples
    wanted: Asked | None = pair.asked[2]
    ends_at, done = samples.ends_at, list(samples.done)
    high, low, close = samples.high, samples.low, samples.close
    least = max(pair.floor_bps, float(cfg.grid.min_spacing_bps))
    patience, length = (int(s * SECOND) for s in (cfg.grid.narrow_after_sec, cfg.regime.sample_sec))
    models, place, due, changed = _Models(least, cfg), 0, Ns(0), False
    while not changed:
        begin, place = place, bisect_left(nows, due, place)
        for close in mids[begin:place]:
            if close > high:
                high = close
            elif close < low:
                low = close
        if place == len(nows):
            break
        now, mid, asks, spaced, last = nows[place], mids[place], wanted, spacing, None
        if now >= ends_at:
            last = Sample(high, low, close)
            asks = models.ask(done, last, pair.regime.variance, spacing) if models.sees else asks
        if asks is not None and (asks != wanted or spacing.less_since):
            spaced = space(spacing, asks, least, now, cfg.grid)
        changed = spaced.bps != spacing.bps
        unwatched = last is not None and now - ends_at > length
        if unwatched or (changed and not may_change):
            changed = False
            break  # this tick has to be a whole one
        wanted, spacing = asks, spaced
        if last is not None:
            done.append(last)
            ends_at, high, low, close = Ns(ends_at + length), mid, mid, mid
        else:
            high, low, close = max(high, mid), min(low, mid), mid
        place += 1
        due = ends_at
        if spacing.less_since:
            due = min(due, Ns(spacing.less_since + patience))
    kept = tuple(done[-KEPT:]) if ends_at != samples.ends_at else samples.done
    samples = Samples(kept, ends_at, high, low, close)
    return _Spaced(place, samples, spacing, wanted, changed)


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
    ranked = rank(record.seen, known.ranked, known.record.seen)
    return Known(record, ranked, thresholds(record, cfg, ranked))
