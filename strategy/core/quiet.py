"""Quiet stretches: between which prices, and until when, a tick would ask for nothing.

Stages 6 to 10 are evaluated at both ends of a band of prices. Each of their comparisons is
monotone in the price (touch, collar, tilt, the way to the anchor), so one that comes out alike at
both ends comes out alike between. Only the budgets are not: each is the least of a part that rises
with the price and one that falls, so between the ends it may be larger than at either; where that
could matter the wishes are laid again with the largest that it can be.

Rule 1: whatever is not proven to change nothing is no band.
Rule 2: a band says nothing of stages 1 to 5: they go on (bulk.py), and end it where they change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns, Ticks
from strategy.core import deadman
from strategy.core.account import first, money_units
from strategy.core.draining import switch_wanted
from strategy.core.grid import LEFT_RUNGS, Hung
from strategy.core.inventory import rooms
from strategy.core.lifecycle import Phase
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.plan import NO_COINS, NO_FUNDS, PRICE_WORDS, Laid, Plan
from strategy.core.regime import values_of
from strategy.core.risk import Pause
from strategy.core.slots import Intent
from strategy.core.taxgate import euro_price, locked_at
from strategy.ledger.tax import BERLIN, berlin_day

_OVER: Final = Ns(1 << 62)
_FARTHEST: Final = 0.02  # a band goes no farther than this where nothing rests on a side
_TRIES: Final = 3
_MOMENTS: Final = 16


class Band(Struct, frozen=True):
    """Best bids (Ticks), both included, with the ask one Tick above; until: house time, excluded.

    idle: halted with nothing at the exchange: only a person's word ends it.
    """

    low: int
    high: int
    until: Ns
    idle: bool = False


class Would(Protocol):
    """What a tick would do, asked without a trace (pipeline.py)."""

    def wish(self, view: View) -> tuple[Plan, Hung, Laid] | None:
        """Stages 6 to 9."""
        ...

    def lay(self, view: View, plan: Plan) -> Laid:
        """A plan as prices on the present lattice."""
        ...

    def ask(self, view: View, laid: Laid, now: Ns) -> Sequence[Intent]:
        """Stage 10 as if it were that late."""
        ...


def find(memory: Memory, would: Would) -> Band | None:
    """The band around the price of the last tick; None where the next one has to be run."""
    pair = first(memory)
    view, plan, laid = pair.view, pair.plan, pair.laid
    if len(memory.pairs) > 1 or view is None or not view.fresh or view.ask != view.bid + 1:
        return None
    if not _is_calm(memory, pair):
        return None
    until = _until(memory)
    if memory.halt:
        idle = memory.busy() == 0 and not memory.flatten
        return Band(0, _OVER, until, idle=True) if idle else None
    if not pair.permit.change or plan is None or laid is None or pair.hung.away_since:
        return None
    if pair.open.in_flight or pair.open.lost:
        return None
    if would.ask(view, laid, memory.now):
        return None  # the gate or the rate limit has said no: it is asked for again
    if would.ask(view, laid, _OVER):
        until = min(until, _asked_at(memory, pair, lambda now: would.ask(view, laid, now)))
    here = _Here(view, plan, pair.hung, laid)
    low, high = _limits(pair, int(view.bid))
    return Band(_reach(memory, here, low, would), _reach(memory, here, high, would), until)


def _is_calm(memory: Memory, pair: PairMemory) -> bool:
    """Whether nothing is under way that time alone would bring to an end."""
    cfg, asking = memory.config, memory.asking
    return (
        memory.phase is Phase.TRADING
        and memory.line == "up"
        and memory.system == "online"
        and memory.pause is not Pause.EMERGENCY_SELL
        and not (memory.kill.stage or memory.unwritten[0] or memory.orphans or memory.hold)
        and not (asking.wanted or asking.asked_at or asking.each)
        and not (memory.books.gap or memory.audit.drift or memory.audit.held)
        and not memory.outgoing.rows
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


def _asked_at(memory: Memory, pair: PairMemory, ask: Callable[[Ns], Sequence[Intent]]) -> Ns:
    """The first moment at which something is asked for because an order has aged, or a refusal
    has been waited for: between two such moments time changes nothing."""
    cfg = memory.config.grid
    ages = [int(cfg.requote_age_sec * SECOND), int(cfg.enlarge_age_sec * SECOND)]
    moments = [Ns(slot.changed + age) for slot in pair.slots for age in ages if slot.changed]
    moments += [slot.not_before for slot in pair.slots]
    coming = sorted(moment for moment in moments if moment > memory.now)
    for moment in coming[:_MOMENTS]:
        if ask(moment):
            return moment
    return coming[_MOMENTS] if len(coming) > _MOMENTS else _OVER


def _limits(pair: PairMemory, bid: int) -> tuple[int, int]:
    """Between our own best orders: nothing fills there, and the touch is not ours."""
    buys = [slot.price for slot in pair.open.buys]
    sells = [slot.price for slot in pair.open.sells]
    low = max(buys, default=Ticks(int(bid * (1.0 - _FARTHEST)))) + 1
    high = min(sells, default=Ticks(int(bid * (1.0 + _FARTHEST)))) - 2
    return min(low, bid), max(high, bid)


class _Here(Struct, frozen=True):
    """What the last tick found."""

    view: View
    plan: Plan
    hung: Hung
    laid: Laid


def _reach(memory: Memory, here: _Here, end: int, would: Would) -> int:
    """The end, or as much of the way there as keeps the same wishes."""
    bid = int(here.view.bid)
    for attempt in range(_TRIES):
        if end == bid:
            return bid
        if _alike(memory, here, end, would):
            return end
        edge = _left_at(here.hung, end > bid)
        if not attempt and (bid < edge < end or end < edge < bid):
            end = edge  # beyond it the anchor would follow
        else:
            end = bid + int((end - bid) / 2)
    return bid


def _left_at(hung: Hung, up: bool) -> int:
    """The last bid at which the market has not left the anchor."""
    anchor = hung.anchor
    price = anchor.price(2 if up else -2), anchor.price(1 if up else -1)
    return int(math.sqrt(price[0] * price[1])) + (-2 if up else 2)


def _alike(memory: Memory, here: _Here, end: int, would: Would) -> bool:
    """Whether the wishes are the same at this bid and at each one on the way there."""
    view = replace(here.view, bid=Ticks(end), ask=Ticks(end + 1), mid=end + 0.5)
    found = would.wish(view)
    if found is None or found[1] != here.hung or _shape(found[0]) != _shape(here.plan):
        return False
    plan, laid = found[0], found[2]
    if laid.buys != here.laid.buys or laid.sells != here.laid.sells:
        return False
    pair, cfg, mids = first(memory), memory.config, (here.view.mid, view.mid)
    if not _same_lock(memory, pair, (here.view, view)):
        return False
    account = memory.base_total(pair), money_units(memory, pair)
    if account[0] * min(mids) + account[1] <= 0:
        return False
    values, cap = values_of(pair.regime, cfg.regime), cfg.inventory.rebalance_cap_pct
    one, other = (rooms(mid, account, cap, values) for mid in mids)
    buys = _range(
        (here.plan.buy_units, plan.buy_units), (one.buy_cap, other.buy_cap), (one.buy, other.buy)
    )
    sells = _range(
        (here.plan.sell_sats, plan.sell_sats),
        (one.sell, other.sell),
        (one.sell_cap, other.sell_cap),
    )
    wide = buys[0] != buys[1] or sells[0] != sells[1]
    if wide and any(abs(here.hung.anchor.rungs_to(mid)) >= LEFT_RUNGS for mid in mids):
        return False
    if not _stay_missing(here.laid, laid, wide):
        return False
    return _buys_hold(here, buys, would) and _sells_hold(here, sells, pair, would)


def _same_lock(memory: Memory, pair: PairMemory, views: tuple[View, View]) -> bool:
    """Whether the tax lock is the same at both prices, and so between: it comes with a rise."""
    least = views[0].pair.qty_min
    if memory.free() >= least:
        return True
    one, other = (locked_at(memory, least, euro_price(memory, pair, view.bid)) for view in views)
    return one is other


def _stay_missing(here: Laid, there: Laid, wide: bool) -> bool:
    """Whether a rung that is missing at both ends is missing at each price between."""
    if here.missing == there.missing:
        return True
    # What does not depend on the price holds between too; two reasons that do may give way there.
    moving = PRICE_WORDS | ({NO_FUNDS, NO_COINS} if wide else set())
    return len(here.missing) == len(there.missing) and all(
        one == other or one[2] not in moving or other[2] not in moving
        for one, other in zip(here.missing, there.missing, strict=True)
    )


def _shape(plan: Plan) -> tuple[object, ...]:
    """All of a plan but its budgets, its collar and its words."""
    return (
        plan.buy_levels, plan.sell_levels, plan.buy_most, plan.sell_most, plan.spacing,
        plan.notional, plan.buy_scale, plan.sell_scale, plan.buy_below, plan.sell_above,
        plan.lowest, plan.highest, plan.lean_bps,
    )  # fmt: skip


def _range(ends: tuple[int, int], up: tuple[int, ...], down: tuple[int, ...]) -> tuple[int, int]:
    """The least and the largest that a budget can be between two mids."""
    if ends[0] == ends[1] < min(*up, *down):
        return ends  # what binds at both ends does not depend on the price
    return min(ends), max(*ends, min(max(up), max(down)))


def _buys_hold(here: _Here, budget: tuple[int, int], would: Would) -> bool:
    if budget[0] == budget[1] or not any(why == NO_FUNDS for _, _, why in here.laid.missing):
        return True  # what all fits into the least budget fits into each larger one
    return all(
        would.lay(here.view, replace(here.plan, buy_units=each)).buys == here.laid.buys
        for each in budget
    )


def _sells_hold(here: _Here, budget: tuple[int, int], pair: PairMemory, would: Would) -> bool:
    if budget[0] == budget[1]:
        return True
    left = budget[0] - sum(wish.qty for wish in here.laid.sells)
    if here.laid.sells and left < here.view.pair.qty_min:
        return False  # how much of a small rest goes along depends on the budget itself
    if not any(why == NO_COINS for _, _, why in here.laid.missing):
        return True
    return all(
        would.lay(here.view, replace(here.plan, sell_sats=each)).sells == here.laid.sells
        for each in budget
    )
