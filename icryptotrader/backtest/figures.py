"""A backtest in figures: everything that the terminal, the JSON and the page tell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.backtest.money import (
    Frame,
    GridProfit,
    Outcome,
    alternatives,
    events_of,
    grid_profit,
    outcome,
)
from icryptotrader.backtest.pairs import PAIRS_ASSUME, PairResult
from shared.config import Config
from shared.units import SECOND, Ns, Pair, cents, cost_of, price_of, qty_of
from sim.backtest.course import Course
from sim.backtest.data import Findings, History
from sim.backtest.packed import Listed, Packed
from sim.backtest.parts import Terms
from sim.backtest.run import Played, headline
from sim.backtest.walker import Run
from strategy.ledger.rates import Rates
from strategy.ledger.tax import free_from_wall

MOST_FILLS: Final = 20_000
"""Fills that the report lists; the figures count them all."""


class FillRow(Struct, frozen=True):
    time: str
    side: str
    price: Decimal
    qty: Decimal
    cost: Decimal
    fee: Decimal


class PointRow(Struct, frozen=True):
    """wall in seconds since 1970; equity and price in the quote currency."""

    at: int
    equity: float
    price: float
    coins: float


class BandRow(Struct, frozen=True):
    at: int
    regime: str
    pause: str
    stop: str


class MonthRow(Struct, frozen=True):
    month: str
    begin: Decimal
    end: Decimal
    change_pct: float
    fills: int


class LotRow(Struct, frozen=True):
    """An open lot at the end. free_from: from when on its sale is free of tax."""

    bought: str
    qty: Decimal
    cost: Decimal
    free_from: str


class Figures(Struct, frozen=True):
    """Money in `currency`, exact; ratios as floats. The headline path's, where bars have two."""

    product: str
    digest: str
    pair: str
    currency: str
    files: tuple[str, ...]
    kind: str
    first: str
    last: str
    rows: int
    whole: bool
    assumptions: tuple[str, ...]
    data: Findings
    path: str
    start_equity: Decimal
    equity: Decimal
    drawdown_pct: float
    drawdown_at: str
    fills: int
    buys: int
    turnover: Decimal
    coins: Decimal
    money: Decimal
    profit: GridProfit
    outcomes: tuple[Outcome, ...]
    bias_band: tuple[tuple[str, Decimal], ...]
    counters: dict[str, int]
    halted: str
    tax_rate: Decimal
    months: tuple[MonthRow, ...]
    lots: Listed[LotRow]
    free_coins: Decimal
    days_until_locked: int | None
    points: tuple[PointRow, ...]
    bands: tuple[BandRow, ...]
    fill_rows: Listed[FillRow]
    pairs: tuple[PairResult, ...] = ()  # --against: this pair and the other one


