"""Whether the wishes of a tick are the same at two prices, and so at each price between them.

Each comparison of stages 6 to 9 is monotone in the price (touch, collar, tilt, the way to the
anchor), so one that comes out alike at both ends comes out alike between. Only the budgets are
not: each is the least of a part that rises with the price and one that falls, so between the ends
it may be larger than at either. Where that could matter the wishes are laid again, at both ends,
with the largest that it can be.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from strategy.core.account import money_units
from strategy.core.grid import Hung, stays
from strategy.core.inventory import rooms
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.plan import NO_COINS, NO_FUNDS, PRICE_WORDS, Laid, Plan
from strategy.core.regime import values_of
from strategy.core.taxgate import euro_price, locked_at

Lay = Callable[[View, Plan], Laid]
"""A plan as prices on the present lattice."""


class Found(Struct, frozen=True):
    """What stages 6 to 9 say at one price."""

    view: View
    plan: Plan
    hung: Hung
    laid: Laid


def alike(memory: Memory, pair: PairMemory, here: Found, there: Found, lay: Lay) -> bool:
    """Whether the same is wished at each price from here to there, and the anchor stays."""
    if there.laid.buys != here.laid.buys or there.laid.sells != here.laid.sells:
        return False
    if there.hung != here.hung or _shape(there.plan) != _shape(here.plan):
        return False
    views = here.view, there.view
    if not _same_lock(memory, pair, views):
        return False
    if _is_ample(here, there, pair):
        follow = here.plan.buy_levels > 0, here.plan.sell_levels > 0
        stand = stays(here.hung.anchor, views, follow, memory.config.grid)
        return stand and _stay_missing(here.laid, there.laid)
    ranges = _budgets(memory, pair, here, there)
    if ranges is None:
        return False
    buys, sells = ranges
    follow = here.plan.buy_levels > 0 < buys[1], here.plan.sell_levels > 0 < sells[1]
    return (
        stays(here.hung.anchor, views, follow, memory.config.grid)
        and _stay_missing(here.laid, there.laid)
        and _buys_hold(here, there, buys, lay)
        and _sells_hold(here, there, sells, pair, lay)
    )


def _is_ample(here: Found, there: Found, pair: PairMemory) -> bool:
    """Whether the budgets of both ends leave nothing out: the larger ones between do not, either.

    Between the ends no budget is smaller than at one of them.
    """
    buys = min(here.plan.buy_units, there.plan.buy_units)
    sells = min(here.plan.sell_sats, there.plan.sell_sats)
    rest = sells - here.laid.sell_sats
    if buys <= 0 or sells <= 0 or rest < here.view.pair.qty_min:
        return False
    if pair.trimmed is not None and pair.trimmed[1] is there.laid:
        return False  # what was laid before the trim is not seen here
    missing = (*here.laid.missing, *there.laid.missing)
    return not any([why in (NO_FUNDS, NO_COINS) for _, _, why in missing])


def _shape(plan: Plan) -> tuple[object, ...]:
    """All of a plan but its budgets, its collar and its words."""
    return (
        plan.buy_levels, plan.sell_levels, plan.buy_most, plan.sell_most, plan.spacing,
        plan.notional, plan.buy_scale, plan.sell_scale, plan.buy_below, plan.sell_above,
        plan.lowest, plan.highest, plan.lean_bps,
    )  # fmt: skip


def _same_lock(memory: Memory, pair: PairMemory, views: tuple[View, View]) -> bool:
    """Whether the tax lock is the same at both prices, and so between: it comes with a rise."""
    least = views[0].pair.qty_min
    if memory.free() >= least:
        return True
    one, other = (locked_at(memory, least, euro_price(memory, pair, view.bid)) for view in views)
    return one is other


def _budgets(
    memory: Memory, pair: PairMemory, here: Found, there: Found
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The least and the largest budget of buys and of sells between; None of an empty account."""
    cfg, mids = memory.config, (here.view.mid, there.view.mid)
    account = memory.base_total(pair), money_units(memory, pair)
    if account[0] * min(mids) + account[1] <= 0:
        return None
    values, cap = values_of(pair.regime, cfg.regime), cfg.inventory.rebalance_cap_pct
    one, other = rooms(mids[0], account, cap, values), rooms(mids[1], account, cap, values)
    return _range(
        (here.plan.buy_units, there.plan.buy_units),
        (one.buy_cap, other.buy_cap),
        (one.buy, other.buy),
    ), _range(
        (here.plan.sell_sats, there.plan.sell_sats),
        (one.sell, other.sell),
        (one.sell_cap, other.sell_cap),
    )


def _range(ends: tuple[int, int], up: tuple[int, int], down: tuple[int, int]) -> tuple[int, int]:
    """The least and the largest that a budget can be between two mids."""
    if ends[0] == ends[1] < min(*up, *down):
        return ends  # what binds at both ends does not depend on the price
    return min(ends), max(*ends, min(max(up), max(down)))


def _stay_missing(here: Laid, there: Laid) -> bool:
    """Whether a rung that is missing at both ends is missing at each price between.

    Where one end names a budget, `_buys_hold` and `_sells_hold` see to it.
    """
    if here.missing == there.missing:
        return True
    if len(here.missing) != len(there.missing):
        return False
    others = {(side, rung): why for side, rung, why in there.missing}
    for side, rung, why in here.missing:
        other = others.get((side, rung))
        # What does not depend on the price holds between too; of two that do, one may give way
        # before the other comes.
        if other is None or (other != why and why in PRICE_WORDS and other in PRICE_WORDS):
            return False
    return True


def _buys_hold(here: Found, there: Found, budget: tuple[int, int], lay: Lay) -> bool:
    """Whether no budget between pays for a buy that is missing at both ends."""
    if budget[0] == budget[1] or not (_names(here, NO_FUNDS) or _names(there, NO_FUNDS)):
        return True  # what all fits into the least budget fits into each larger one
    return all(
        lay(end.view, replace(end.plan, buy_units=budget[1])).buys == end.laid.buys
        for end in (here, there)
    )


def _sells_hold(
    here: Found, there: Found, budget: tuple[int, int], pair: PairMemory, lay: Lay
) -> bool:
    """The same of the sells, of which the last takes a small rest along."""
    if budget[0] == budget[1]:
        return True
    if here.laid.sells and budget[0] - here.laid.sell_sats < here.view.pair.qty_min:
        return False  # how much of a small rest goes along depends on the budget itself
    if pair.trimmed is not None and pair.trimmed[1] is there.laid:
        return False  # what was laid before the trim is not seen here
    if not (_names(here, NO_COINS) or _names(there, NO_COINS)):
        return True
    return all(
        lay(end.view, replace(end.plan, sell_sats=budget[1])).sells == end.laid.sells
        for end in (here, there)
    )


def _names(end: Found, why: str) -> bool:
    return any(each == why for _, _, each in end.laid.missing)
