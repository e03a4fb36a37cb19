"""The `icryptotrader` command line: what an operator types, and how it answers.

Rule 1: a subcommand imports what it needs when it runs, so that `--help` is quick.
Rule 2: nobody is shown a traceback; it goes to a file, and the screen says which.
"""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from icryptotrader.ledger import app as ledger_app
from icryptotrader.tax import app as tax_app
from shared.config import EXIT_BROKEN, EXIT_CONFIG, ConfigError, Home, find_home, load, load_all

app = typer.Typer(
    name="icryptotrader",
    help="A grid trading bot for Bitcoin on Kraken that knows German tax law.\n\n"
    "`icryptotrader run` trades on paper: no key, no network, nothing to configure. "
    "`strategy-ctl` talks to it while it runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(tax_app, name="tax")
app.add_typer(ledger_app, name="ledger")

HomeOption = Annotated[
    str | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder of this installation's state. Default: $ICRYPTOTRADER_HOME, else var/ in "
        "the checkout.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings on top of config/default.toml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]


def main() -> None:
    """The console script. Exit codes: 0 done, 1 not in order, 2 usage, 70 our fault, 78 config."""
    try:
        app()
    except ConfigError as error:
        _refuse(error.faults, EXIT_CONFIG)
    except BrokenPipeError:
        # Whoever read our output has gone: nothing to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last frame: said in one line, kept in a file
        _confess(error)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"icryptotrader {version('icryptotrader')}")
        raise typer.Exit


@app.callback()
def settle(
    context: typer.Context,
    home: HomeOption = None,
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    context.obj = home


@app.command()
def run(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    market: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|SHAPE",
            help="A recorded market (CSV of trades or bars, also .gz and .zip), or a made-up one: "
            "ranging, trending, crashing.",
        ),
    ] = None,
    speed: Annotated[
        int | None,
        typer.Option(min=1, max=20, help="How many times as fast as the clock the house lives."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the made-up market.")] = None,
    pair: Annotated[str | None, typer.Option(help="BTC/EUR or BTC/USD.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Archive account and ledger, and begin anew.")
    ] = False,
) -> None:
    """Trade on paper: exchange, feed, strategy and monitor in the foreground; Ctrl-C stops.

    Own orders are cancelled and confirmed before it ends. Started again, it goes on with the same
    account and ledger. Exit code 0 after an orderly stop, 1 otherwise, 78 if a setting is at fault.
    """
    from icryptotrader.run import run as run_house
    from icryptotrader.screen import Screen
    from icryptotrader.startup import NotReadyError, Options

    options = Options(config, market, speed, seed, pair, fresh)
    try:
        code = run_house(_home(context, home), options, Screen(sys.stdout))
    except NotReadyError as error:
        _refuse(error.faults, error.code)
    raise typer.Exit(code)


@app.command("strategy-report")
def strategy_report(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the histories lie.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pages go.")],
    home: HomeOption = None,
    config: ConfigOption = None,
    days: Annotated[int | None, typer.Option(min=1, help="At most of each half.")] = None,
) -> None:
    """Play known histories through the strategy and its alternatives: one page, both halves."""
    from icryptotrader.strategy_report import report

    settings = load(_home(context, home), config)
    raise typer.Exit(report(data, settings, out, days, typer.echo))


@app.command()
def preview(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    price: Annotated[float | None, typer.Option(min=0.01, help="Of the market.")] = None,
    maker: Annotated[float | None, typer.Option(min=0, max=5, help="Fee in percent.")] = None,
    taker: Annotated[float | None, typer.Option(min=0, max=5, help="Fee in percent.")] = None,
    money: Annotated[float | None, typer.Option(min=0, help="Quote currency at hand.")] = None,
    coins: Annotated[float | None, typer.Option(min=0, help="Coins at hand.")] = None,
) -> None:
    """Show the grid of the settings, its fees, break-even step and capital, before it runs.

    Without options: at demo.start_price and the fees of the demo account. Nothing is asked of
    any exchange, and nothing is sent.
    """
    from decimal import Decimal

    from icryptotrader.preview import preview as page
    from sim.instruments import LISTINGS

    settings = load(_home(context, home), config)
    at = Decimal(str(price)) if price is not None else settings.demo.start_price
    demo = settings.demo
    rates = (
        (float(demo.maker_pct) if maker is None else maker) / 100,
        (float(demo.taker_pct) if taker is None else taker) / 100,
    )
    known = money is not None and coins is not None
    account = (Decimal(str(money)), Decimal(str(coins))) if known else None
    typer.echo(page(settings, LISTINGS[settings.pair].pair, at, rates, account))


@app.command("check-capture")
def check_capture(
    file: Annotated[
        Path,
        typer.Argument(
            help="Raw Kraken v2 frames: JSON lines, also .gz, or one {init, updates} object."
        ),
    ],
    pair: Annotated[str | None, typer.Option(help="Only this pair, such as BTC/USD.")] = None,
    price_precision: Annotated[
        int | None, typer.Option(min=0, max=18, help="Decimals of a price, if the file lacks it.")
    ] = None,
    qty_precision: Annotated[
        int | None, typer.Option(min=0, max=18, help="Decimals of a quantity, likewise.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Levels of the book: 10, 25, 100, 500 or 1000.")
    ] = None,
) -> None:
    """Rebuild every book of a recording as the live feed would, and verify each checksum.

    Exit code 1 if a checksum failed that was not after a reported desync, 2 if the file is of no
    use.
    """
    from icryptotrader.capture import check_capture as check

    raise typer.Exit(check(file, pair, price_precision, qty_precision, depth))


@app.command()
def record(
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to.")],
    home: HomeOption = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Ends by itself at this size.")] = 1000,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Ends by itself after this time.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file.")] = False,
) -> None:
    """Store the running feed's frames with their receive times, compressed; Ctrl-C ends it.

    What was stored before a crash stays readable.
    """
    from icryptotrader.record import record as store

    place = _home(context, home)
    try:
        done = store(
            place,
            load(place),
            output,
            version("icryptotrader"),
            most_bytes=max_mb * 1_000_000,
            seconds=seconds,
            replace=replace,
            tell=typer.echo,
        )
    except FileExistsError:
        _refuse([f"{output} exists already: choose another name, or --replace"], 2)
    except OSError as error:
        _refuse([f"{output}: {error.strerror or error}"], 1)
    typer.echo(f"{done.frames} frames, {done.written:,} bytes, {done.missed} missed: {done.why}")


