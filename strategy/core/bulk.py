"""Learning in bulk: what stages 1 to 5 do for each of many ticks inside a quiet band.

The same operations on the same floats in the same order, so memory ends the same to the last bit.

Rule 1: what cannot be shown to leave regime, breaker, pause, spacing and the day's loss as they are
is not learned here: fewer ticks are, or none, and the next one has to be a whole one.
Rule 2: where a band says that regime and spacing may change, only the step of the anchor does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import sub
from typing import NamedTuple

from msgspec.structs import replace

from shared.frames import Book
from shared.units import BPS, SECOND, Ns, float_price
from strategy.core.account import worths_at
from strategy.core.daily import overspent_by
from strategy.core.grid import restepped
from strategy.core.imbalance import Imbalance
from strategy.core.market import observe
from strategy.core.memory import Memory, PairMemory
from strategy.core.reference import follow_all
from strategy.core.regime import Kind
from strategy.core.risk import Risk, assess_range
from strategy.core.sweep import sweep


class Learned(NamedTuple):
    """ticks: how many were learned from. ended: the next one has to be a whole one."""

    ticks: int
    ended: bool


def learn(
    memory: Memory,
    nows: Sequence[Ns],
    mids: Sequence[float],
    frame: Callable[[int], Book],
    kinds: Sequence[Kind] = (),
) -> Learned:
    """Learn from the first of these ticks, all inside a band.

    nows: their moments, none before memory's own; the wall clock runs with them. mids: of books
    that weigh the same on both sides. frame: the book of one of them, by its place. kinds: the
    band's; a change of regime or spacing that it allows is learned too, and is the last of them.
    """
    pair, cfg = memory.first, memory.config
    if pair.maker is None or pair.breaker.frozen or pair.imbalance.value:
        return Learned(0, ended=True)
    found = sweep(pair, nows, mids, cfg, kinds)
    ended = found.count < len(nows) and not found.changed
    count, risk = _within(memory, pair, nows, mids, found.count)
    if risk is None:
        return Learned(0, ended=True)
    if count < found.count:
        ended, found = False, sweep(pair, nows[:count], mids[:count], cfg, kinds)
    nows, mids = nows[:count], mids[:count]
    now = nows[-1]
    memory.wall = Ns(memory.wall + now - memory.now)
    memory.now = now
    pair.tape.hear_run(frame(count - 1), nows, mids)
    pair.view = observe(pair.tape, now, cfg.time)
    pair.samples, pair.regime, pair.spacing = found.samples, found.regime, found.spacing
    pair.record, pair.ranked, pair.edges = found.known
    pair.asked = (found.samples.done, found.regime.variance, found.asked)
    if found.changed:
        anchor = restepped(pair.hung.anchor, pair.spacing.bps / BPS, cfg.grid)
        pair.hung = replace(pair.hung, anchor=anchor)
    pair.imbalance = Imbalance(pair.imbalance.value, now)
    pair.reference = follow_all(pair.reference, nows, mids)
    memory.risk = risk
    return Learned(count, ended)


def _within(
    memory: Memory, pair: PairMemory, nows: Sequence[Ns], mids: Sequence[float], count: int
) -> tuple[int, Risk | None]:
    """How many of the first `count` ticks cross no edge of risk and breaker, and the risk then.

    A part of a run that crosses none crosses none, so the longest such part is searched for.
    """
    longest, found, crosses, tried = 0, None, count + 1, count
    while crosses - longest > 1:
        part = mids[:tried]
        ends = min(part), max(part)
        risk = _risk(memory, pair, (*ends, part[-1]))
        if risk is not None and _is_steady(memory, pair, nows[:tried], ends):
            longest, found = tried, risk
        else:
            crosses = tried
        tried = (longest + crosses) // 2
    return longest, found


def _risk(memory: Memory, pair: PairMemory, mids: tuple[float, float, float]) -> Risk | None:
    """The risk after a run of mids, of which these are the least, the largest and the last; None
    where its band, or the day's loss, might change."""
    spec = pair.tape.pair
    if spec is None:
        return None
    totals = memory.books.expected or memory.balances
    rate = memory.rates[spec.quote]
    # The account's worth never falls with the price of its coins.
    prices = [float_price(spec, mid) * rate for mid in mids]
    least, most, last = worths_at(memory, totals, prices)
    if not memory.halt and overspent_by(memory, least):
        return None
    return assess_range(memory.risk, least, most, last, memory.config.risk)


def _is_steady(
    memory: Memory, pair: PairMemory, nows: Sequence[Ns], ends: tuple[float, float]
) -> bool:
    """Whether no tick of these is stale, and none of mids between `ends` trips the breaker."""
    cfg, book = memory.config, pair.tape.book
    window = pair.tape.extremes(memory.now)
    if book is None or window is None:
        return False
    heard, stale = book.heard_at, cfg.time.feed_stale_sec * SECOND
    late = nows[-1] - heard > stale and max(map(sub, nows, (heard, *nows))) > stale
    if late or pair.reference.slow <= 0:
        return False
    low, high = min(*window, *ends), max(*window, *ends)
    return max(high / low - 1.0, 1.0 - low / high) < cfg.risk.price_velocity_freeze_pct
