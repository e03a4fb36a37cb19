"""`icryptotrader backtest`: history through the house that trades live, and what came of it.

Exit codes: 0 done; 2 for data that cannot be used; 130 where it was interrupted (what was played
so far is reported all the same).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import FrameType
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from icryptotrader.backtest.figures import Figures, figures_of
from icryptotrader.backtest.page import write_page
from icryptotrader.backtest.summary import as_json, summary
from shared.charts import ChartsError, script_file
from shared.clock import perf
from shared.config import Config, ConfigError, Home, load
from shared.units import MILLISECOND, SECOND, Ns
from sim.backtest.data import History
from sim.backtest.parts import Fill, Terms
from sim.backtest.run import Played, cores, play
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS
from strategy.ledger.book import BookError
from strategy.ledger.rates import Rates, RatesError, parse

EXIT_DATA: Final = 2
EXIT_INTERRUPTED: Final = 130
_FOREVER: Final = 1 << 62

Say = Callable[[str], None]


class Options(Struct, frozen=True):
    """What was asked for on the command line, as it was typed."""

    data: tuple[Path, ...]
    prices: bool = False
    config: Path | None = None
    pair: str | None = None
    begin: str | None = None
    end: str | None = None
    fill: str | None = None
    latency_ms: float = 50.0
    fees: str | None = None
    ahead: str = "0"
    tax_rate: str = "0.42"
    rates: Path | None = None
    out: Path | None = None


def backtest(options: Options, home: Home, say: Say) -> int:
    """Run it and tell; the exit code."""
    try:
        if options.out is not None:
            script_file()  # What the report needs is missed before the run, not after it.
        config = config_of(options, home)
        terms = terms_of(options, config)
        history = History(options.data, LISTINGS[config.pair].pair, prices=options.prices)
        terms = replace(terms, fill=cast(Fill, options.fill or default_fill(history)))
        span = (moment_of(options.begin, 0), moment_of(options.end, _FOREVER))
        rates = rates_of(options.rates)
        played, seconds = _play(history, config, terms, span)
        figures = figures_of(played, history, config, terms, (Decimal(options.tax_rate), rates))
    except (DataError, BookError, RatesError, ChartsError) as error:
        say(str(error))
        return EXIT_DATA
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        return EXIT_DATA
    say(summary(figures))
    say(
        f"{played.rows:,} rows in {seconds:.1f} s: {played.rows / max(seconds, 1e-9):,.0f} a second"
    )
    if options.out is not None:
        for path in write_out(figures, options.out):
            say(f"wrote {path}")
    return 0 if played.whole else EXIT_INTERRUPTED


def write_out(figures: Figures, folder: Path) -> Sequence[Path]:
    """report.json and report.html in a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "report.json", folder / "report.html"
    data.write_bytes(as_json(figures))
    write_page(figures, page)
    return data, page


def terms_of(options: Options, config: Config) -> Terms:
    """The assumptions; ConfigError naming the option at fault."""
    faults = []
    maker, taker = config.demo.maker_pct, config.demo.taker_pct
    tiers = options.fees == "tier"
    if options.fees is not None and not tiers:
        low, _, high = options.fees.partition("/")
        try:
            maker, taker = Decimal(low), Decimal(high or low)
        except InvalidOperation:
            faults.append(f'--fees "{options.fees}": "tier", or percent such as 0.25 or 0.25/0.4')
    if not (0 <= maker <= 10 and 0 <= taker <= 10):
        faults.append(f"--fees {options.fees}: 0 to 10 percent")
    try:
        ahead = int(Decimal(options.ahead).scaleb(8))
        if not 0 <= ahead < 1 << 60:
            raise InvalidOperation
    except (InvalidOperation, OverflowError):
        ahead = 0
        faults.append(f'--ahead "{options.ahead}": coins that stand before us, such as 0.5')
    try:
        share = Decimal(options.tax_rate)
        if not 0 <= share <= 1:
            raise InvalidOperation
    except InvalidOperation:
        faults.append(f'--tax-rate "{options.tax_rate}": a ratio from 0 to 1, such as 0.42')
    if options.fill not in (None, "touch", "through", "queue"):
        faults.append(f'--fill "{options.fill}": touch, through or queue')
    if not 0 <= options.latency_ms <= 60_000:
        faults.append(f"--latency {options.latency_ms}: 0 to 60000 milliseconds")
    if faults:
        raise ConfigError(faults)
    latency = Ns(round(options.latency_ms * MILLISECOND))
    if tiers:
        return Terms("through", latency, None, None, ahead)
    return Terms("through", latency, int(maker.scaleb(4)), int(taker.scaleb(4)), ahead)


def default_fill(history: History) -> str:
    """A queue where the data says who traded, else only what is traded through."""
    return "through" if history.is_bars else "queue"


def moment_of(text: str | None, default: int) -> int:
    """--from and --to as ns since 1970; a date begins at 00:00 UTC. ConfigError."""
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError([f'"{text}" is no date: 2024-01-31 or 2024-01-31T12:00']) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND


def config_of(options: Options, home: Home) -> Config:
    config = load(home, options.config)
    if options.pair is not None:
        wanted = options.pair.upper().replace("XBT/", "BTC/")
        if wanted not in LISTINGS:
            raise ConfigError([f'--pair "{options.pair}": one of {", ".join(LISTINGS)}'])
        config = replace(config, pair=wanted)
    return config


def rates_of(path: Path | None) -> Rates | None:
    return None if path is None else Rates(parse(path.read_bytes()))


class _Flag:
    """Ctrl-C as a question that the loop asks between two rows: a step is never torn."""

    def __init__(self) -> None:
        self.up = False

    def raise_it(self, _number: int, _frame: FrameType | None) -> None:
        self.up = True


def _play(
    history: History, config: Config, terms: Terms, span: tuple[int, int]
) -> tuple[Played, float]:
    flag = _Flag()
    before = signal.signal(signal.SIGINT, flag.raise_it)
    begin = perf()
    try:
        with _progress() as progress:
            task = cast(Progress, progress).add_task("", total=1.0, told="")

            def go_on(rows: int, wall: Ns) -> bool:
                _tell(cast(Progress, progress), task, history, (rows, wall, perf() - begin))
                return not flag.up

            played = play(history, config, terms, span, go_on, apart=cores() > 1)
    finally:
        signal.signal(signal.SIGINT, before)
    return played, (perf() - begin) / SECOND


def _progress() -> AbstractContextManager[object]:
    columns = (BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)


def _tell(progress: Progress, task: TaskID, history: History, done: tuple[int, Ns, int]) -> None:
    rows, wall, spent = done
    day = datetime.fromtimestamp(wall // SECOND, UTC).date()
    rate = rows / max(spent / SECOND, 1e-9)
    told = f"{day}  {rows:,} rows  {rate:,.0f}/s"
    progress.update(task, completed=history.done, told=told)
