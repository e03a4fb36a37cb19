"""Whether the wishes of a tick are the same at two prices, and so at each price between them.

What stages 6 to 9 make of the price reaches the wishes in five ways: the tilt of the sizes, the way
to the anchor, the touch, the collar, and the budgets. Tilt and anchor have to stay as they are. Of
touch, collar and budgets the least and the largest are known that they can be on the way, and each
rung has to fare the same with both.

Rule 1: tilt, anchor, touch and collar are monotone in the price; a budget is the least of what
rises with it, what falls and what stays, so between two prices it may be larger than at either.
Rule 2: a rung that is withheld for another reason is withheld at each price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from shared.config import Config
from shared.settings_trade import RegimeValues
from shared.units import Sats, Side, Ticks
from strategy.core.account import money_units
from strategy.core.grid import Hung, stays
from strategy.core.inventory import Rooms, buys_at, rooms, sells_at, share
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.plan import MARKET_WORDS, Laid, Plan, reach_of, rungs_of
from strategy.core.regime import values_of
from strategy.core.skew import LEAST, sizes, tilts
from strategy.core.taxgate import euro_price, locked_at

_NO_PRICE: Final = 1 << 62  # Ticks: above each


class Rungs(NamedTuple):
    """One side of the lattice. used: of the budget by the wishes: units of buys, Sats of sells.

    lowest, highest: Ticks of the rungs that are wished. withheld: of each that market or budget
    withhold: Ticks, and the budget with which it would be wished.
    """

    lowest: int
    highest: int
    used: int
    withheld: tuple[tuple[int, int], ...]


class Wished(NamedTuple):
    """What a tick wishes at a price, and what that hangs on.

    account: coins in Sats, money in units. room, sizes: what it leaves, and what the tilt leaves of
    (buys, sells), at this price. free: of tax.
    """

    view: View
    plan: Plan
    hung: Hung
    account: tuple[int, int]
    values: RegimeValues
    room: Rooms
    sizes: tuple[float, float]
    free: Sats
    buys: Rungs
    sells: Rungs


def wished(
    memory: Memory, pair: PairMemory, view: View, wish: tuple[Plan, Hung, Laid]
) -> Wished | None:
    """What these wishes hang on; None of an empty account.

    wish: as stages 6 to 9 laid it, before it is trimmed: the tax gate looks at no price.
    """
    cfg, account = memory.config, (memory.base_total(pair), money_units(memory, pair))
    if account[0] * view.mid + account[1] <= 0:
        return None
    values = values_of(pair.regime, cfg.regime)
    return Wished(
        view, wish[0], wish[1], account, values,
        rooms(view.mid, account, cfg.inventory.rebalance_cap_pct, values),
        sizes(share(*account, view.mid), values),
        memory.free(),
        _rungs(Side.BUY, wish, view, pair.open.filled),
        _rungs(Side.SELL, wish, view, pair.open.filled),
    )  # fmt: skip


def _rungs(
    side: Side, wish: tuple[Plan, Hung, Laid], view: View, filled: Mapping[tuple[Side, int], int]
) -> Rungs:
    plan, hung, laid = wish
    ladder = rungs_of(plan, hung.leaning, view.pair, side)
    wishes = laid.buys if side is Side.BUY else laid.sells
    # A sell may stand above its rung (`Unanswered`): touch and collar look at the rung.
    held = [(ladder[each.rung - 1][1], each.qty) for each in wishes]
    withheld: list[tuple[int, int]] = []
    for other, rung, why in laid.missing:
        if other is side and why in MARKET_WORDS:
            _, price, qty, _ = ladder[rung - 1]
            nearer = held[: sum([each.rung < rung for each in wishes])]
            withheld.append((price, _takes(side, [*nearer, (price, qty)], filled)))
    if not held:
        return Rungs(_NO_PRICE, 0, 0, tuple(withheld))
    ends = held[0][0], held[-1][0]
    return Rungs(min(ends), max(ends), _takes(side, held, filled), tuple(withheld))


def _takes(
    side: Side, held: Sequence[tuple[int, int]], filled: Mapping[tuple[Side, int], int]
) -> int:
    """What orders of these prices and quantities take of the budget of their side."""
    if filled:
        held = [(price, max(0, qty - filled.get((side, price), 0))) for price, qty in held]
    if side is Side.BUY:
        return sum([price * qty for price, qty in held])
    return sum([qty for _, qty in held])


def alike(memory: Memory, pair: PairMemory, here: Wished, bid: int) -> bool:
    """Whether the same is wished, and the anchor stays, with each best bid from here to this one
    and the ask one Tick above."""
    cfg, plan, room = memory.config, here.plan, here.room
    view = replace(here.view, bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)
    there = rooms(view.mid, here.account, cfg.inventory.rebalance_cap_pct, here.values)
    buys = _budget(plan.buy_units, (room.buy, room.buy_cap), (there.buy, there.buy_cap))
    sells = _budget(plan.sell_sats, (room.sell, room.sell_cap), (there.sell, there.sell_cap))
    views = (here.view, view) if bid > here.view.bid else (view, here.view)
    reaches = [reach_of(each.mid, cfg.limits.collar_pct) for each in views]
    follow = plan.buy_levels > 0 < buys[1], plan.sell_levels > 0 < sells[1]
    return (
        _sizes_stay(pair, here, view, (buys[1], sells[1]))
        and _buys_stay(here.buys, views, (reaches[0][0], reaches[1][0]), buys)
        and _sells_stay(here.sells, views, (reaches[0][1], reaches[1][1]), sells)
        and stays(here.hung.anchor, views, follow, cfg.grid)
        and lock_stays(memory, pair, here.free, (here.view.bid, bid))
    )


def _sizes_stay(pair: PairMemory, here: Wished, view: View, most: tuple[int, int]) -> bool:
    """Whether the tilt is the same at both prices; of a side that has no rung, or can pay
    for none of any size, it does not matter.

    most: the largest budgets of (buys, sells) on the way.
    """
    there = sizes(share(*here.account, view.mid), here.values)
    if there == here.sizes:
        return True
    plan, least = here.plan, here.view.pair.qty_min
    # Rounded down to whole steps, a rung is worth at least half of what it was meant to be.
    poor = [2 * most[0] < plan.notional * LEAST, most[1] < least]
    if pair.open.filled:
        poor = [False, False]  # what has filled in part may need no budget
    idle = poor[0] or not plan.buy_levels, poor[1] or not plan.sell_levels
    return all(each or a == b for each, a, b in zip(idle, here.sizes, there, strict=True))


def _budget(held: int, here: tuple[int, int], there: tuple[int, int]) -> tuple[int, int]:
    """The least and the largest that a budget can be on the way.

    held: what it is here. here, there: what the account leaves at both ends; of each two figures
    one rises with the price, one falls.
    """
    least = min(held, max(0, min(there)))
    if held < min(here):
        return least, held  # what binds it here is the same at each price
    return least, max(0, min(max(here[0], there[0]), max(here[1], there[1])))


def _buys_stay(
    rungs: Rungs, views: tuple[View, View], edges: tuple[float, float], budget: tuple[int, int]
) -> bool:
    """Whether each buy that is wished, or withheld by market or budget, is so on the way too.

    views: at the lower and at the higher end. edges: of the collar there.
    """
    low, high = views
    if rungs.highest >= low.ask or rungs.lowest < edges[1] or rungs.used > budget[0]:
        return False
    for price, needs in rungs.withheld:
        if price < high.ask and price >= edges[0] and needs <= budget[1]:
            return False
    return True


def _sells_stay(
    rungs: Rungs, views: tuple[View, View], edges: tuple[float, float], budget: tuple[int, int]
) -> bool:
    """The same of the sells, of which the last takes a small rest along."""
    low, high = views
    if rungs.lowest <= high.bid or rungs.highest > edges[0]:
        return False
    # How much of a rest goes along depends on the budget itself.
    if rungs.used and budget[0] < budget[1] and budget[0] - rungs.used < low.pair.qty_min:
        return False
    for price, needs in rungs.withheld:
        if price > low.bid and price <= edges[1] and needs <= budget[1]:
            return False
    return True


def lock_stays(memory: Memory, pair: PairMemory, free: Sats, bids: tuple[int, int]) -> bool:
    """Whether the tax lock is the same with both best bids, and so between: it comes with a rise.

    free: of tax.
    """
    spec = pair.tape.pair
    if spec is None or free >= spec.qty_min:
        return True
    one, other = (locked_at(memory, spec.qty_min, euro_price(memory, pair, bid)) for bid in bids)
    return one is other


def edges(here: Wished, cfg: Config) -> Iterator[float]:
    """Mids at which that probably changes: a guess where to try."""
    (coins, money), cap = here.account, cfg.inventory.rebalance_cap_pct
    for part in tilts(here.values):
        if coins > 0 and 0.0 < part < 1.0:
            yield part * money / (coins * (1.0 - part))
    for rung in (-1, 1):
        yield math.sqrt(here.hung.anchor.price(rung) * here.hung.anchor.price(2 * rung))
    low, high = (edge / here.view.mid for edge in here.plan.reach)
    for rungs, touch, far, reach in (
        (here.buys, here.buys.highest, here.buys.lowest, low),
        (here.sells, here.sells.lowest, here.sells.highest, high),
    ):
        yield touch
        yield far / reach
        for price, _ in rungs.withheld:
            yield price
            yield price / reach
    for needs in (here.buys.used, *(needs for _, needs in here.buys.withheld)):
        yield from buys_at(needs, here.account, cap, here.values)
    for needs in (
        here.sells.used + here.view.pair.qty_min,
        *(needs for _, needs in here.sells.withheld),
    ):
        yield from sells_at(needs, here.account, cap, here.values)
