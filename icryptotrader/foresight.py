"""Commands that look ahead or back: the grid before it runs, histories through the strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icryptotrader.options import ConfigOption, HomeOption, home_of, refuse
from shared.config import load

app = typer.Typer()


@app.command("strategy-report")
def strategy_report(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the histories lie.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pages go.")],
    home: HomeOption = None,
    config: ConfigOption = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Of minutes, at most of each half.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Play known histories through the strategy and its alternatives: one page, both halves."""
    from icryptotrader.strategy_report import report

    settings = load(home_of(context, home), config)
    raise typer.Exit(report(data, settings, out, days, typer.echo, jobs))


@app.command()
def preview(
    context: typer.Context,
    home: HomeOption = None,
    config: ConfigOption = None,
    price: Annotated[
        float | None, typer.Option(min=0.01, help="Of the market, each pair in its own.")
    ] = None,
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
    from icryptotrader.tax.room import known_desk
    from sim.engine.instruments import LISTINGS

    settings = load(home_of(context, home), config)
    at = Decimal(str(price)) if price is not None else settings.demo.start_price
    demo = settings.demo
    rates = (
        (float(demo.maker_pct) if maker is None else maker) / 100,
        (float(demo.taker_pct) if taker is None else taker) / 100,
    )
    known = money is not None and coins is not None
    ledger = known_desk(home_of(context, home), settings)
    weights = {pair.symbol: Decimal(str(pair.weight)) for pair in settings.pairs}
    for place, symbol in enumerate(settings.symbols):
        part = weights.get(symbol, Decimal(1))
        account = (Decimal(str(money)) * part, Decimal(str(coins)) * part) if known else None
        if weights:
            typer.echo(("\n" if place else "") + f"{symbol}: {part:.0%} of the account")
        typer.echo(page(settings, LISTINGS[symbol].pair, at, rates, account, ledger))


AgainstOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE|rates",
        help="Also on the other of BTC/EUR and BTC/USD: its data, or these by the --rates.",
    ),
]


MoreArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="More files, as a shell writes out a pattern."),
]


@app.command()
def backtest(
    context: typer.Context,
    more: MoreArgument = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Trades or bars, also packed; one or several."),
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
    against: AgainstOption = None,
    home: HomeOption = None,
) -> None:
    """Would it have worked? History through the bot that trades, after fees and tax.

    Ctrl-C ends it and tells what was played so far. Exit code 0, 1 where the report cannot be
    written, 2 for data that cannot be used, 130 after Ctrl-C. What is assumed, and which way it
    errs, stands in docs/backtest.md.
    """
    from icryptotrader.backtest.command import Options
    from icryptotrader.backtest.command import backtest as run_it

    if bool(data) == (prices is not None) or (more and not data):
        refuse(["--data FILE, or --prices FILE: one of the two"], 2)
    options = Options(
        (*(data or [prices or Path()]), *(more or [])),
        prices is not None,
        config,
        *(pair, begin, end, fill, latency, fees, ahead, tax_rate, rates, out),
        tuple(against or ()),
    )
    raise typer.Exit(run_it(options, home_of(context, home), typer.echo))


@app.command()
def sweep(
    context: typer.Context,
    space: Annotated[
        Path, typer.Option(metavar="FILE", help="Which settings may take which values; TOML.")
    ],
    data: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Bars or trades; one or several.")
    ],
    more: MoreArgument = None,
    trials: Annotated[int, typer.Option(min=1, help="For each fold.")] = 32,
    folds: Annotated[int, typer.Option(min=1, max=50, help="Steps of the walk forward.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Run on a Dask cluster: tcp://HOST:PORT.")
    ] = "",
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
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="All folds: JSON, and FILE.html beside it.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Search settings, walked forward: in sample against out of sample, after tax.

    Each fold searches on the past and is judged once on what comes after. Interrupted with
    --storage, it goes on where it stood. Needs Optuna.
    """
    from icryptotrader.backtest.command import Options
    from icryptotrader.sweep.command import sweep as run_it

    options = Options(
        (*data, *(more or [])), False,
        *(config, pair, None, None, fill, latency, fees, "0.5", tax_rate, rates),
    )  # fmt: skip
    raise typer.Exit(
        run_it(
            options, space, (trials, folds, jobs, seed), storage, dask, out, home_of(context, home),
            typer.echo,
        )
    )  # fmt: skip


@app.command()
def parity(
    context: typer.Context,
    capture: Annotated[
        Path, typer.Option(metavar="FILE", help="What the feed heard (record -o FILE).")
    ],
    journal: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="The same time's journals, in order; one or several."),
    ],
    more: MoreArgument = None,
    home: HomeOption = None,
) -> None:
    """Would a backtest have seen it? Real orders through the queue model, beside what happened.

    The time that both cover is compared. Fits the queue, tells what the simulation missed and what
    it made up, and leaves the figure sim_fidelity in the home's data folder.
    """
    from icryptotrader.parity import parity as compare

    journals = [*journal, *(more or [])]
    raise typer.Exit(compare(capture, journals, home_of(context, home), typer.echo))
