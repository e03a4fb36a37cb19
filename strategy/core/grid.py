"""Stage 6, propose: the ladder around an anchor that seldom moves.

A grid that hangs on the current mid runs away from every fill, so it hangs on an anchor:
Rule 1: a completed fill moves it to the filled rung.
Rule 2: a market that has left it by a rung and a half, and stays away, takes it along by whole
rungs; upward only while there is something to sell.
Rule 3: a partial fill never moves it.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
from msgspec import Struct

from shared.config import Grid, RegimeValues
from shared.units import BPS, SECOND, Ns
from strategy.core.fees import spacing
from strategy.core.market import View
from strategy.core.plan import Anchor, Plan

LEFT_RUNGS: Final = 1.5
AWAY_FOR: Final = Ns(5 * SECOND)
FUNDS_HEADROOM: Final = 0.99
"""Buys leave one percent for fees and rounding (RELIABILITY F90)."""


class Hung(Struct, frozen=True):
    """The anchor and since when the market has been away from it (0 = it is near)."""

    anchor: Anchor = Anchor(0.0, 0.0)
    away_since: Ns = Ns(0)


def step_of(maker: float, cfg: Grid) -> float:
    """The ratio between two neighbouring rungs."""
    return spacing(maker, float(cfg.min_spacing_bps), cfg)


def hang(hung: Hung, view: View, step: float, may_rise: bool, now: Ns, cfg: Grid) -> Hung:
    """The anchor for this tick. may_rise: whether the grid has anything to sell."""
    anchor = hung.anchor
    if anchor.base <= 0.0:
        near_vwap = view.vwap > 0 and abs(view.vwap / view.mid - 1.0) < step
        start = view.vwap if cfg.anchor == "vwap" and near_vwap else view.mid
        return Hung(Anchor(start, step))
    if anchor.step != step:
        anchor = Anchor(anchor.price(0), step)
    rungs = math.log(view.mid / anchor.price(0)) / math.log1p(step)
    gone = abs(rungs) >= LEFT_RUNGS and (rungs < 0 or may_rise)
    if not gone:
        return Hung(anchor)
    if not hung.away_since:
        return Hung(anchor, now)
    if now - hung.away_since < AWAY_FOR:
        return Hung(anchor, hung.away_since)
    return Hung(msgspec.structs.replace(anchor, center=anchor.center + int(rungs)))


def moved_to(hung: Hung, price: int) -> Hung:
    """The anchor on the rung whose order was filled completely."""
    anchor = hung.anchor
    if anchor.base <= 0.0:
        return hung
    rung = round(math.log(price / anchor.base) / math.log1p(anchor.step))
    return Hung(msgspec.structs.replace(anchor, center=rung))


def propose(
    view: View, values: RegimeValues, step: float, funds: tuple[int, int], cfg: Grid
) -> Plan:
    """The plan before anybody has objected.

    funds: (coins that may be sold at all, Sats; quote currency, units).
    """
    levels = min(cfg.levels, values.grid_levels)
    pair = view.pair
    notional = cfg.order_size_quote.scaleb(pair.price_decimals + pair.qty_decimals)
    base, quote = funds
    why = () if levels == cfg.levels else (f"the regime quotes {levels} levels",)
    return Plan(
        buy_levels=levels,
        sell_levels=levels,
        buy_most=levels,
        sell_most=levels,
        spacing=step,
        notional=int(int(notional) * values.order_size_scale),
        buy_units=int(quote * FUNDS_HEADROOM),
        sell_sats=max(0, base),
        why=(*why, f"rungs {step * BPS:.0f} bps apart"),
    )


Unmatched = tuple[tuple[int, int], ...]
"""Buys of the grid that no sell has answered: (price in Ticks, Sats), cheapest first."""


def bought(unmatched: Unmatched, price: int, qty: int) -> Unmatched:
    """The unmatched buys after another buy; bounded, the dearest are merged."""
    merged: dict[int, int] = dict(unmatched)
    merged[price] = merged.get(price, 0) + qty
    entries = sorted(merged.items())
    while len(entries) > UNMATCHED_LIMIT:
        (_, below), (dearest, above) = entries[-2:]
        entries[-2:] = [(dearest, below + above)]
    return tuple(entries)


def sold(unmatched: Unmatched, qty: int) -> Unmatched:
    """The unmatched buys after a sell: it answers the cheapest ones first."""
    left: list[tuple[int, int]] = []
    for price, held in unmatched:
        taken = min(held, qty)
        qty -= taken
        if held > taken:
            left.append((price, held - taken))
    return tuple(left)


def floors(unmatched: Unmatched, step_floor: float) -> list[tuple[int, int]]:
    """The least price at which each unmatched buy may be sold again, cheapest first."""
    # A rung is rounded to whole Ticks on both sides, so the floor yields by one.
    return [(int(price * (1.0 + step_floor)) - 1, qty) for price, qty in unmatched]


UNMATCHED_LIMIT: Final = 500
