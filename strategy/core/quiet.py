"""Quiet stretches: between which prices, and until when, a tick would ask for nothing.

Stages 6 to 10 are evaluated at both ends of a band of prices; what is alike at both is alike
between (between.py).

Rule 1: whatever is not proven to change nothing is no band.
Rule 2: a band says nothing of stages 1 to 5: they go on (bulk.py), and end it where they change.
Rule 3: what the gate refuses for the collar's sake at each price of a band is no change either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns, Ticks
from strategy.core import deadman, exits
from strategy.core.account import first, money_units
from strategy.core.between import Found, alike
from strategy.core.draining import switch_wanted
from strategy.core.gate import off_collar, throttle
from strategy.core.grid import Hung
from strategy.core.lifecycle import Phase
from strategy.core.limiter import admit
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.plan import PRICE_WORDS, Laid, Plan
from strategy.core.regime import Kind, Regime, values_of
from strategy.core.risk import Pause
from strategy.core.skew import tilts
from strategy.core.slots import Cancel, Intent
from strategy.ledger.tax import BERLIN, berlin_day

_OVER: Final = Ns(1 << 62)
_FARTHEST: Final = 0.02  # a band goes no farther than this where nothing rests on a side
_TRIES: Final = 4
_MOMENTS: Final = 16


class Band(Struct, frozen=True):
    """Best bids (Ticks), both included, with the ask one Tick above; until: house time, excluded.

    idle: halted with nothing at the exchange: only a person's word ends it. refused: how many
    intents the gate refuses at each tick. kinds: into which the regime may change, and the spacing
    however it likes, without anything but the step of the anchor changing.
    """

    low: int
    high: int
    until: Ns
    idle: bool = False
    refused: int = 0
    kinds: tuple[Kind, ...] = ()


class Would(Protocol):
    """What a tick would do, asked without a trace (pipeline.py)."""

    def wish(self, view: View) -> tuple[Plan, Hung, Laid]:
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
        return _halted(memory, pair, int(view.bid), until)
    if not pair.permit.change or plan is None or laid is None or pair.hung.away_since:
        return None
    if pair.open.in_flight or pair.open.lost or not _rests(memory, pair, (view.mid, view.mid)):
        return None
    if (paused := _paused(memory, pair, plan, until)) is not None:
        return paused
    asked = pair.intents
    if asked and not _all_refused(memory, pair, asked):
        return None  # the gate or the rate limit has said no: it is asked for again
    if would.ask(view, laid, _OVER) != asked:
        until = min(until, _asked_at(memory, pair, asked, lambda now: would.ask(view, laid, now)))
    here = _Here(Found(view, plan, pair.hung, laid), tuple(asked))
    low, high = _limits(pair, int(view.bid))
    low, high = _reach(memory, here, low, would), _reach(memory, here, high, would)
    return Band(low, high, until, refused=len(asked))


def _halted(memory: Memory, pair: PairMemory, bid: int, until: Ns) -> Band | None:
    """Halted, nothing is quoted at any price; an emergency may still sell."""
    if memory.busy() or memory.flatten:
        return None
    if memory.pause is not Pause.EMERGENCY_SELL or not pair.permit.exits:
        return Band(0, _OVER, until, idle=True)
    low, high = _around(bid)
    rests = _rests(memory, pair, (low + 0.5, high + 0.5))
    return Band(low, high, until, idle=True) if rests else None


def _paused(memory: Memory, pair: PairMemory, plan: Plan, until: Ns) -> Band | None:
    """The band of an emergency that has nothing to sell; None where it may, or where more than the
    step of its anchor hangs on price, regime or spacing.

    No rung is wished on either side, whatever the regime, so nothing is asked for; an anchor with
    nothing to buy and nothing to sell follows no market unless `grid.trailing` says so.
    """
    hung, laid, cfg = pair.hung, pair.laid, memory.config
    if memory.pause is not Pause.EMERGENCY_SELL or memory.flatten or cfg.grid.trailing != "off":
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


def _all_refused(memory: Memory, pair: PairMemory, asked: Sequence[Intent]) -> bool:
    """Whether all of it reaches the gate, now and later, and fails there for the collar's sake."""
    view, cfg = pair.view, memory.config
    assert view is not None
    # Who waits at the rate counter is let through some time; who is let through once, always.
    admitted = admit(pair.limiter, asked, memory.now, cfg.rate_limit)
    return len(admitted) == len(asked) and _off_collar(asked, (view.mid, view.mid), memory)


def _off_collar(asked: Sequence[Intent], mids: tuple[float, float], memory: Memory) -> bool:
    """Whether the gate refuses each of these at every mid between two."""
    collar = memory.config.limits.collar_pct
    return all(
        not isinstance(each, Cancel) and off_collar(each.wish.price, mids, collar) for each in asked
    )


