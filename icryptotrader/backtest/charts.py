"""The charts of a backtest: equity, drawdown, price with fills, coins, months, unlocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from icryptotrader.backtest.figures import Figures, FillRow
from icryptotrader.document import section
from shared.charts import (
    COINS,
    MONEY,
    PERCENT,
    XY,
    Figure,
    Mark,
    bands,
    bars,
    by_name,
    framed,
    line,
    marks,
    over_time,
    stretches,
)

MOST_MARKS: Final = 2_000
_RUN: Final = "run"
"""The charts over the run's time are zoomed together."""

_APART: Final = ("months", "unlocks")
_LOW: Final = ("drawdown", "coins", *_APART)

_REGIMES: Final = {"trending_up": "$up", "trending_down": "$down", "chaos": "$wild"}
_PAUSES: Final = {
    "TAX_LOCK_ACTIVE": "tax lock",
    "RISK_PAUSE_ACTIVE": "risk pause",
    "DUAL_LOCK": "both locks",
    "EMERGENCY_SELL": "emergency sale",
}
_PAUSE_COLOURS: Final = {"tax lock": "$coin", "risk pause": "$pause", "both locks": "$wild"}
_STOP: Final = "stopped: breaker or halt"


def charts(f: Figures) -> tuple[str, dict[str, Figure]]:
    """HTML and the figures it has places for; nothing where nothing was played."""
    if not f.points:
        return "", {}
    made = {
        "equity": (f"Equity, {f.currency}", *_equity(f)),
        "drawdown": ("Drawdown, %", *_drawdown(f)),
        "price": ("Price, fills and regimes", *_price(f)),
        "coins": ("Coins held", *_coins(f)),
        "months": ("Months, % of the equity at their begin", *_months(f)),
        "unlocks": ("Open lots by the day from which on they are free of tax", *_unlocks(f)),
    }
    shown = "".join(
        section(title, framed(name, told, group="" if name in _APART else _RUN, low=name in _LOW))
        for name, (title, told, figure) in made.items()
        if figure
    )
    return shown, {name: figure for name, (_, _, figure) in made.items() if figure}


def _equity(f: Figures) -> tuple[str, Figure]:
    start = f.points[0]
    alone = start.equity / start.price if start.price else 0.0
    traces = [
        line("this bot", [(p.at, p.equity) for p in f.points], "$accent"),
        line("all in coins", [(p.at, p.price * alone) for p in f.points], "$quiet", dash="dot"),
    ]
    states = [(b.at, _STOP if b.stop else _PAUSES.get(b.pause, "")) for b in f.bands]
    told = f"From {start.equity:,.2f} to {f.equity:,.2f} {f.currency}"
    found = _stretches(f, states)
    kinds = "; coloured: pauses and stops" if found else "; never paused or stopped"
    traces += [
        bands(name, spans, _PAUSE_COLOURS.get(name, "$bad")) for name, spans in found.items()
    ]
    return f"{told}{kinds}.", over_time(traces, MONEY, span=_span(f))


def _drawdown(f: Figures) -> tuple[str, Figure]:
    peak, falls = 0.0, []
    for point in f.points:
        peak = max(peak, point.equity)
        falls.append((float(point.at), (point.equity / peak - 1.0) * 100 if peak else 0.0))
    at = f" on {f.drawdown_at[:10]}" if f.drawdown_at else ""
    told = f"The deepest was {f.drawdown_pct:.2f} %{at}; between two points drawn it may be deeper."
    traces = [line("below the peak", falls, "$bad", filled=True)]
    return told, over_time(traces, PERCENT, span=_span(f))


def _price(f: Figures) -> tuple[str, Figure]:
    step = max(1, -(-len(f.fill_rows) // MOST_MARKS))
    fills = list(islice(f.fill_rows, 0, None, step))
    states = [(b.at, b.regime if b.regime in _REGIMES else "") for b in f.bands]
    traces = [
        bands(name.replace("_", " "), spans, _REGIMES[name])
        for name, spans in _stretches(f, states).items()
    ]
    traces.append(line("price", [(p.at, p.price) for p in f.points], "$quiet"))
    for side, up in (("buy", True), ("sell", False)):
        found = [_mark(row) for row in fills if row.side == side]
        if found:
            traces.append(marks(f"{side}s", found, f"${side}", up=up))
    told = f"{len(fills):,} of {f.fills:,} fills are drawn; coloured: regimes, but sideways."
    return told, over_time(traces, MONEY, span=_span(f))


def _coins(f: Figures) -> tuple[str, Figure]:
    held = [(float(p.at), p.coins) for p in f.points]
    most = max(coins for _, coins in held)
    told = f"{f.coins:f} at the end, {most:.8f} at most."
    return told, over_time([line("coins", held, "$coin", filled=True)], COINS, span=_span(f))


def _months(f: Figures) -> tuple[str, Figure]:
    if len(f.months) < 2:
        return "", {}
    names, changes = [row.month for row in f.months], [row.change_pct for row in f.months]
    best, worst = max(changes), min(changes)
    colours = ["$bad" if change < 0 else "$good" for change in changes]
    told = f"Best {best:+.2f} %, worst {worst:+.2f} %; the table below has all."
    return told, by_name([bars("change, %", names, changes, colours)], PERCENT)


def _unlocks(f: Figures) -> tuple[str, Figure]:
    found: dict[str, Decimal] = {}
    for lot in f.lots:
        day = lot.free_from[:10]
        if lot.free_from <= f.last:
            continue  # It is among the free coins, which the sentence tells.
        found[day] = found.get(day, Decimal(0)) + lot.qty
    if not found:
        return "", {}
    days = sorted(found)
    told = f"{f.free_coins:f} coins are free of tax at the end; the last lot on {days[-1]}."
    values = [float(found[day]) for day in days]
    return told, by_name([bars("coins", days, values, "$coin")], COINS, days=True)


def _span(f: Figures) -> XY:
    return float(f.points[0].at), float(f.points[-1].at)


def _stretches(f: Figures, states: Sequence[tuple[float, str]]) -> dict[str, list[XY]]:
    return stretches(states, float(f.points[-1].at))


def _mark(row: FillRow) -> Mark:
    at = datetime.fromisoformat(row.time).timestamp()
    return Mark(at, float(row.price), f"{row.side} {row.qty} at {row.price:,}")
