"""Quiet stretches: between which prices, and until when, a tick would ask for nothing.

What stages 6 to 9 would say is compared at both ends of a band of prices; what is alike at both is
alike between (between.py).

Rule 1: whatever is not proven to change nothing is no band.
Rule 2: a band says nothing of stages 1 to 5: they go on (bulk.py), and end it where they change.
Rule 3: what the gate refuses for the collar's sake at each price of a band, or as long as the slow
mean can not have come near enough, is no change either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.core import deadman, exits
from strategy.core.between import Wished, alike, edges, lock_stays, wished
from strategy.core.draining import switch_wanted
from strategy.core.gate import off_collar, throttle
from strategy.core.grid import Hung
from strategy.core.kept import restless, rules_of
from strategy.core.lifecycle import Phase
from strategy.core.limiter import admit
from strategy.core.market import View
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.plan import Laid, Plan
from strategy.core.reference import reaches_at
from strategy.core.regime import Kind, Regime, values_of
from strategy.core.risk import Pause
from strategy.core.slots import Cancel, Intent
from strategy.ledger.tax import BERLIN, berlin_date, berlin_day

_OVER: Final = Ns(1 << 62)
_HAIR: Final = 0.001  # Ticks: more than a mean of many floats is off
_FARTHEST: Final = 0.02  # a band goes no farther than this where nothing rests on a side


class Band(Struct, frozen=True):
    """Best bids (Ticks), both included, with the ask one Tick above; until: house time, excluded.

    refused: how many intents the gate refuses at each tick. kinds: into which the regime may
    change, and the spacing however it likes, without anything but the step of the anchor changing.
    """

    low: int
    high: int
    until: Ns
    refused: int = 0
    kinds: tuple[Kind, ...] = ()


Think = Callable[[PairMemory], tuple[Plan, Hung, Laid] | None]
"""What stages 6 to 9 say at the price of the last tick, before the tax gate trims what they lay;
None where something else than by that tick would rest."""


def find(memory: Memory, think: Think) -> Band | None:
    """The band around the price of the last tick; None where the next one has to be run."""
    pair = memory.first
    view, plan, laid = pair.view, pair.plan, pair.laid
    if len(memory.pairs) > 1 or view is None or not view.fresh or view.ask != view.bid + 1:
        return None
    if not _is_calm(memory, pair) or _touches(pair, int(view.bid)):
        return None
    until = _until(memory)
    if memory.halt:
        return _halted(memory, pair, int(view.bid), until)
    if not pair.permit.change or plan is None or laid is None or pair.hung.away_since:
        return None
    if pair.open.in_flight or pair.open.lost or not _rests(memory, pair, (view.mid, view.mid)):
        return None
    if (paused := _paused(memory, pair, plan, until)) is not None:
        return paused
    refused = _refused(memory, pair, view, pair.intents)
    if refused is None:
        return None  # the gate or the rate limit has said no: it is asked for again
    thought = think(pair)
    here = wished(memory, pair, view, thought) if thought is not None else None
    if here is None:
        return None
    until = min(until, _aged_at(memory, pair, view, laid))
    ends = _limits(pair, int(view.bid))
    low, high = (_reach(memory, here, refused.by_mid, end) for end in ends)
    for level in refused.by_mean:
        bound = high + 0.5 if level > pair.reference.slow else low + 0.5
        until = min(until, reaches_at(pair.reference, level, bound))
    return Band(low, high, until, refused=len(pair.intents))


def _halted(memory: Memory, pair: PairMemory, bid: int, until: Ns) -> Band | None:
    """Halted, nothing is quoted at any price; an emergency may still sell, and which other pause it
    is may hang on the tax lock."""
    if memory.busy():
        return None
    emergency, free = memory.pause is Pause.EMERGENCY_SELL, memory.free()
    if emergency and pair.permit.exits:
        low, high = _around(bid)
        rests = _rests(memory, pair, (low + 0.5, high + 0.5))
        return Band(low, high, until) if rests else None
    if emergency or lock_stays(memory, pair, free, (0, _OVER)):
        return Band(0, _OVER, until)

    def same(end: int) -> bool:
        return lock_stays(memory, pair, free, (bid, end))

    low = bisect_left(range(bid), True, key=same)
    high = bid + bisect_left(range(bid + 1, 2 * bid), True, key=lambda end: not same(end))
    return Band(low, high, until)


def _paused(memory: Memory, pair: PairMemory, plan: Plan, until: Ns) -> Band | None:
    """The band of an emergency that has nothing to sell; None where it may, or where more than the
    step of its anchor hangs on price, regime or spacing.

    No rung is wished on either side, whatever the regime, so nothing is asked for; an anchor with
    nothing to buy and nothing to sell follows no market unless `grid.trailing` says so.
    """
    hung, laid, cfg = pair.hung, pair.laid, memory.config
    if memory.pause is not Pause.EMERGENCY_SELL or cfg.grid.trailing != "off":
        return None
    if (
        pair.view is None
        or laid is None
        or laid.buys
        or laid.sells
        or pair.intents
        or pair.permit.buy
    ):
        return None
    if pair.permit.sell or hung.anchor.base <= 0.0 or hung.lean or plan.lean_bps:
        return None
    low, high = _around(pair.view.bid)
    kinds = tuple(kind for kind in Kind if _rests(memory, pair, (low + 0.5, high + 0.5), kind))
    return Band(low, high, until, kinds=kinds) if pair.regime.kind in kinds else None


def _rests(
    memory: Memory, pair: PairMemory, mids: tuple[float, float], kind: Kind | None = None
) -> bool:
    """Whether no emergency sells at any mid between two, in the regime as it is or in another."""
    if memory.pause is not Pause.EMERGENCY_SELL:
        return True
    regime = pair.regime if kind is None else Regime(kind)
    return exits.rests(memory, pair, mids, values_of(regime, memory.config.regime).btc_max_pct)


class _Refused(NamedTuple):
    """What the gate refuses for the collar's sake: prices (Ticks) that are too far from the mid,
    and of those that are from the slow mean alone, where it would let them through."""

    by_mid: list[int]
    by_mean: list[float]


def _refused(
    memory: Memory, pair: PairMemory, view: View, asked: Sequence[Intent]
) -> _Refused | None:
    """None where something of it does not reach the gate, or does not fail there for the collar."""
    found, cfg, slow = _Refused([], []), memory.config, pair.reference.slow
    # Who waits at the rate counter is let through some time; who is let through once, always.
    if len(admit(pair.limiter, asked, memory.now, cfg.rate_limit)) < len(asked):
        return None
    for each in asked:
        if isinstance(each, Cancel):
            return None
        price, collar = each.wish.price, cfg.limits.collar_pct
        level = price / (1.0 + collar) - _HAIR if price > slow else price / (1.0 - collar) + _HAIR
        if off_collar(price, (view.mid, view.mid), collar):
            found.by_mid.append(price)
        elif slow > 0.0 and not view.vwap and (price > level > slow or price < level < slow):
            found.by_mean.append(level)
        else:
            return None
    return found


def _is_calm(memory: Memory, pair: PairMemory) -> bool:
    """Whether nothing is under way that time alone would bring to an end."""
    cfg, asking = memory.config, memory.asking
    return bool(
        memory.phase is Phase.TRADING
        and memory.line == "up"
        and memory.system == "online"
        and not (memory.kill.stage or memory.unwritten[0] or memory.orphans or memory.hold)
        and not memory.flatten
        and not (asking.wanted or asking.asked_at or asking.each)
        and not (memory.books.gap or memory.audit.drift or memory.audit.held)
        and not (memory.outgoing.rows or memory.owed)
        # What the last tick found begins the day, or halts, with the next one.
        and (memory.risk.equity <= 0 or memory.day.day == berlin_date(memory.wall))
        and (memory.halt or not throttle(memory, memory.now))
        and not (pair.breaker.frozen or pair.advice.until)
        # Their stages follow figures that move with every sample.
        and not (cfg.hedge.enabled or cfg.avellaneda_stoikov.enabled)
        and not cfg.tax.harvest_enabled
    )


def _until(memory: Memory) -> Ns:
    """The next moment at which something may change by the calendar or the clock alone."""
    now, cfg = memory.now, memory.config
    to_wall = memory.wall - now
    midnight = _end_of(berlin_day(memory.wall))
    free_at = memory.desk.next_free_wall(memory.wall)
    ends = [min(midnight, free_at or midnight) - to_wall]
    ends.append(memory.asking.listed_at + int(cfg.time.list_sec * SECOND))
    if switch_wanted(memory):
        ends.append(deadman.due_at(memory.switch, cfg.ws))
    return Ns(min(ends))


@lru_cache(maxsize=8)
def _end_of(day: date) -> int:
    """The wall at which this German day is over."""
    following = datetime.combine(day + timedelta(days=1), time(), BERLIN)
    return int(following.timestamp()) * SECOND


def _aged_at(memory: Memory, pair: PairMemory, view: View, laid: Laid) -> Ns:
    """The first moment at which something else may be asked for because an order has aged, or a
    refusal has been waited for: between two such moments time changes nothing."""
    now, rules = memory.now, rules_of(pair, view, memory.config.grid)
    sides = restless(pair, laid, now, memory.config.grid)
    moments = [sides.until, pair.slots[pair.place(EXIT_SLOT)].not_before]
    for side, left in sides.left:
        moments += [slot.not_before for slot in pair.side(side)]
        for slot in left.orders:
            moments += [Ns(slot.changed + rules.least_age), Ns(slot.changed + rules.enlarge_age)]
    return min([moment for moment in moments if moment > now])


def _around(bid: int) -> tuple[int, int]:
    """As far as a band goes at all."""
    return int(bid * (1.0 - _FARTHEST)), int(bid * (1.0 + _FARTHEST))


def _touches(pair: PairMemory, bid: int) -> bool:
    """Whether an order of ours is reached: it may fill there, or hide the touch of the others."""
    return not pair.open.highest_buy < bid < pair.open.lowest_sell - 1


def _limits(pair: PairMemory, bid: int) -> tuple[int, int]:
    """Between our own best orders: nothing fills there, and the touch is not ours."""
    low, high = _around(bid)
    orders = pair.open  # none of them in flight
    low = (orders.highest_buy if orders.buys else low) + 1
    high = (orders.lowest_sell if orders.sells else high) - 2
    return low, high


def _reach(memory: Memory, here: Wished, refused: Sequence[int], end: int) -> int:
    """The end, or as much of the way there as keeps the same wishes."""
    bid = int(here.view.bid)
    if end == bid or _keeps(memory, here, refused, end):
        return end
    places = _places(memory, here, refused, end)
    # What is kept up to one of them is kept up to each nearer one.
    kept = bisect_left(places, True, key=lambda place: not _keeps(memory, here, refused, place))
    return places[kept - 1] if kept else bid


def _keeps(memory: Memory, here: Wished, refused: Sequence[int], end: int) -> bool:
    """Whether all stays as it is at this bid and at each one on the way there."""
    pair, mids = memory.first, (here.view.mid, end + 0.5)
    collar = memory.config.limits.collar_pct
    return (
        _rests(memory, pair, mids)
        and all([off_collar(price, mids, collar) for price in refused])
        and alike(memory, pair, here, end)
    )


def _places(memory: Memory, here: Wished, refused: Sequence[int], end: int) -> list[int]:
    """Bids on the way, nearest first, behind which something may change."""
    bid, cfg = int(here.view.bid), memory.config
    mids = [*edges(here, cfg), *_collar_edges(refused, cfg.limits.collar_pct)]
    if end > bid:
        return sorted({int(mid) - 2 for mid in mids if bid + 2 < mid < end})
    return sorted({int(mid) + 2 for mid in mids if end < mid < bid - 2}, reverse=True)


def _collar_edges(refused: Sequence[int], collar: float) -> Iterator[float]:
    """Mids at which the gate's answer to these prices changes."""
    for price in refused:
        yield price / (1.0 - collar)
        yield price / (1.0 + collar)
