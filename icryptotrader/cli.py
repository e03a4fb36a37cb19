"""The `icryptotrader` command line: what an operator types, and how it answers.

Rule 1: a subcommand imports what it needs when it runs, so that `--help` is quick.
Rule 2: nobody is shown a traceback; it goes to a file, and the screen says which.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from icryptotrader import safety
from icryptotrader.cli_care import app as care_app
from icryptotrader.foresight import app as foresight_app
from icryptotrader.ledger import app as ledger_app
from icryptotrader.options import ConfigOption, HomeOption, JsonOption, home_of, refuse
from icryptotrader.tax.command import app as tax_app
from shared.config import EXIT_BROKEN, EXIT_CONFIG, ConfigError, find_home, load
from shared.version import build

app = typer.Typer(
    name="icryptotrader",
    help="A grid trading bot for Bitcoin on Kraken that knows German tax law.\n\n"
    "`icryptotrader run` trades against a simulated exchange: no key, no network, nothing to "
    "configure. "
    "`strategy-ctl` talks to it while it runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(foresight_app)
app.add_typer(care_app)
app.add_typer(tax_app, name="tax")
app.add_typer(ledger_app, name="ledger")
app.command()(safety.caps)
app.command()(safety.drill)


def main() -> None:
    """The command. Exit codes: 0 done, 1 not in order, 2 usage, 70 our fault, 78 config."""
    try:
        app()
    except ConfigError as error:
        refuse(error.faults, EXIT_CONFIG)
    except BrokenPipeError:
        # Whoever read our output has gone: nothing to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last frame: said in one line, kept in a file
        _confess(error)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"icryptotrader {build()}")
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
            help="A recorded market (trades or bars, all that `backtest` reads), or a made-up one: "
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
    live: Annotated[
        bool, typer.Option("--live", help='Consent to trade real money (mode = "live").')
    ] = False,
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="XXXX-XXXX", help="Of the key, for --live; else it is asked for."),
    ] = None,
) -> None:
    """Trade, as the mode says: all four programs in the foreground; Ctrl-C stops.

    Own orders are cancelled and confirmed before it ends. Started again, it goes on with the same
    account and ledger. Exit code 0 after an orderly stop, 1 otherwise, 78 if a setting is at fault.
    """
    from icryptotrader.run import run as run_house
    from icryptotrader.screen import Screen
    from icryptotrader.startup import NotReadyError, Options

    if live and fingerprint is None and sys.stdin.isatty():
        fingerprint = typer.prompt("This trades with real money. The key's fingerprint, typed")
    options = Options(config, market, speed, seed, pair, fresh, live, fingerprint)
    try:
        code = run_house(home_of(context, home), options, Screen(sys.stdout))
    except NotReadyError as error:
        refuse(error.faults, error.code)
    raise typer.Exit(code)


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

    place = home_of(context, home)
    try:
        done = store(
            place,
            load(place),
            output,
            build(),
            most_bytes=max_mb * 1_000_000,
            seconds=seconds,
            replace=replace,
            tell=typer.echo,
        )
    except FileExistsError:
        refuse([f"{output} exists already: choose another name, or --replace"], 2)
    except OSError as error:
        refuse([f"{output}: {error.strerror or error}"], 1)
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

    raise typer.Exit(play(file, speed, fast, home_of(context, home), typer.echo))


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

    raise typer.Exit(show_lots(home_of(context, home), json=json, ics=ics))


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