def figures_of(
    played: Played,
    history: History,
    config: Config,
    terms: Terms,
    tax: tuple[Decimal, Rates | None],
) -> Figures:
    """tax: rate as a ratio, and the ECB's rates where the quote currency is not the euro."""
    run = headline(played)
    ended, course = run.ended, run.course
    pair, last = ended.pair, course.last
    assert last is not None
    frame = frame_of(run, played, terms, tax)
    total = _money(pair, last.equity)
    mine = outcome(
        frame, "this bot", events_of(course.fills), ended.coins, _money(pair, ended.money)
    )
    start = cost_of(pair, frame.first[1], frame.coins) + frame.money
    return Figures(
        product=version("icryptotrader"),
        digest=digest_of(played, config, terms),
        pair=pair.symbol,
        currency=pair.quote,
        files=tuple(part.path.name for part in history.parts),
        kind=f"bars of {history.interval // SECOND} s" if history.is_bars else "trades",
        first=_time(played.first),
        last=_time(played.last),
        rows=played.rows,
        whole=played.whole,
        assumptions=tuple(assumptions(history, terms, ended.config, config, frame.rates)),
        data=history.found,
        path=run.path,
        start_equity=cents(start),
        equity=cents(total),
        drawdown_pct=round(course.drawdown * 100, 4),
        drawdown_at=_time(course.drawdown_at) if course.drawdown else "",
        fills=len(course.fills),
        buys=sum(fill.side.value == "buy" for fill in course.fills),
        turnover=cents(_money(pair, course.turnover)),
        coins=qty_of(pair, ended.coins),
        money=cents(_money(pair, ended.money)),
        profit=grid_profit(pair, course.fills, total - start),
        outcomes=(mine, *alternatives(frame, course.weeks)),
        bias_band=tuple((each.path, cents(_equity(each))) for each in played.runs),
        counters=dict(sorted(ended.counters.items())),
        halted=ended.halted,
        tax_rate=tax[0],
        months=tuple(_months(pair, course)),
        lots=Packed(LotRow, _lots(run, config)),
        free_coins=qty_of(pair, ended.free),
        days_until_locked=ended.days_until_locked,
        points=tuple(_points(pair, course)),
        bands=tuple(
            BandRow(band.wall // SECOND, band.regime, band.pause, band.stop)
            for band in course.bands
        ),
        fill_rows=Packed(FillRow, _fills(pair, course)),
    )


def with_pairs(figures: Figures, found: tuple[PairResult, ...]) -> Figures:
    """The same with both pairs side by side, where both were played."""
    if not found:
        return figures
    return replace(figures, pairs=found, assumptions=(*figures.assumptions, *PAIRS_ASSUME))


def digest_of(played: Played, config: Config, terms: Terms) -> str:
    """Names a run: its configuration, its terms, every command and every fill of each path."""
    parts = [msgspec.json.encode(config), msgspec.json.encode(terms)]
    parts += [run.ended.digest.encode() for run in played.runs]
    return hashlib.blake2b(b"\n".join(parts), digest_size=8).hexdigest()


def assumptions(
    history: History, terms: Terms, used: Config, asked: Config, rates: Rates | None
) -> list[str]:
    """What the figures rest on, in sentences."""
    found = [
        {
            "through": "an order fills, whole, once the market has traded through its price",
            "touch": "an order fills, whole, as soon as its price is touched: flattering",
            "queue": f"an order fills after {terms.ahead / 1e8:g} coins that stood before it, "
            "in parts, by the trades at its price; whole once the market trades through it",
        }[terms.fill],
        f"{terms.latency / 1e6:g} ms each way between us and the exchange",
        "our orders move no market, and nobody reacts to them",
    ]
    if history.is_bars:
        found.append(
            "each bar is walked whole on both paths (low first, high first); the headline is the "
            "path with less in the end"
        )
        found.append("between the prices of a bar the house sees nothing; the first rung hangs on "
                     "the mid, no order book leans")  # fmt: skip
    if used.regime.sample_sec != asked.regime.sample_sec:
        found.append(
            f"statistics sample each {used.regime.sample_sec:g} s, the length of a bar, instead of "
            f"{asked.regime.sample_sec:g} s"
        )
    rate = "Kraken's tiers by the account's own volume"
    if terms.maker is not None and terms.taker is not None:
        rate = f"maker {terms.maker / 1e4:g} %, taker {terms.taker / 1e4:g} %"
    found.append(f"fees: {rate}")
    if rates is None and not asked.pair.endswith("/EUR"):
        found.append("tax: no ECB rates were given (--rates), so one "
                     f"{asked.pair.partition('/')[2]} counts as one euro")  # fmt: skip
    return found


def frame_of(run: Run, played: Played, terms: Terms, tax: tuple[Decimal, Rates | None]) -> Frame:
    """What the outcomes of this run share."""
    ended, course = run.ended, run.course
    pair, last = ended.pair, course.last
    assert last is not None
    opening = events_of(ended.opening)
    rate = terms.taker if terms.taker is not None else 8000
    own_currency = pair.quote == "EUR"
    return Frame(
        pair=pair,
        first=(played.first, course.points[0].price),
        last=(last.wall, last.price),
        taker=Decimal(rate).scaleb(-6),
        tax_rate=tax[0],
        rates=Rates() if own_currency else tax[1],
        opening=tuple(opening),
        coins=ended.opening_coins,
        money=_money(pair, ended.opening_money),
    )


def _months(pair: Pair, course: Course) -> list[MonthRow]:
    return [
        MonthRow(
            month.name, cents(_money(pair, month.begin)), cents(_money(pair, month.end)),
            round((month.end / month.begin - 1.0) * 100, 3) if month.begin else 0.0, month.fills,
        )
        for month in course.months
    ]  # fmt: skip


def _lots(run: Run, config: Config) -> Iterator[LotRow]:
    safety = config.tax.holding_safety_days
    pair = run.ended.pair
    for lot in run.ended.lots:
        bought, free_from = _time(lot.wall), _time(free_from_wall(lot.wall, safety))
        yield LotRow(bought, qty_of(pair, lot.left), cents(lot.cost_left), free_from)


def _points(pair: Pair, course: Course) -> list[PointRow]:
    return [
        PointRow(
            point.wall // SECOND, float(_money(pair, point.equity)),
            float(price_of(pair, point.price)), float(qty_of(pair, point.coins)),
        )
        for point in course.points
    ]  # fmt: skip


def _fills(pair: Pair, course: Course) -> Iterator[FillRow]:
    for fill in islice(course.fills, MOST_FILLS):
        price, qty = price_of(pair, fill.price), qty_of(pair, fill.qty)
        fee = sum((amount for _, amount in fill.fees), Decimal(0))
        yield FillRow(_time(fill.wall), fill.side.value, price, qty, fill.cost, fee)


def _equity(run: Run) -> Decimal:
    last = run.course.last
    return _money(run.ended.pair, last.equity if last else 0)


def _money(pair: Pair, units: int) -> Decimal:
    return Decimal(units).scaleb(-pair.price_decimals - pair.qty_decimals)


def _time(wall: Ns) -> str:
    return datetime.fromtimestamp(wall // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
