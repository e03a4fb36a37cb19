"""Stage 6, propose: the ladder around an anchor that seldom moves.

A grid that hangs on the current mid runs away from every fill, so it hangs on an anchor:
Rule 1: a completed fill moves it to the filled rung.
Rule 2: a market that has left it by a rung and a half, and stays away, takes it along by whole
rungs; upward only while there is something to sell, downward only while there is something to
buy, unless `grid.trailing` says so; never beyond `grid.lowest` and `grid.highest`.
Rule 3: a partial fill never moves it.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from shared.settings_trade import Grid, RegimeValues
from shared.units import BPS, SECOND, Ns, Pair, float_price
from strategy.core.market import View
from strategy.core.plan import Anchor, Plan

LEFT_RUNGS: Final = 1.5
AWAY_FOR: Final = Ns(5 * SECOND)
FUNDS_HEADROOM: Final = 0.99
"""Buys leave one percent for fees and rounding (RELIABILITY F90)."""


class Hung(Struct, frozen=True):
    """The anchor, since when the market has been away from it (0 = it is near), and the lean.

    lean: all rungs stand higher by this ratio; the anchor itself does not move.
    """

    anchor: Anchor = Anchor(0.0, 0.0)
    away_since: Ns = Ns(0)
    lean: float = 0.0

    @property
    def leaning(self) -> Anchor:
        """The lattice as it is laid."""
        if self.lean == 0.0:
            return self.anchor
        return msgspec.structs.replace(self.anchor, base=self.anchor.base * (1.0 + self.lean))


def hang(
    hung: Hung, view: View, step: float, may_follow: tuple[bool, bool], now: Ns, cfg: Grid
) -> Hung:
    """The anchor for this tick.

    may_follow: whether it may go (down, up) after a market that left: whether the grid has
    anything to buy and to sell, which trailing overrules.
    """
    anchor = hung.anchor
    if anchor.base <= 0.0:
        return Hung(first_anchor(view, step, cfg), lean=hung.lean)
    anchor = restepped(anchor, step, cfg)
    rungs = anchor.rungs_to(view.mid)
    down = may_follow[0] or cfg.trailing in ("down", "both")
    up = may_follow[1] or cfg.trailing in ("up", "both")
    gone = abs(rungs) >= LEFT_RUNGS and (up if rungs > 0 else down)
    if not gone or not _inside(anchor, int(rungs), view, cfg):
        return Hung(anchor, lean=hung.lean)
    if not hung.away_since:
        return Hung(anchor, now, hung.lean)
    if now - hung.away_since < AWAY_FOR:
        return Hung(anchor, hung.away_since, hung.lean)
    moved = msgspec.structs.replace(anchor, center=anchor.center + int(rungs))
    return Hung(moved, lean=hung.lean)


def stays(
    anchor: Anchor, views: tuple[View, View], may_follow: tuple[bool, bool], cfg: Grid
) -> bool:
    """Whether `hang` leaves an anchor that nothing else moves where it is, at each price between.

    may_follow: whether it may at any of them.
    """
    low, high = sorted((anchor.rungs_to(views[0].mid), anchor.rungs_to(views[1].mid)))
    if low > -LEFT_RUNGS and high < LEFT_RUNGS:
        return True
    down = may_follow[0] or cfg.trailing in ("down", "both")
    up = may_follow[1] or cfg.trailing in ("up", "both")
    above = (max(low, LEFT_RUNGS), high) if up and high >= LEFT_RUNGS else None
    below = (low, min(high, -LEFT_RUNGS)) if down and low <= -LEFT_RUNGS else None
    return all(_bounded(anchor, rungs, views[0].pair, cfg) for rungs in (above, below) if rungs)


def _bounded(anchor: Anchor, rungs: tuple[float, float], pair: Pair, cfg: Grid) -> bool:
    """Whether the anchor would stand beyond the same bound of the grid on each of these rungs."""
    least, most = (float_price(pair, anchor.price(int(each))) for each in rungs)
    return most < float(cfg.lowest) or 0 < float(cfg.highest) < least


def first_anchor(view: View, step: float, cfg: Grid) -> Anchor:
    """Where a grid begins: at the mid, or nearer to the average price while that is near."""
    near_vwap = view.vwap > 0 and abs(view.vwap / view.mid - 1.0) < step
    match cfg.anchor:
        case "vwap" if near_vwap:
            base = view.vwap
        case "blend" if near_vwap:
            base = (view.vwap + view.mid) / 2.0
        case _:
            base = view.mid
    return Anchor(base, _lattice_step(step, cfg), even=cfg.rungs == "arithmetic")


def restepped(anchor: Anchor, step: float, cfg: Grid) -> Anchor:
    """The lattice hung anew on its centre where spacing or kind has changed.

    Even distances are fewer basis points the higher they stand, so such a lattice is hung anew
    once its centre has climbed as many rungs as it has.
    """
    even, wanted = cfg.rungs == "arithmetic", _lattice_step(step, cfg)
    climbed = even and abs(anchor.center) > cfg.levels
    if anchor.step == wanted and anchor.even is even and not climbed:
        return anchor
    return Anchor(anchor.price(0), wanted, even=even)


def _lattice_step(step: float, cfg: Grid) -> float:
    """Even distances are made so that the highest rung still stands a whole step away."""
    if cfg.rungs == "geometric":
        return step
    return step / max(0.5, 1.0 - 2.0 * cfg.levels * step)


def _inside(anchor: Anchor, rungs: int, view: View, cfg: Grid) -> bool:
    """Whether the anchor would still stand between grid.lowest and grid.highest."""
    price = float_price(view.pair, anchor.price(rungs))
    return price >= float(cfg.lowest) and not 0 < float(cfg.highest) < price


def moved_to(hung: Hung, price: int) -> Hung:
    """The anchor on the rung whose order was filled completely."""
    anchor = hung.anchor
    if anchor.base <= 0.0:
        return hung
    center = anchor.center + round(hung.leaning.rungs_to(price))
    return Hung(msgspec.structs.replace(anchor, center=center), lean=hung.lean)


def propose(
    view: View,
    values: RegimeValues,
    step: float,
    funds: tuple[int, int],
    cfg: Grid,
    who: str = "",
) -> Plan:
    """The plan before anybody has objected.

    funds: (coins that may be sold at all, Sats; quote currency, units).
    who: the model that asked for the step.
    """
    base, quote = funds
    return msgspec.structs.replace(
        _ladder(values, step, cfg, view.pair, who),
        buy_units=int(quote * FUNDS_HEADROOM),
        sell_sats=max(0, base),
    )


@lru_cache(maxsize=64)
def _ladder(values: RegimeValues, step: float, cfg: Grid, pair: Pair, who: str) -> Plan:
    """The plan but for its budgets: it changes with regime and spacing alone."""
    levels = min(cfg.levels, values.grid_levels)
    notional = cfg.order_size_quote.scaleb(pair.price_decimals + pair.qty_decimals)
    why = () if levels == cfg.levels else (f"the regime quotes {levels} levels",)
    return Plan(
        buy_levels=levels,
        sell_levels=levels,
        buy_most=levels,
        sell_most=levels,
        spacing=step,
        notional=int(int(notional) * values.order_size_scale),
        lowest=int(cfg.lowest.scaleb(pair.price_decimals)),
        highest=int(cfg.highest.scaleb(pair.price_decimals)),
        reasons=(*why, f"rungs {step * BPS:.0f} bps apart{who and f' ({who})'}"),
    )


Unmatched = tuple[tuple[int, int], ...]
"""Buys of the grid that no sell has answered: (price in Ticks, Sats), cheapest first."""


def bought(unmatched: Unmatched, price: int, qty: int) -> Unmatched:
    """The unmatched buys after another buy; bounded, the dearest are merged."""
    entries = list(unmatched)
    place = bisect_left(entries, (price, 0))
    if place < len(entries) and entries[place][0] == price:
        entries[place] = (price, entries[place][1] + qty)
    else:
        entries.insert(place, (price, qty))
    while len(entries) > UNMATCHED_LIMIT:
        (_, below), (dearest, above) = entries[-2:]
        entries[-2:] = [(dearest, below + above)]
    return tuple(entries)


def sold(unmatched: Unmatched, qty: int) -> Unmatched:
    """The unmatched buys after a sell: it answers the cheapest ones first."""
    for place, (price, held) in enumerate(unmatched):
        if held > qty:
            return ((price, held - qty), *unmatched[place + 1 :])
        qty -= held
    return ()


def floors(unmatched: Unmatched, step_floor: float, most: int) -> tuple[tuple[int, int], ...]:
    """The least price at which each unmatched buy may be sold again, cheapest first.

    Of as many as sells of `most` Sats in all would answer.
    """
    found = []
    for price, qty in unmatched:
        if most <= 0:
            break
        # A rung is rounded to whole Ticks on both sides, so the floor yields by one.
        found.append((int(price * (1.0 + step_floor)) - 1, qty))
        most -= qty
    return tuple(found)


UNMATCHED_LIMIT: Final = 500