def _is_calm(memory: Memory, pair: PairMemory) -> bool:
    """Whether nothing is under way that time alone would bring to an end."""
    cfg, asking = memory.config, memory.asking
    return bool(
        memory.phase is Phase.TRADING
        and memory.line == "up"
        and memory.system == "online"
        and not (memory.kill.stage or memory.unwritten[0] or memory.orphans or memory.hold)
        and not (asking.wanted or asking.asked_at or asking.each)
        and not (memory.books.gap or memory.audit.drift or memory.audit.held)
        and not (memory.outgoing.rows or memory.owed)
        # What the last tick found begins the day, or halts, with the next one.
        and (memory.risk.equity <= 0 or memory.day.day == berlin_day(memory.wall).isoformat())
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


def _asked_at(
    memory: Memory,
    pair: PairMemory,
    asked: Sequence[Intent],
    ask: Callable[[Ns], Sequence[Intent]],
) -> Ns:
    """The first moment at which something else is asked for because an order has aged, or a refusal
    has been waited for: between two such moments time changes nothing."""
    cfg = memory.config.grid
    ages = [int(cfg.requote_age_sec * SECOND), int(cfg.enlarge_age_sec * SECOND)]
    moments = [Ns(slot.changed + age) for slot in pair.slots for age in ages if slot.changed]
    moments += [slot.not_before for slot in pair.slots]
    coming = sorted(dict.fromkeys(moment for moment in moments if moment > memory.now))
    for moment in coming[:_MOMENTS]:
        if ask(moment) != asked:
            return moment
    return coming[_MOMENTS] if len(coming) > _MOMENTS else _OVER


def _around(bid: int) -> tuple[int, int]:
    """As far as a band goes at all."""
    return int(bid * (1.0 - _FARTHEST)), int(bid * (1.0 + _FARTHEST))


def _limits(pair: PairMemory, bid: int) -> tuple[int, int]:
    """Between our own best orders: nothing fills there, and the touch is not ours."""
    low, high = _around(bid)
    orders = pair.open  # none of them in flight
    low = (orders.highest_buy if orders.buys else low) + 1
    high = (orders.lowest_sell if orders.sells else high) - 2
    return min(low, bid), max(high, bid)


class _Here(Struct, frozen=True):
    """What the last tick found, and what of it the gate has refused."""

    found: Found
    asked: tuple[Intent, ...]


def _reach(memory: Memory, here: _Here, end: int, would: Would) -> int:
    """The end, or as much of the way there as keeps the same wishes."""
    bid = int(here.found.view.bid)
    for attempt in range(_TRIES):
        if end == bid:
            return bid
        if _alike(memory, here, end, would):
            return end
        edge = bid if attempt else _edge(memory, here, end)
        end = edge if edge != bid else bid + int((end - bid) / 2)
    return bid


def _alike(memory: Memory, here: _Here, end: int, would: Would) -> bool:
    """Whether the wishes are the same at this bid and at each one on the way there."""
    pair, found = first(memory), here.found
    view = replace(found.view, bid=Ticks(end), ask=Ticks(end + 1), mid=end + 0.5)
    mids = found.view.mid, view.mid
    if not _rests(memory, pair, mids) or not _off_collar(here.asked, mids, memory):
        return False
    return alike(memory, pair, found, Found(view, *would.wish(view)), would.lay)


def _edge(memory: Memory, here: _Here, end: int) -> int:
    """How far towards the end it goes before something probably changes: a guess to try next."""
    bid = int(here.found.view.bid)
    mids = list(_edges(memory, here))
    if end > bid:
        return max(bid, min((int(mid) - 2 for mid in mids if mid > bid), default=bid))
    return min(bid, max((int(mid) + 2 for mid in mids if mid < bid), default=bid))


def _edges(memory: Memory, here: _Here) -> Iterator[float]:
    """Mids at which the tilt, the anchor, or what touch and collar leave of the rungs changes."""
    pair, found, cfg = first(memory), here.found, memory.config
    coins, money = memory.base_total(pair), money_units(memory, pair)
    for part in tilts(values_of(pair.regime, cfg.regime)):
        if coins > 0 and 0.0 < part < 1.0:
            yield part * money / (coins * (1.0 - part))
    anchor = found.hung.anchor
    for rung in (-1, 1):
        yield math.sqrt(anchor.price(rung) * anchor.price(2 * rung))
    low, high = (edge / found.view.mid for edge in found.plan.reach)
    prices = [wish.price for side in (found.laid.buys, found.laid.sells) for wish in side]
    for price in (*prices, *_lacking(found)):
        yield price
        yield price / low
        yield price / high
    collar = cfg.limits.collar_pct
    for each in here.asked:
        if not isinstance(each, Cancel):
            yield each.wish.price / (1.0 - collar)
            yield each.wish.price / (1.0 + collar)


def _lacking(found: Found) -> Iterator[float]:
    """Where the rungs stand that another price would bring."""
    for side, rung, why in found.laid.missing:
        if why in PRICE_WORDS:
            yield found.hung.leaning.price(-rung * side.sign)
