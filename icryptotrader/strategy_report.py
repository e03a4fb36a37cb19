"""`icryptotrader strategy-report`: the strategy and its models over real histories, on one page.

Each history is cut in two: the first half is what defaults may be chosen on, the second is what
they are judged by; both are shown. Every model is compared with its alternative on the same rows,
with everything else as the settings say. Beside each result stands what doing nothing would have
brought; the worse of a bar's two walks is shown where both are played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.backtest.figures import Figures, figures_of
from icryptotrader.document import section, table, write_document
from icryptotrader.pool import processes
from shared.charts import Figure, framed, line, over_time
from shared.config import Config
from shared.units import DAY, MILLISECOND, MINUTE, Ns
from sim.backtest.data import History
from sim.backtest.parts import Path as Walk
from sim.backtest.parts import Terms
from sim.backtest.run import play
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS

HOUR: Final = 60 * MINUTE
LATENCY: Final = Ns(50 * MILLISECOND)
ONE_WALK: Final[tuple[Walk, ...]] = ("high_first",)
TAX: Final = (Decimal("0.42"), None)

Say = Callable[[str], None]


class Case(Struct, frozen=True):
    """A history by file name, and the pair it is played as."""

    name: str
    file: str
    pair: str


CASES: Final = (
    Case("2018, minutes", "bitfinex_btcusd_1m_2018.csv.gz", "BTC/USD"),
    Case("around 2019-10, minutes", "binance_btcusdt_1m_2019-10-15_2019-11-14.csv.gz", "BTC/USD"),
    Case("around 2021-05, minutes", "binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz", "BTC/USD"),
    Case("2020 to 2024, hours", "bitvavo_btceur_1h_2019-12_2024-05.csv.gz", "BTC/EUR"),
)


def stoikov(config: Config) -> Config:
    return replace(config, avellaneda_stoikov=replace(config.avellaneda_stoikov, enabled=True))


def fixed(config: Config) -> Config:
    adaptive = replace(config.regime.adaptive, enabled=False)
    return replace(config, regime=replace(config.regime, adaptive=adaptive))


VARIANTS: Final[dict[str, Callable[[Config], Config]]] = {
    "as set": lambda config: config,
    "fixed thresholds": fixed,
    "Avellaneda-Stoikov": stoikov,
}


class Result(Struct, frozen=True):
    """One variant over one half of one history. shares: of the time, by pause and by regime."""

    case: str
    half: str
    variant: str
    figures: Figures
    shares: dict[str, float]
    largest: float  # the coins' part of the account at its largest


class Task(Struct, frozen=True):
    """One variant over one half: what a process of its own is given. span: wall, ns."""

    case: Case
    path: str
    half: str
    variant: str
    config: Config
    span: tuple[int, int]


def report(
    folder: Path, config: Config, out: Path, days: int | None, say: Say, jobs: int = 1
) -> int:
    """Play all that is there and write report.html and report.txt; 0, or 2 where nothing is.

    days: of minutes, at most so many of each half. jobs: processes; they change no result.
    """
    tasks: list[Task] = []
    for case in CASES:
        path = folder / case.file
        if not path.exists():
            say(f"{case.name}: {path.name} is not there, left out")
            continue
        try:
            tasks += _tasks(case, path, config, days)
        except DataError as error:
            say(f"{case.name}: {error}")
    if not tasks:
        return 2
    results: list[Result] = []
    say(_HEAD)
    for result in _results(tasks, jobs):
        results.append(result)
        say(_line(result))
    out.mkdir(parents=True, exist_ok=True)
    text = "\n".join([_HEAD, *(_line(result) for result in results), "", *_ASSUMED])
    (out / "report.txt").write_text(text + "\n", encoding="utf-8")
    _write_page(results, out / "report.html")
    say(f"wrote {out / 'report.txt'} and {out / 'report.html'}")
    return 0


def _results(tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(_play, tasks)
        return
    with processes(jobs) as pool:
        yield from pool.map(_play, tasks)


def _tasks(case: Case, path: Path, config: Config, days: int | None) -> Iterable[Task]:
    """Both halves of one history, every variant."""
    base = replace(config, pair=case.pair, pairs=())
    begin, end, interval = _span(path, base)
    days = days if interval < HOUR else None
    middle = (begin + end) // 2
    for half, first, last in (("chosen on", begin, middle), ("judged by", middle, end + 1)):
        until = last if days is None else min(last, first + days * DAY)
        for name, change in VARIANTS.items():
            yield Task(case, str(path), half, name, change(base), (first, until))


def _span(path: Path, config: Config) -> tuple[int, int, int]:
    """Wall of the first and the last row, and the length of a bar."""
    history = History((path,), LISTINGS[config.pair].pair)
    last = history.begins
    for bar in history.bars():
        last = bar[0]
    return history.begins, last, history.interval


def _play(task: Task) -> Result:
    config = task.config
    history = History((Path(task.path),), LISTINGS[config.pair].pair)
    # Fees by the exchange's own tiers, from the first one on.
    terms = Terms("through", LATENCY, None, None, 0)
    played = play(history, config, terms, task.span, lambda _rows, _wall: True, ONE_WALK)
    figures = figures_of(played, history, config, terms, TAX)
    return Result(
        task.case.name,
        task.half,
        task.variant,
        replace(figures, fill_rows=(), lots=()),
        _shares(figures, int(played.last)),
        max((p.coins * p.price / p.equity for p in figures.points if p.equity > 0), default=0.0),
    )


def _shares(figures: Figures, last_wall: int) -> dict[str, float]:
    """How much of the time each regime and each pause had."""
    spent: dict[str, float] = {}
    end = last_wall / 1e9
    begins = [band.at for band in figures.bands]
    for band, until in zip(figures.bands, [*begins[1:], end], strict=True):
        for name in (band.regime, band.pause):
            spent[name] = spent.get(name, 0.0) + max(0.0, until - band.at)
    whole = max(end - begins[0], 1e-9) if begins else 1.0
    return {name: seconds / whole for name, seconds in sorted(spent.items())}


_COLUMNS: Final = (
    "history", "half", "variant", "net", "grid", "invent.", "fees", "hold", "50/50", "weekly",
    "worst", "coins", "fills", "turnover", "rej/1000", "am/can", "time",
)  # fmt: skip
_WORDS: Final = 3
"""The first columns name a result."""

_WIDTHS: Final = (24, 9, 18, 9, 8, 9, 8, 9, 9, 9, 6, 5, 6, 11, 8, 11, 0)


def _cells(result: Result) -> tuple[str, ...]:
    f, start = result.figures, result.figures.start_equity
    ends = {each.name: each.equity for each in f.outcomes}
    count = f.counters
    refused = count.get("refused_add", 0) + count.get("post_only", 0)
    return (
        result.case,
        result.half,
        result.variant,
        *(f"{value:.0f}" for value in (
            f.equity - start, f.profit.grid, f.profit.inventory, f.profit.fees,
            ends["hold"] - start, ends["50/50"] - start, ends["weekly buying"] - start,
        )),
        f"{f.drawdown_pct:.1f}%",
        f"{result.largest:.0%}",
        str(f.fills),
        f"{f.turnover:.0f}",
        f"{1000 * refused / max(1, count.get('adds', 0)):.1f}",
        f"{count.get('amends', 0)}/{count.get('cancels', 0)}",
        " ".join(f"{name}:{part:.0%}" for name, part in result.shares.items())
        + (f" HALTED: {f.halted}" if f.halted else ""),
    )  # fmt: skip


def _line(result: Result) -> str:
    return _pad(_cells(result))


def _pad(cells: Sequence[str]) -> str:
    return " ".join(
        cell.ljust(width) if place < _WORDS else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ).rstrip()


_HEAD: Final = _pad(_COLUMNS)

_ASSUMED: Final = (
    "All in the quote currency, before tax, against the equity at the start of the half.",
    "net = grid (matched buys and sells, after both fees) + inventory (all the rest: what the",
    "coins held have gained or lost); hold, 50/50 and weekly buying begin with the same account.",
    "An order fills, whole, once the market has traded through its price; each bar is walked",
    "high first. Fees are those of the exchange's tiers. A halt by limits.* stays until a person",
    "resumes, a day later. The fixed thresholds of the regimes stand in both variants until a day",
    "of record is there (regime.adaptive.warm_up_hours).",
)


def _write_page(results: Sequence[Result], path: Path) -> None:
    cells = [_cells(result) for result in results]
    body = section("All results", table(_COLUMNS[:-1], [row[:-1] for row in cells], _WORDS))
    body += f"<p>{escape(' '.join(_ASSUMED))}</p>"
    spent = [(*row[:_WORDS], row[-1]) for row in cells]
    heads = (*_COLUMNS[:_WORDS], "share of the time")
    times = section("Time in each pause and regime", table(heads, spent, len(heads)))
    drawn: dict[str, Figure] = {}
    for number, (title, told, figure) in enumerate(_charts(results)):
        body += section(title, framed(f"half-{number}", told))
        drawn[f"half-{number}"] = figure
    title = "The strategy on real data"
    write_document(path, title, f"<h1>{title}</h1>{body}{times}", drawn)


_ALONE: Final = "left alone"
"""The account of the begin, never touched: half coins, where the column "hold" is all coins."""


def _charts(results: Sequence[Result]) -> Iterable[tuple[str, str, Figure]]:
    """For each half of each history the equity of all variants, beside what it began with."""
    for case, half in dict.fromkeys((result.case, result.half) for result in results):
        found = [r for r in results if (r.case, r.half) == (case, half)]
        first = found[0].figures.points
        if not first:
            continue
        coins = first[0].coins
        money = first[0].equity - coins * first[0].price
        held = [(float(p.at), money + coins * p.price) for p in first]
        traces = [line(_ALONE, held, "$quiet", dash="dot")]
        for result, colour in zip(found, ("$accent", "$bad", "$good"), strict=True):
            points = [(float(p.at), p.equity) for p in result.figures.points]
            traces.append(line(result.variant, points, colour))
        ends = ", ".join(f"{r.variant} {r.figures.equity:,.0f}" for r in found)
        currency = found[0].figures.currency
        told = f"Equity in {currency}. At the end: {_ALONE} {held[-1][1]:,.0f}, {ends}."
        yield f"{case}, {half}", told, over_time(traces)
