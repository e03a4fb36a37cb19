"""Learning in bulk: what stages 1 to 5 do for each of many ticks inside a quiet band.

The same operations on the same floats in the same order, so memory ends the same to the last bit.

Rule 1: what cannot be shown to leave regime, breaker, pause, spacing and the day's loss as they are
is not learned here: fewer ticks are, or none, and the next one has to be a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from shared.frames import Book
from shared.units import SECOND, Ns, float_price
from strategy.core.account import first, worth_at
from strategy.core.daily import overspent_by
from strategy.core.imbalance import Imbalance
from strategy.core.market import observe
from strategy.core.memory import Memory, PairMemory
from strategy.core.reference import follow_all
from strategy.core.regime import Regime, sampled
from strategy.core.risk import Risk, assess_range
from strategy.core.samples import Samples, grown
from strategy.core.spacing import Asked, Spacing, asked, space
from strategy.core.thresholds import Record, Thresholds, note, thresholds

_NEVER: Final = Ns(1 << 62)


def learn(
    memory: Memory, nows: Sequence[Ns], mids: Sequence[float], frame: Callable[[int], Book]
) -> int:
    """Learn from the first of these ticks; how many were learned from.

    nows: their moments, none before memory's own; the wall clock runs with them. mids: of books
    that weigh the same on both sides. frame: the book of one of them, by its place.
    """
    pair = first(memory)
    risk = _risk(memory, pair, mids)
    if risk is None or not _is_steady(memory, pair, nows, mids):
        return 0
    found = _models(memory, pair, nows, mids)
    count = found.count
    if not count:
        return 0
    if count < len(mids):
        nows, mids = nows[:count], mids[:count]
        risk = _risk(memory, pair, mids)
        assert risk is not None, "a part of a run that crosses no edge crosses none"
    now = nows[-1]
    memory.wall = Ns(memory.wall + now - memory.now)
    memory.now = now
    pair.tape.hear_run(frame(count - 1), nows, mids)
    pair.view = observe(pair.tape, now, memory.config.time)
    pair.samples, pair.regime, pair.spacing = found.samples, found.regime, found.spacing
    pair.record, pair.edges = found.record, found.edges
    pair.asked = (found.samples.done, found.regime.variance, found.asked)
    pair.imbalance = Imbalance(pair.imbalance.value, now)
    pair.reference = follow_all(pair.reference, nows, mids)
    memory.risk = risk
    return count


def _risk(memory: Memory, pair: PairMemory, mids: Sequence[float]) -> Risk | None:
    """The risk after these mids; None where its band, or the day's loss, might change."""
    spec = pair.tape.pair
    if spec is None:
        return None
    totals = memory.books.expected or memory.balances
    rate = memory.rates[spec.quote]
    # The account's worth never falls with the price of its coins.
    least, most, last = (
        worth_at(memory, totals, float_price(spec, mid) * rate)
        for mid in (min(mids), max(mids), mids[-1])
    )
    if not memory.halt and overspent_by(memory, least):
        return None
    return assess_range(memory.risk, least, most, last, memory.config.risk)


def _is_steady(memory: Memory, pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float]) -> bool:
    """Whether no tick of these is stale, none trips the breaker, and no side of a book is heavy."""
    cfg, book = memory.config, pair.tape.book
    window = pair.tape.extremes(memory.now)
    if book is None or window is None or pair.breaker.frozen or pair.imbalance.value:
        return False
    if nows[-1] - book.heard_at > cfg.time.feed_stale_sec * SECOND or pair.reference.slow <= 0:
        return False
    low, high = min(*window, *mids), max(*window, *mids)
    return max(high / low - 1.0, 1.0 - low / high) < cfg.risk.price_velocity_freeze_pct


class _Models(Struct):
    """What the models know after `count` ticks."""

    count: int
    samples: Samples
    regime: Regime
    spacing: Spacing
    record: Record
    edges: Thresholds
    asked: Asked


def _models(memory: Memory, pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float]) -> _Models:
    """Samples, thresholds, regime and spacing, until one would change what is quoted."""
    cfg, count = memory.config, len(nows)
    record, edges, regime, spacing = pair.record, pair.edges, pair.regime, pair.spacing
    assert edges is not None, "a band has edges"
    done, ends_at, wanted = pair.samples.done, pair.samples.ends_at, pair.asked[2]
    high, low, close = pair.samples.high, pair.samples.low, pair.samples.close
    least = max(pair.floor_bps, float(cfg.grid.min_spacing_bps))
    patience = int(cfg.grid.narrow_after_sec * SECOND)
    sample_sec, due = cfg.regime.sample_sec, 0
    for place, now in enumerate(nows):
        mid = mids[place]
        if now < due:
            if mid > high:
                high = mid
            elif mid < low:
                low = mid
            close = mid
            continue
        if now < ends_at:
            full, until = done, ends_at
        else:
            samples = grown(Samples(done, ends_at, high, low, close), mid, now, sample_sec)
            full, until = samples.done, samples.ends_at
        noted, bounds, measured = record, edges, regime
        if now >= record.next_at:
            noted = note(record, regime.volatility, now, cfg.regime.adaptive)
            bounds = edges if noted is record else thresholds(noted, cfg.regime)
        if now >= regime.next_sample:
            measured = sampled(regime, mid, now, bounds, cfg.regime)
        asks = wanted if full is done else asked(samples, measured.variance, cfg)
        spaced = spacing
        if asks != wanted or spacing.less_since:  # else nothing is asked that was not before
            spaced = space(spacing, asks, least, now, cfg.grid)
        if measured.kind is not regime.kind or spaced.bps != spacing.bps:
            count = place  # this tick has to be a whole one
            break
        record, edges, regime, spacing, wanted = noted, bounds, measured, spaced, asks
        if now < ends_at:
            high, low, close = max(high, mid), min(low, mid), mid
        else:
            high = low = close = mid  # of the sample that begins
        done, ends_at = full, until
        narrows = spacing.less_since + patience if spacing.less_since else _NEVER
        due = min(ends_at, regime.next_sample, record.next_at, narrows)
    samples = Samples(done, ends_at, high, low, close)
    return _Models(count, samples, regime, spacing, record, edges, wanted)
