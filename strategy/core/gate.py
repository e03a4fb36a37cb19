"""The one order gate: every add and amend passes here or does not leave.

It recomputes the worst case from what may rest at the exchange, not from the plan, and knows
nothing of why an order is wished. Cancels and the dead man's switch never pass through it.
"""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from functools import lru_cache
from typing import Final

from shared.units import MINUTE, Ns, Side
from strategy.core import byrest
from strategy.core.account import money_units
from strategy.core.audit import HELD
from strategy.core.daily import overspent, spares_exits
from strategy.core.lifecycle import TRADING
from strategy.core.memory import Memory, PairMemory
from strategy.core.openorders import OpenOrders
from strategy.core.owed import WAITS
from strategy.core.reference import doubt, slower
from strategy.core.regime import values_of
from strategy.core.slots import Add, Amend, Wish
from strategy.core.taxgate import refuse_sale, refuse_spending

# Bound once: an enum's members are slow to look up, and each tick needs these.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


def refuse(memory: Memory, pair: PairMemory, intent: Add | Amend, now: Ns) -> str:
    """Why the order must not leave; "" if it may."""
    return (
        _refuse_state(memory, pair, intent, now)
        or _refuse_price(memory, pair, intent, now)
        or _refuse_exposure(memory, pair, intent)
    )


def _refuse_state(memory: Memory, pair: PairMemory, intent: Add | Amend, now: Ns) -> str:
    exit_order = intent.slot.name == "x"
    view = pair.view
    if memory.phase is not TRADING:
        return f"phase is {memory.phase}"
    if memory.halt and not (exit_order and spares_exits(memory.halt)):
        return f"halted: {memory.halt}"
    if memory.unwritten[0]:
        return f"the ledger cannot be written: {memory.unwritten[0]}"
    if memory.hold and not exit_order:
        return "on hold"
    if memory.system != "online":
        return f"the exchange is {memory.system or 'unknown'}"
    if view is None or not view.fresh:
        return "no fresh book"
    if view.pair.status != "online":
        return f"the pair is {view.pair.status}"
    if not memory.switch.covers(now, memory.config.ws):
        return "the dead man's switch does not cover it"
    if memory.owed:
        return WAITS
    if isinstance(intent, Add) and memory.busy() >= memory.config.limits.open_orders:
        return "limits.open_orders is reached"
    return byrest.refuse(memory, now)


def _refuse_price(memory: Memory, pair: PairMemory, intent: Add | Amend, now: Ns) -> str:
    view, wish = pair.view, intent.wish
    assert view is not None
    limits = memory.config.limits
    spec = view.pair
    if wish.price % spec.price_step or wish.qty % spec.qty_step or wish.price <= 0:
        return "not on the pair's price or quantity steps"
    if wish.qty < spec.qty_min:
        return "below the pair's least quantity"
    if wish.price * wish.qty > _units(limits.order_quote, spec.price_decimals + spec.qty_decimals):
        return "larger than limits.order_quote"
    for reference in (view.mid, slower(pair.reference, view)):
        if abs(wish.price / reference - 1.0) > limits.collar_pct:
            return "outside the price collar"
    if why := doubt(pair.reference, view, now, limits.collar_pct):
        return why
    if _meets(pair.open, wish):
        return "would meet an order of our own"
    if intent.slot.name == "x":
        return ""
    crosses = wish.price >= view.ask if wish.side is _BUY else wish.price <= view.bid
    return "would cross the book" if crosses else ""


@lru_cache(maxsize=16)
def _units(limit: Decimal, decimals: int) -> int:
    """The most whole units (Ticks x Sats) within a limit in quote currency."""
    return math.floor(limit.scaleb(decimals))


def off_collar(price: int, mids: tuple[float, float], collar: float) -> bool:
    """Whether a price is refused for the collar's sake at each mid between two."""
    return price / max(mids) - 1.0 > collar or price / min(mids) - 1.0 < -collar


def _meets(resting: OpenOrders, wish: Wish) -> bool:
    """Whether it could trade with one of ours, whichever amend is still under way."""
    if wish.side is _BUY:
        return wish.price >= resting.lowest_sell
    return wish.price <= resting.highest_buy


def _refuse_exposure(memory: Memory, pair: PairMemory, intent: Add | Amend) -> str:
    """Worst case: everything that may rest fills, and this order too."""
    slot, wish = intent.slot, intent.wish
    rests, high = slot.open_qty, slot.high_price
    grown = max(wish.qty, rests + slot.filled) - slot.filled
    price = max(wish.price, high)
    if wish.side is _SELL:
        if memory.audit.held:
            return HELD
        # The coins are the account's, whichever pair sells them.
        others = sum([each.open.sell_sats for each in memory.pairs.values()]) - rests
        reserve = memory.going() + int(memory.config.grid.base_reserve.scaleb(8))
        if others + grown > memory.base_total(pair) - reserve:
            return "more than the coins that may be sold"
        return refuse_sale(memory, pair, slot, price, others, grown)
    stands = rests * high
    bound = pair.open.buy_units - stands
    cost = bound + grown * price
    if cost * (1.0 + (pair.maker or 0.0)) > memory.quote_total(pair):
        return "more than the funds there are"
    if grown * price <= stands:
        return ""
    if why := refuse_spending(memory, pair, cost):
        return why
    cost += _elsewhere(memory, pair)
    if _share(memory, pair, cost) > _most(memory, pair):
        return f"coins over {_most(memory, pair):.0%} of the account if all buys fill"
    return ""


def _elsewhere(memory: Memory, pair: PairMemory) -> int:
    """What the buys on the other pairs of the coin may cost, in units of this one.

    A coin counts at this pair's mid less what the buy stands below the mid of its own.
    """
    assert pair.view is not None
    units = 0.0
    for other in memory.pairs.values():
        if other is pair:
            continue
        mid = other.view.mid if other.view is not None else 0.0
        for slot in other.open.buys:
            below = min(1.0, slot.high_price / mid) if mid > 0.0 else 1.0
            units += slot.open_qty * below * pair.view.mid
    return int(units)


def _share(memory: Memory, pair: PairMemory, buys: int) -> float:
    """The coins' part of the account once all these buys (units) have filled."""
    assert pair.view is not None
    held = memory.base_total(pair) * pair.view.mid
    equity = held + money_units(memory, pair)
    return (held + buys) / equity if equity > 0 else 1.0


def _most(memory: Memory, pair: PairMemory) -> float:
    """What the regime allows, and never more than limits.btc_max_pct."""
    values = values_of(pair.regime, memory.config.regime)
    return min(values.btc_max_pct, memory.config.limits.btc_max_pct)


def throttle(memory: Memory, now: Ns) -> str:
    """Why everything must stop until a person resumes: fills, rejects in a row, the day's loss."""
    limits = memory.config.limits
    if _more_than(limits.fills_per_minute, memory.fill_times, Ns(now - MINUTE)):
        return f"over {limits.fills_per_minute} fills within a minute (limits.fills_per_minute)"
    if _more_than(limits.fills_per_hour, memory.fill_times, Ns(now - 60 * MINUTE)):
        return f"over {limits.fills_per_hour} fills within an hour (limits.fills_per_hour)"
    if memory.rejects_in_a_row >= limits.rejects_in_a_row:
        return f"{memory.rejects_in_a_row} orders refused in a row (limits.rejects_in_a_row)"
    return overspent(memory)


def _more_than(most: int, times: deque[Ns], since: Ns) -> bool:
    """Whether more than `most` of these moments, oldest first, are later than `since`."""
    return len(times) > most and times[-most - 1] > since