@app.command()
def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A recording (record -o FILE), or a journal.")],
    speed: Annotated[
        int, typer.Option(min=1, max=20, help="How many times as fast as it was recorded.")
    ] = 1,
    fast: Annotated[
        bool, typer.Option("--fast", help="In virtual time, as fast as this machine can.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Feed a recording into a strategy and print a summary and a digest of all its commands.

    Two runs of one file and configuration give the same digest. A journal is stepped through to
    its first difference.
    """
    from icryptotrader.replay import replay as play

    raise typer.Exit(play(file, speed, fast, _home(context, home), typer.echo))


@app.command("sim-test")
def sim_test(
    seeds: Annotated[
        str, typer.Option(metavar="FROM:TO", help="One simulated run each; TO is not included.")
    ] = "1:101",
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Of trouble in each run; the profile knows.")
    ] = None,
    profile: Annotated[str, typer.Option(help="suite, storm, long or calm.")] = "storm",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes at once.")] = 1,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Each fault's count; one at zero is a failure.")
    ] = False,
) -> None:
    """Run the whole house in virtual time, with faults by seed; what must hold is checked.

    Exit code 1 on any violation; each says the command that replays it.
    """
    from icryptotrader.simtest import sim_test as simulate

    raise typer.Exit(simulate(seeds, minutes, profile, jobs, coverage, typer.echo))


@app.command()
def backtest(
    context: typer.Context,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Trades or bars, also .gz and .zip; may be repeated."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One price for each line, a minute apart.")
    ] = None,
    config: ConfigOption = None,
    pair: Annotated[str | None, typer.Option(help="BTC/EUR or BTC/USD.")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="2024-01-31, or with T12:00; UTC.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Not included.")] = None,
    fill: Annotated[
        str | None, typer.Option(help="touch, through (default of bars), queue (of trades).")
    ] = None,
    latency: Annotated[
        float, typer.Option(metavar="MS", help="Milliseconds each way to the exchange.")
    ] = 50.0,
    fees: Annotated[
        str | None,
        typer.Option(metavar="tier|PERCENT", help="Kraken's tiers, or maker[/taker] in percent."),
    ] = None,
    ahead: Annotated[
        str, typer.Option(metavar="COINS", help="--fill queue: what stands before an order.")
    ] = "0.5",
    tax_rate: Annotated[str, typer.Option(help="The person's own, as a ratio.")] = "0.42",
    rates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ECB rates, for pairs not in EUR.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where report.html and report.json go.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Would it have worked? History through the bot that trades, after fees and tax.

    Ctrl-C ends it and tells what was played so far. Exit code 0, 2 for data that cannot be used,
    130 after Ctrl-C. What is assumed, and which way it errs, stands in docs/backtest.md.
    """
    from icryptotrader.backtest import Options
    from icryptotrader.backtest import backtest as run_it

    if bool(data) == (prices is not None):
        _refuse(["--data FILE, or --prices FILE: one of the two"], 2)
    options = Options(
        tuple(data or [prices or Path()]),
        prices is not None,
        config,
        *(pair, begin, end, fill, latency, fees, ahead, tax_rate, rates, out),
    )
    raise typer.Exit(run_it(options, _home(context, home), typer.echo))


@app.command()
def sweep(
    context: typer.Context,
    space: Annotated[
        Path, typer.Option(metavar="FILE", help="Which settings may take which values; TOML.")
    ],
    data: Annotated[list[Path], typer.Option(metavar="FILE", help="Bars or trades.")],
    trials: Annotated[int, typer.Option(min=1, help="For each fold.")] = 32,
    folds: Annotated[int, typer.Option(min=1, max=50, help="Steps of the walk forward.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    storage: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keeps every trial; a search goes on.")
    ] = None,
    config: ConfigOption = None,
    pair: Annotated[str | None, typer.Option(help="BTC/EUR or BTC/USD.")] = None,
    fill: Annotated[str | None, typer.Option(help="touch, through, queue.")] = None,
    latency: Annotated[float, typer.Option(metavar="MS", help="Each way.")] = 50.0,
    fees: Annotated[str | None, typer.Option(metavar="tier|PERCENT")] = None,
    tax_rate: Annotated[str, typer.Option(help="The person's own, as a ratio.")] = "0.42",
    rates: Annotated[Path | None, typer.Option(metavar="FILE", help="ECB rates.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON of all folds.")] = None,
    home: HomeOption = None,
) -> None:
    """Search settings, walked forward: in sample against out of sample, after tax.

    Each fold searches on the past and is judged once on what comes after. Interrupted with
    --storage, it goes on where it stood. Needs Optuna.
    """
    from icryptotrader.backtest import Options
    from icryptotrader.sweep_command import sweep as run_it

    options = Options(
        tuple(data), False, config, pair, None, None, fill, latency, fees, "0.5", tax_rate, rates
    )
    raise typer.Exit(
        run_it(
            options, space, (trials, folds, jobs, seed), storage, out, _home(context, home),
            typer.echo,
        )
    )  # fmt: skip


@app.command()
def lots(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    ics: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the days on which coins come free (iCal)."),
    ] = None,
) -> None:
    """The open lots of the ledger, oldest first, their ages, and what comes free when.

    Needs no running strategy.
    """
    from icryptotrader.lots import show_lots

    raise typer.Exit(show_lots(_home(context, home), json=json, ics=ics))


@app.command()
def caps(
    context: typer.Context,
    accept: Annotated[
        str | None, typer.Argument(metavar="[accept", help="Let looser caps hold from now on.")
    ] = None,
    reason: Annotated[
        str | None, typer.Argument(metavar="REASON]", help="Kept in the ledger's audit trail.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """The hard caps and whether they hold; `caps accept REASON` lets looser ones hold.

    Exit code 1 if the file is looser than what holds, or the strategy runs.
    """
    from icryptotrader.caps import accept_caps, show_caps

    place = _home(context, home)
    if accept is None:
        code, lines = show_caps(place)
    elif accept == "accept" and reason:
        code, lines = accept_caps(place, reason)
    else:
        code, lines = 2, ["caps: say nothing more, or: accept REASON"]
    for line in lines:
        typer.echo(line, err=code != 0)
    raise typer.Exit(code)


@app.command()
def doctor(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check machine, configuration, house and account; each finding with its remedy.

    Exit code 0 where nothing failed, else 1. It changes nothing and may run at any time.
    """
    from icryptotrader.doctor import diagnose
    from icryptotrader.doctor import show as tell

    raise typer.Exit(tell(diagnose(_home(context, home)), json=json, tell=typer.echo))


@app.command("support-bundle")
def support_bundle(
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to.")] = (
        Path("icryptotrader-support.zip")
    ),
    home: HomeOption = None,
) -> None:
    """Logs, settings and the doctor's findings in one archive, secrets left out, for who helps."""
    from icryptotrader.bundle import write_bundle

    try:
        names = write_bundle(_home(context, home), output)
    except FileExistsError:
        _refuse([f"{output} exists already: choose another name with -o"], 2)
    except OSError as error:
        _refuse([f"{output}: {error.strerror or error}"], 1)
    typer.echo(f"{output}: {len(names)} files. Look into it before you send it.")


@config_app.command()
def check(context: typer.Context, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Say every fault of the configuration at once, each with its place and remedy."""
    for note in load_all(_home(context, home), config).notes:
        typer.echo(f"note: {note}")
    typer.echo("The configuration is in order.")


@config_app.command()
def show(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="One setting to a line, with the file that sets it.")
    ] = False,
) -> None:
    """The settings in force, all layers merged, as JSON; secrets are never shown."""
    from icryptotrader.config_show import as_json, with_origins

    loaded = load_all(_home(context, home), config)
    typer.echo(with_origins(loaded) if origin else as_json(loaded.config))


def _home(context: typer.Context, given: str | None) -> Home:
    """--home after the command, else before it, else the default."""
    said: Any = context.find_root().obj
    return find_home(given or said)


def _refuse(faults: list[str], code: int) -> NoReturn:
    for fault in faults:
        typer.echo(fault, err=True)
    sys.exit(code)


def _confess(error: Exception) -> None:
    """One line for people; the traceback goes to the home's log folder."""
    text = "".join(traceback.format_exception(error))
    place = find_home().log / "icryptotrader.trace"
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with place.open("a") as file:
            file.write(text + "\n")
    except OSError as failed:
        typer.echo(f"(the log cannot be written: {failed})", err=True)
    first = (str(error).splitlines() or [type(error).__name__])[0]
    typer.echo(f"icryptotrader: unexpected fault: {first}; details in {place}", err=True)
    sys.exit(EXIT_BROKEN)
