"""The Plan: one small frozen value that walks through stages 6 to 9; and laying it as prices.

Rule 1: a ceiling once set binds all that follow. Whoever lowers a number adds a word to `why`.
Rule 2: `lay` is the only place where a float becomes money. It rounds away from the mid.

Money inside a plan is counted in *units* of the pair: Ticks times Sats, an exact int.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from shared.units import Pair, Sats, Side, Ticks
from strategy.core.slots import Wish
from strategy.core.unanswered import Unanswered

COLLAR_MARGIN: Final = 1.05
OUTSIDE: Final = "outside the price collar"
NO_FUNDS: Final = "no funds left for it"
NO_COINS: Final = "no coins left that may be sold"
AT_ASK: Final = "at or through the ask"
AT_BID: Final = "at or through the bid"
MARKET_WORDS: Final = {OUTSIDE, AT_ASK, AT_BID, NO_FUNDS, NO_COINS}
"""Why a rung is missing at some prices of the market and not at others."""

Why = str | Callable[[], str]
"""A word for people; put together only where somebody reads it: most plans nobody ever sees."""


class Plan(Struct, frozen=True):
    """What we would like to quote."""

    buy_levels: int
    sell_levels: int
    buy_most: int
    sell_most: int
    spacing: float  # ratio between neighbouring rungs, 0.0039 = 39 bps
    notional: int  # units per rung
    buy_scale: float = 1.0
    sell_scale: float = 1.0
    buy_units: int = 0  # what all buys together may cost, fees included
    sell_sats: int = 0  # what all sells together may hand over
    reasons: tuple[Why, ...] = ()
    buy_below: float = math.inf  # Ticks: a buy stays under it
    sell_above: float = 0.0  # and a sell over it
    reach: tuple[float, float] = (0.0, math.inf)  # Ticks: the collar, a little widened
    lowest: int = 0  # Ticks: no rung below
    highest: int = 0  # nor above; 0 = no bound
    lean_bps: float = 0.0  # wanted: all rungs higher by this much; what is laid stands in Hung

    @property
    def why(self) -> tuple[str, ...]:
        return tuple(why if isinstance(why, str) else why() for why in self.reasons)

    def capped(self, why: Why, *, buy: int | None = None, sell: int | None = None) -> Plan:
        """Fewer levels, and a ceiling that no later stage may lift."""
        buy_most = self.buy_most if buy is None else min(self.buy_most, buy)
        sell_most = self.sell_most if sell is None else min(self.sell_most, sell)
        if buy_most == self.buy_most and sell_most == self.sell_most:
            return self
        return msgspec.structs.replace(
            self,
            buy_most=buy_most,
            sell_most=sell_most,
            buy_levels=min(self.buy_levels, buy_most),
            sell_levels=min(self.sell_levels, sell_most),
            reasons=(*self.reasons, why),
        )

    def budgeted(
        self, why: Why, *, buy_units: int | None = None, sell_sats: int | None = None
    ) -> Plan:
        """A smaller budget for one side."""
        buys, sells = self.buy_units, self.sell_sats
        if buy_units is not None and not 0 <= buys <= buy_units:
            buys = max(0, min(buys, buy_units))
        if sell_sats is not None and not 0 <= sells <= sell_sats:
            sells = max(0, min(sells, sell_sats))
        if buys == self.buy_units and sells == self.sell_sats:
            return self
        return msgspec.structs.replace(
            self, buy_units=buys, sell_sats=sells, reasons=(*self.reasons, why)
        )

    def within(self, buy_units: int, sell_sats: int, whys: Sequence[Why]) -> Plan:
        """Both budgets after somebody has lowered them, with a word for each time."""
        if not whys:
            return self
        return msgspec.structs.replace(
            self, buy_units=buy_units, sell_sats=sell_sats, reasons=(*self.reasons, *whys)
        )

    def scaled(self, why: Why, *, buy: float = 1.0, sell: float = 1.0) -> Plan:
        """Smaller rungs on one side or both."""
        if buy >= 1.0 and sell >= 1.0:
            return self
        return msgspec.structs.replace(
            self,
            buy_scale=self.buy_scale * min(buy, 1.0),
            sell_scale=self.sell_scale * min(sell, 1.0),
            reasons=(*self.reasons, why),
        )

    def noted(self, why: Why) -> Plan:
        """The same plan, with a word for people."""
        return msgspec.structs.replace(self, reasons=(*self.reasons, why))

    def boosted(self, why: Why, sell: float) -> Plan:
        """Larger sells, inside the budget and the ceilings that stand."""
        if sell <= 1.0:
            return self
        return msgspec.structs.replace(
            self, sell_scale=self.sell_scale * sell, reasons=(*self.reasons, why)
        )

    def collared(self, mid: float, collar: float) -> Plan:
        """No rung far outside the collar: the gate would refuse it tick after tick.

        What rests a little outside stays, so that no order comes and goes at the edge.
        """
        return msgspec.structs.replace(self, reach=reach_of(mid, collar))

    def between(self, buy_below: float, sell_above: float) -> Plan:
        """Buys and sells that do not reach our own orders on another pair."""
        return msgspec.structs.replace(self, buy_below=buy_below, sell_above=sell_above)

    def leaning(self, why: Why, lean_bps: float) -> Plan:
        """All rungs a little higher or lower."""
        if lean_bps == 0.0:
            return self
        return msgspec.structs.replace(self, lean_bps=lean_bps, reasons=(*self.reasons, why))


def reach_of(mid: float, collar: float) -> tuple[float, float]:
    """Between which prices a rung stands inside the collar, a little widened."""
    most = collar * COLLAR_MARGIN
    return mid * (1.0 - most), mid * (1.0 + most)


class Anchor(Struct, frozen=True):
    """The lattice of prices: rung k stands at base x (1 + step) ** (center + k), k = 0 is empty.

    Even distances (arithmetic): base x (1 + step x (center + k)) instead. `center` moves by whole
    rungs, so the prices of the orders that stay are the same ints.
    """

    base: float  # Ticks; 0.0 = not hung yet
    step: float
    center: int = 0
    even: bool = False

    def price(self, rung: int) -> float:
        """Where a rung stands, in Ticks, not rounded: rungs above 0 sell, below 0 buy."""
        if self.even:
            return self.base * (1.0 + self.step * (self.center + rung))
        return float(self.base * (1.0 + self.step) ** (self.center + rung))

    def rungs_to(self, price: float) -> float:
        """How many rungs a price (Ticks) stands above the centre."""
        if self.even:
            return (price / self.base - 1.0) / self.step - self.center
        return math.log(price / self.base) / math.log1p(self.step) - self.center


class Laid(Struct, frozen=True):
    """The wishes of both sides, nearest rung first, and why a rung has none."""

    buys: tuple[Wish, ...]
    sells: tuple[Wish, ...]
    missing: tuple[tuple[Side, int, str], ...]  # side, rung, why

    @property
    def sell_sats(self) -> int:
        return sum([wish.qty for wish in self.sells])

    @property
    def buy_units(self) -> int:
        return sum([wish.qty * wish.price for wish in self.buys])


def lay(
    plan: Plan,
    anchor: Anchor,
    pair: Pair,
    touch: tuple[int, int],
    floors: Sequence[tuple[int, int]],
    filled: Mapping[tuple[Side, int], int],
) -> Laid:
    """Turn a plan into wishes.

    touch: best bid and ask, Ticks; a rung at or through the other side's touch is dropped.
    floors: for the sells, (least price, Sats) of each unmatched buy, cheapest first.
    filled: Sats that the order at (side, price) has filled already; they are paid for.
    """
    missing: list[tuple[Side, int, str]] = []
    bought: dict[int, int] = {}
    sold: dict[int, int] = {}
    for (side, price), qty in filled.items():
        (bought if side is Side.BUY else sold)[price] = qty
    buys = _lay_buys(plan, anchor, pair, touch[1], bought, missing)
    sells = _lay_sells(plan, anchor, pair, touch[0], floors, sold, missing)
    assert not (buys and sells) or buys[0].price < sells[0].price, "buys lie under sells"
    return Laid(buys, sells, tuple(missing))


def most_sold(plan: Plan, anchor: Anchor, pair: Pair) -> int:
    """Sats that all sells of a plan may hand over, a small rest that goes along included."""
    rungs = _rungs(anchor, pair, 1, plan.sell_levels, plan.notional, plan.sell_scale)
    return rungs.sats + pair.qty_min


def rungs_of(
    plan: Plan, anchor: Anchor, pair: Pair, side: Side
) -> tuple[tuple[int, int, int, str], ...]:
    """(rung, price, qty, why it is too small or "") of all of a side, nearest first."""
    if side is Side.BUY:
        return _rungs(anchor, pair, -1, plan.buy_levels, plan.notional, plan.buy_scale).each
    return _rungs(anchor, pair, 1, plan.sell_levels, plan.notional, plan.sell_scale).each


def _lay_buys(
    plan: Plan,
    anchor: Anchor,
    pair: Pair,
    ask: int,
    filled: Mapping[int, int],
    missing: list[tuple[Side, int, str]],
) -> tuple[Wish, ...]:
    rungs = _rungs(anchor, pair, -1, plan.buy_levels, plan.notional, plan.buy_scale)
    left, below, lowest = plan.buy_units, plan.buy_below, plan.lowest
    nearest = plan.reach[0]
    if rungs.whole and not filled:
        first, last = rungs.wishes[0].price, rungs.wishes[-1].price
        inside = first < ask and first < below and last >= nearest and last >= lowest
        if inside and rungs.units <= left:
            return rungs.wishes
    wishes: list[Wish] = []
    for rung, price, qty, why in rungs.each:
        units = price * (qty - filled.get(price, 0))
        if price >= ask:
            why = AT_ASK
        elif price >= below:
            why = "would reach our own sell on another pair"
        elif price < nearest:
            why = OUTSIDE
        elif price < lowest:
            why = "below grid.lowest"
        elif not why and units > left:
            why = NO_FUNDS
        if why:
            missing.append((Side.BUY, rung, why))
            continue
        left -= max(0, units)
        wishes.append(Wish(Side.BUY, Ticks(price), Sats(qty), rung))
    return tuple(wishes)


def _lay_sells(
    plan: Plan,
    anchor: Anchor,
    pair: Pair,
    bid: int,
    floors: Sequence[tuple[int, int]],
    filled: Mapping[int, int],
    missing: list[tuple[Side, int, str]],
) -> tuple[Wish, ...]:
    rungs = _rungs(anchor, pair, 1, plan.sell_levels, plan.notional, plan.sell_scale)
    left, above, highest = plan.sell_sats, plan.sell_above, plan.highest
    farthest, qty_min = plan.reach[1], pair.qty_min
    if rungs.whole and not filled:
        first, last = rungs.wishes[0].price, rungs.wishes[-1].price
        rest = left - rungs.sats
        inside = bid < first > above and last <= farthest and not 0 < highest < last
        if inside and (rest == 0 or rest >= qty_min):
            if not floors or first >= floors[-1][0]:
                return rungs.wishes
            found = _answering(
                anchor, pair, plan.sell_levels, plan.notional, plan.sell_scale, tuple(floors)
            )
            missing += found[1]
            return found[0]
    wishes: list[Wish] = []
    bound = Unanswered(floors)
    for rung, price, qty, why in rungs.each:
        open_qty = qty - filled.get(price, 0)
        if open_qty > 0 and 0 < left - open_qty < qty_min:
            # What would be left is too small to be sold by itself: it goes along (dust).
            whole = left - left % pair.qty_step
            qty, open_qty = qty + whole - open_qty, whole
        if price <= bid:
            why = AT_BID
        elif price <= above:
            why = "would be reached by our own buy on another pair"
        elif price > farthest:
            why = OUTSIDE
        elif 0 < highest < price:
            why = "above grid.highest"
        elif not why and open_qty > left:
            why = NO_COINS
        elif not why and floors:
            price, why = bound.answered(price, open_qty, anchor.step, pair.price_step)
        if why:
            missing.append((Side.SELL, rung, why))
            continue
        left -= max(0, open_qty)
        wishes.append(Wish(Side.SELL, Ticks(price), Sats(qty), rung))
    return tuple(wishes)


@lru_cache(maxsize=64)
def _answering(
    anchor: Anchor,
    pair: Pair,
    levels: int,
    notional: int,
    scale: float,
    floors: tuple[tuple[int, int], ...],
) -> tuple[tuple[Wish, ...], tuple[tuple[Side, int, str], ...]]:
    """Sells of which nothing but the unmatched buys withholds any; and what these withhold.

    Kept: it changes with fills, the lattice and the sizes alone.
    """
    wishes: list[Wish] = []
    missing = []
    bound, dearest = Unanswered(floors), floors[-1][0]
    rungs = _rungs(anchor, pair, 1, levels, notional, scale)
    for place, (rung, asked, qty, _) in enumerate(rungs.each):
        if asked >= dearest:
            wishes += rungs.wishes[place:]
            break
        price, why = bound.answered(asked, qty, anchor.step, pair.price_step)
        if why:
            missing.append((Side.SELL, rung, why))
        elif price == asked:
            wishes.append(rungs.wishes[place])
        else:
            wishes.append(Wish(Side.SELL, Ticks(price), Sats(qty), rung))
    return tuple(wishes), tuple(missing)


class _Rungs(Struct, frozen=True):
    """One side of a lattice, and as wishes where nothing withholds any of it.

    each: (rung, price, qty, why it is too small or ""). units, sats: of all wishes together.
    """

    each: tuple[tuple[int, int, int, str], ...]
    wishes: tuple[Wish, ...]
    whole: bool  # there is a rung, and none is too small
    units: int
    sats: int


@lru_cache(maxsize=256)
def _rungs(
    anchor: Anchor, pair: Pair, sign: int, levels: int, notional: int, scale: float
) -> _Rungs:
    """sign: 1 above the anchor, -1 below. Kept: it seldom moves, and every tick lays the same."""
    found: list[tuple[int, int, int, str]] = []
    wishes: list[Wish] = []
    side, whole, units, sats = Side.SELL if sign > 0 else Side.BUY, levels > 0, 0, 0
    least_units, size, step = _least_units(pair), int(notional * scale), pair.price_step
    for rung in range(1, levels + 1):
        if sign > 0:
            price = -int(-anchor.price(rung) // 1)
            price += -price % step  # up: away from the mid
        else:
            price = int(max(0.0, anchor.price(-rung)))
            price -= price % step  # down: away from the mid
        qty = size // price if price > 0 else 0
        qty -= qty % pair.qty_step
        why = _too_small(pair, least_units, price, qty)
        found.append((rung, price, qty, why))
        wishes.append(Wish(side, Ticks(price), Sats(qty), rung))
        whole, units, sats = whole and not why, units + price * qty, sats + qty
    return _Rungs(tuple(found), tuple(wishes), whole, units, sats)


def _least_units(pair: Pair) -> int:
    return int(pair.cost_min.scaleb(pair.price_decimals + pair.qty_decimals))


def _too_small(pair: Pair, least_units: int, price: int, qty: int) -> str:
    """Kraken's minima: quantity in the base coin, cost in the quote currency."""
    if price <= 0 or qty < pair.qty_min:
        return "below the pair's least quantity"
    if price * qty < least_units:
        return "below the pair's least cost"
    return ""
