"""Can the ladder of the settings stand at all? Asked once at the start, and by the preview.

It compares what the grid would like to lay (levels x size) with what there is: minima of the
pair, money, coins that may be sold, limits. What it finds is told, not forbidden: a smaller grid
than the settings name is quoted anyway, as far as it goes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.config import Config
from shared.units import BPS, Ns, Pair, Ticks
from strategy.core.fees import floor_bps
from strategy.core.grid import first_anchor, propose
from strategy.core.inventory import rooms, share
from strategy.core.market import Freshness, View
from strategy.core.plan import Laid, lay

ENOUGH: Final = 10**30
"""Units or Sats beyond any account: what the whole ladder would need is found with these."""


class Ladder(Struct, frozen=True):
    """The whole ladder of the settings at a price. money: quote currency; coins: base coin."""

    step_bps: float
    floor_bps: float
    break_even_bps: float
    laid: Laid
    money: Decimal
    coins: Decimal


def ladder(
    cfg: Config, pair: Pair, touch: tuple[Ticks, Ticks], rates: tuple[float, float]
) -> Ladder:
    """What stands where nothing withholds it. rates: maker and taker, ratios."""
    bid, ask = touch
    maker, taker = rates
    mid = (bid + ask) / 2
    view = View(pair, Freshness.FRESH, Ns(0), bid, ask, mid, 0.0, 0.0, "")
    floor = floor_bps(maker, taker, cfg.grid)
    wide = max(floor, float(cfg.grid.min_spacing_bps))
    step = wide / BPS
    plan = propose(view, cfg.regime.range_bound, step, (ENOUGH, ENOUGH), cfg.grid)
    plan = plan.collared(mid, cfg.limits.collar_pct)
    laid = lay(plan, first_anchor(view, step, cfg.grid), pair, touch, [], {})
    money = sum(wish.price * wish.qty for wish in laid.buys)
    coins = sum(wish.qty for wish in laid.sells)
    legs = maker + (taker if cfg.grid.taker_leg else maker)
    return Ladder(
        wide,
        floor,
        legs / (1.0 - maker) * BPS,
        laid,
        Decimal(money).scaleb(-pair.price_decimals - pair.qty_decimals),
        Decimal(coins).scaleb(-pair.qty_decimals),
    )


def shortfalls(
    found: Ladder, cfg: Config, pair: Pair, money: Decimal, coins: Decimal, free: Decimal
) -> list[str]:
    """What keeps the ladder from standing whole, as sentences; empty where nothing does."""
    said = []
    quoted = cfg.regime.range_bound.grid_levels
    if cfg.grid.levels > quoted:
        said.append(
            f"grid.levels is {cfg.grid.levels}, but regime.range_bound.grid_levels quotes "
            f"{quoted}: raise that too (and in [regime.trending_up], [regime.trending_down])"
        )
    levels = min(cfg.grid.levels, cfg.regime.range_bound.grid_levels)
    for side, wishes in (("buys", found.laid.buys), ("sells", found.laid.sells)):
        if len(wishes) < levels:
            why = next((w for s, _, w in found.laid.missing if s.value == side[:-1]), "")
            said.append(f"only {len(wishes)} of {levels} {side} can stand: {why}")
    if money < found.money:
        said.append(f"the buys need {found.money:.2f} {pair.quote}, there are {money:.2f}")
    saleable = max(Decimal(0), min(free, coins - cfg.grid.base_reserve))
    if saleable < found.coins:
        said.append(
            f"the sells need {found.coins:.8f} {pair.base} free of tax, there are {saleable:.8f}"
        )
    if 2 * levels > cfg.limits.open_orders:
        said.append(f"{2 * levels} orders are more than limits.open_orders")
    return said


def allocations(
    found: Ladder, cfg: Config, pair: Pair, mid: float, account: tuple[Decimal, Decimal]
) -> list[str]:
    """What the shares of the account leave of the ladder, as sentences. mid: Ticks.

    account: quote currency and coins.
    """
    money, coins = account
    base = int(coins.scaleb(pair.qty_decimals))
    quote = int(money.scaleb(pair.price_decimals + pair.qty_decimals))
    if base * mid + quote <= 0:
        return ["there is nothing in the account"]
    values = cfg.regime.range_bound
    most = min(values.btc_max_pct, cfg.limits.btc_max_pct)
    least = values.btc_min_pct
    cap = cfg.inventory.rebalance_cap_pct
    room = rooms(mid, (base, quote), cap, replace(values, btc_max_pct=most))
    buys = sum(wish.price * wish.qty for wish in found.laid.buys)
    sells = sum(wish.qty for wish in found.laid.sells)
    held = f"coins are {share(base, quote, mid):.1%} of the account"
    checks = (
        (room.buy <= 0, f"{held}: nothing is bought above {most:.0%} (btc_max_pct)"),
        (0 < room.buy < buys, f"{held}: the buys are cut, they may bring them to {most:.0%} "
         "(btc_max_pct)"),
        (room.sell <= 0, f"{held}: nothing is sold below {least:.0%} (btc_min_pct)"),
        (0 < room.sell < sells, f"{held}: the sells are cut, they may bring them to {least:.0%} "
         "(btc_min_pct)"),
        (room.buy_cap < buys or room.sell_cap < sells, "a side is cut to "
         f"{cap:.0%} of the account at a time (inventory.rebalance_cap_pct)"),
    )  # fmt: skip
    return [text for so, text in checks if so]
