"""`icryptotrader preview`: the grid of the settings in text, before anything runs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from shared.config import Config
from shared.units import BPS, Ns, Pair, Ticks, cost_of, price_of, price_text, qty_text
from strategy.core.feasible import Ladder, allocations, ladder, shortfalls
from strategy.core.slots import Wish
from strategy.ledger.desk import Desk
from strategy.ledger.events import UNITS_DECIMALS, quantity_of
from strategy.ledger.plans import pace
from strategy.ledger.tax import berlin_day

WIDTH: Final = 24
HORIZON_DAYS: Final = 365


def preview(
    cfg: Config,
    pair: Pair,
    price: Decimal,
    rates: tuple[float, float],
    account: tuple[Decimal, Decimal] | None = None,
    ledger: tuple[Desk, Ns] | None = None,
) -> str:
    """The page. account: (quote currency, coins) where known; nothing is judged without it.

    ledger: the tax book and the moment, where there is one: what is free, and for how long.
    """
    ticks = int(price.scaleb(pair.price_decimals))
    touch = (Ticks(ticks), Ticks(ticks + pair.price_step))
    found = ladder(cfg, pair, touch, rates)
    lines = [
        f"{pair.symbol} at {price_text(pair, ticks)} {pair.quote}, fees: maker "
        f"{rates[0]:.2%}, taker {rates[1]:.2%}",
        "",
        *_rungs(found, pair, ticks),
        "",
        *_figures(found, cfg, pair, rates),
        *(_pace(found, cfg, *ledger) if ledger is not None else ()),
    ]
    money, coins = account or (found.money, found.coins + cfg.grid.base_reserve)
    faults = shortfalls(found, cfg, pair, money, coins, coins)
    if account is not None:
        faults += allocations(found, cfg, pair, float(ticks), account)
    lines += ["", *(f"! {fault}" for fault in faults)] if faults else []
    return "\n".join(lines)


def _rungs(found: Ladder, pair: Pair, mid: int) -> list[str]:
    """Highest price first; the bar shows how far from the market a rung stands."""
    wishes = sorted((*found.laid.buys, *found.laid.sells), key=lambda wish: -wish.price)
    farthest = max((abs(wish.price - mid) for wish in wishes), default=1)
    lines = []
    passed = False
    for wish in wishes:
        if wish.price < mid and not passed:
            lines.append(f"{'':7}{price_text(pair, mid):>12}  {'market':-^{WIDTH}}")
            passed = True
        lines.append(_rung(wish, pair, mid, abs(wish.price - mid) / farthest))
    return lines


def _rung(wish: Wish, pair: Pair, mid: int, part: float) -> str:
    bar = "#" * max(1, round(part * WIDTH))
    away = (wish.price / mid - 1.0) * BPS
    worth = cost_of(pair, wish.price, wish.qty)
    return (
        f"{wish.side.value:<4} {wish.rung:>1} {price_text(pair, wish.price):>12}  {bar:<{WIDTH}} "
        f"{away:>+8.1f} bps  {qty_text(pair, wish.qty)} {pair.base}  {worth:>9.2f} {pair.quote}"
    )


def _pace(found: Ladder, cfg: Config, desk: Desk, wall: Ns) -> list[str]:
    """How long the free coins last if each rung sells once a day, and what the pace makes of it."""
    today, stock, safety = berlin_day(wall), desk.queue(), cfg.tax.holding_safety_days
    wanted = int(found.coins.scaleb(UNITS_DECIMALS))
    lasts = pace(stock, today, HORIZON_DAYS, safety, wanted).days_left
    days = "more than a year" if lasts is None else f"{lasts} days"
    lines = [
        f"free of tax      {quantity_of(desk.free(wall))} coins: locked in {days} if each rung "
        "sells once a day"
    ]
    if cfg.tax.pace_days:
        per_day = max(wanted, int(pace(stock, today, cfg.tax.pace_days, safety, 0).per_day))
        lines.append(
            f"pace             {quantity_of(per_day)} coins a day (tax.pace_days = "
            f"{cfg.tax.pace_days}), a ladder at least"
        )
    return lines


def _figures(found: Ladder, cfg: Config, pair: Pair, rates: tuple[float, float]) -> list[str]:
    size = cfg.grid.order_size_quote
    earned = Decimal(found.step_bps - found.break_even_bps) / BPS * size
    fees = Decimal(2 * rates[0]) * size
    lowest = found.laid.buys[-1].price if found.laid.buys else 0
    return [
        f"step             {found.step_bps:.1f} bps (models may widen it; floor of the fees "
        f"{found.floor_bps:.1f} bps)",
        f"break-even step  {found.break_even_bps:.1f} bps: below it a round trip loses",
        f"a round trip     earns about {earned:.2f} {pair.quote} after {fees:.2f} "
        f"{pair.quote} of fees, before tax",
        f"capital needed   {found.money:.2f} {pair.quote} for the buys, {found.coins:.8f} "
        f"{pair.base} for the sells",
        f"if all buys fill the coins are held at {price_of(pair, lowest):.1f} {pair.quote} "
        "or more each",
    ]
