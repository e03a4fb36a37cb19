"""`icryptotrader backtest`: history through the house that trades live, and what came of it.

Exit codes: 0 done; 1 where the report could not be written; 2 for data that cannot be used; 130
where it was interrupted (what was played so far is reported all the same).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Final, NamedTuple, cast

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from icryptotrader.backtest import pairs
from icryptotrader.backtest.figures import Figures, figures_of, with_pairs
from icryptotrader.backtest.page import write_page
from icryptotrader.backtest.pairs import PairResult
from icryptotrader.backtest.summary import as_json, summary
from icryptotrader.files import appearing
from shared.charts import ChartsError, script_file
from shared.clock import perf
from shared.config import Config, ConfigError, Home, load
from shared.units import MILLISECOND, SECOND, Ns
from shared.unread import unread
from sim.backtest.converted import Converted
from sim.backtest.data import History
from sim.backtest.parts import Fill, Terms
from sim.backtest.run import Played, Rows, cores, play
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS
from strategy.ledger.book import BookError
from strategy.ledger.rates import Rates, RatesError, parse

EXIT_UNWRITTEN: Final = 1
EXIT_DATA: Final = 2
BY_RATES: Final = Path("rates")
"""--against: no file, but this pair's own rows in the other currency."""

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
    against: tuple[Path, ...] = ()


def backtest(options: Options, home: Home, say: Say) -> int:
    """Run it and tell; the exit code."""
    code = 0
    try:
        if options.out is not None:
            script_file()  # What the report needs is missed before the run, not after it.
            if not writable(options.out, say):
                return EXIT_UNWRITTEN
        config = config_of(options, home)
        terms = terms_of(options, config)
        history = History(options.data, LISTINGS[config.pair].pair, prices=options.prices)
        terms = replace(terms, fill=cast(Fill, options.fill or default_fill(history)))
        span = span_of(options)
        rates = rates_of(options.rates)
        other = other_of(options, config, rates)
        played, seconds = _play(history, config, terms, span)
        tax = Decimal(options.tax_rate)
        figures = figures_of(played, history, config, terms, (tax, rates))
        if other is not None and rates is not None and played.whole:
            ran = Ran(config, terms, played, tax, _names(history))
            found, code = _against(options, ran, other, rates, say)
            figures = with_pairs(figures, found)
    except (DataError, BookError, RatesError, ChartsError) as error:
        say(str(error))
        return EXIT_DATA
    except OSError as error:
        say(unread(error.filename or "the data", error))
        return EXIT_DATA
    say(summary(figures))
    say(
        f"{played.rows:,} rows in {seconds:.1f} s: {played.rows / max(seconds, 1e-9):,.0f} a second"
    )
    if options.out is not None:
        try:
            for path in write_out(figures, options.out):
                say(f"wrote {path}")
        except OSError as error:
            say(f"the report is not written: {error.filename or options.out}: {error.strerror}")
            return EXIT_UNWRITTEN
    return code if played.whole else EXIT_INTERRUPTED


class Ran(NamedTuple):
    """What was played on the pair that was asked for."""

    config: Config
    terms: Terms
    played: Played
    tax_rate: Decimal
    source: str


class Other(NamedTuple):
    """The rows of the other pair, and where they come from."""

    rows: Rows
    source: str


def other_of(options: Options, config: Config, rates: Rates | None) -> Other | None:
    """What --against names; None where it was not given. ConfigError where it cannot be answered.

    DataError where its data cannot be read.
    """
    if not options.against:
        return None
    if rates is None:
        raise ConfigError(["--against: needs --rates FILE, the ECB's rates"])
    pair = LISTINGS[pairs.other_of(config.pair)].pair
    if options.against == (BY_RATES,):
        here = LISTINGS[config.pair].pair
        again = History(options.data, here, prices=options.prices)
        return Other(Converted(again, pair, rates), "the same rows, by the ECB's rates")
    found = History(options.against, pair)
    return Other(found, _names(found))


def _against(
    options: Options, ran: Ran, other: Other, rates: Rates, say: Say
) -> tuple[tuple[PairResult, ...], int]:
    """The same span on the other pair too, and the exit code; nothing where it did not come about.

    What was played on the first pair is told whatever happens here.
    """
    span = (ran.played.first, ran.played.last + 1)
    try:
        config = pairs.other_config(ran.config, rates, ran.played.first)
        mine = pairs.account_of(ran.played, ran.terms, ran.tax_rate, rates)
        terms = replace(ran.terms, fill=cast(Fill, options.fill or default_fill(other.rows)))
        say(f"and now {config.pair}")
        played, _ = _play(other.rows, config, terms, span)
        if not played.whole:
            say("interrupted: the pairs are not compared")
            return (), EXIT_INTERRUPTED
        theirs = pairs.account_of(played, terms, ran.tax_rate, rates)
        return (pairs.settled(mine, ran.source), pairs.settled(theirs, other.source)), 0
    except (DataError, BookError) as error:
        say(f"the pairs are not compared: {other.source}: {error}")
        return (), EXIT_DATA


def _names(history: History) -> str:
    return ", ".join(part.path.name for part in history.parts)


def write_out(figures: Figures, folder: Path) -> Sequence[Path]:
    """report.json and report.html, each whole or not at all; OSError."""
    data, page = folder / "report.json", folder / "report.html"
    with appearing(data) as file:
        for piece in as_json(figures):
            file.write(piece.decode())
    write_page(figures, page)
    return data, page


def writable(folder: Path, say: Say) -> bool:
    """Whether files can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError as error:
        say(f"--out {folder}: {error.strerror}: name a folder that can be written to")
        return False


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
    if not (maker.is_finite() and taker.is_finite() and 0 <= maker <= 10 and 0 <= taker <= 10):
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


def default_fill(history: Rows) -> str:
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


def span_of(options: Options) -> tuple[int, int]:
    """--from and --to, the second not included; ConfigError."""
    span = (moment_of(options.begin, 0), moment_of(options.end, _FOREVER))
    if span[0] >= span[1]:
        raise ConfigError([f"--from {options.begin}: not before --to {options.end}"])
    return span


def config_of(options: Options, home: Home) -> Config:
    config = load(home, options.config)
    if options.pair is not None:
        wanted = options.pair.upper().replace("XBT/", "BTC/")
        if wanted not in LISTINGS:
            raise ConfigError([f'--pair "{options.pair}": one of {", ".join(LISTINGS)}'])
        config = replace(config, pair=wanted)
    return config


def rates_of(path: Path | None) -> Rates | None:
    """What --rates names; RatesError with the place."""
    try:
        return None if path is None else Rates(parse(path.read_bytes()))
    except RatesError as error:
        raise RatesError(
            f"--rates {path}: {error}: the ECB's eurofxref-hist.zip or .csv is meant"
        ) from None


class _Flag:
    """Ctrl-C as a question that the loop asks between two rows: a step is never torn."""

    def __init__(self) -> None:
        self.up = False

    def raise_it(self, _number: int, _frame: FrameType | None) -> None:
        self.up = True


def _play(
    history: Rows, config: Config, terms: Terms, span: tuple[int, int]
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


def _tell(progress: Progress, task: TaskID, history: Rows, done: tuple[int, Ns, int]) -> None:
    rows, wall, spent = done
    day = datetime.fromtimestamp(wall // SECOND, UTC).date()
    rate = rows / max(spent / SECOND, 1e-9)
    told = f"{day}  {rows:,} rows  {rate:,.0f}/s"
    progress.update(task, completed=history.done, told=told)
