"""`icryptotrader tax`: golden cases, rates, the year so far, the report and its check.

Rule: a subcommand imports what it needs when it runs, as in cli.py.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal

import typer

from icryptotrader.ledger import HomeOption, home_of

app = typer.Typer(help="German tax: reports, evidence, rates, golden cases.", no_args_is_help=True)

RatesOption = Annotated[
    Path | None,
    typer.Option("--rates", metavar="FILE", help="A file of ECB rates: zip, csv, xml or SDMX csv."),
]


@app.command("check-cases")
def check_cases(
    file: Annotated[Path, typer.Argument(help="A file of golden cases (JSON).")],
    rates: RatesOption = None,
) -> None:
    """Run golden cases through the engine and print pass, or the differences, for each.

    Exit code 1 on any difference, 2 if the file cannot be read.
    """
    from icryptotrader.tax.cases import check_cases as check

    raise typer.Exit(check(file, rates, typer.echo))


YearOption = Annotated[
    list[str] | None,
    typer.Option(metavar="YEAR=EUR", help="Other results under § 23 of a year; may be repeated."),
]
CarriedOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="YEAR=EUR",
        help="Carried loss the tax office has stated for the beginning of a year.",
    ),
]
FormatOption = Annotated[
    Literal["text", "csv", "cointracking", "json", "pdf"],
    typer.Option("--format", help="csv is the schedule; cointracking is what WISO reads."),
]


@app.command()
def report(
    context: typer.Context,
    year: Annotated[int, typer.Argument(min=2009, max=2199, help="The tax year.")],
    home: HomeOption = None,
    form: FormatOption = "text",
    lang: Annotated[Literal["de", "en"], typer.Option("--lang")] = "de",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE")] = None,
    pack: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write all forms and the evidence.")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Refuse while the year runs or a rate is provisional.")
    ] = False,
    external: YearOption = None,
    carried: CarriedOption = None,
) -> None:
    """Values for that year's Anlage SO, the result with losses carried, and one row for each part.

    Exit code 1 where it cannot be made. Not tax advice.
    """
    from icryptotrader.tax.report import report as make
    from icryptotrader.tax.report import settings_of, write_pack
    from shared.config import load

    place = home_of(context, home)
    settings = settings_of(load(place), year, _by_year(external), _by_year(carried))
    if pack is not None:
        raise typer.Exit(write_pack(place, settings, year, pack, typer.echo))
    raise typer.Exit(make(place, settings, year, form, lang, output, final=final, tell=typer.echo))


@app.command("verify-report")
def verify_report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `--pack` wrote.")],
) -> None:
    """Make a pack's files again from its evidence and compare every byte.

    Exit code 1 on any difference.
    """
    from icryptotrader.tax.report import verify_pack

    raise typer.Exit(verify_pack(folder, typer.echo))


@app.command("year-end")
def year_end(context: typer.Context, home: HomeOption = None) -> None:
    """Make or renew the pack of the year that has ended, in the home's reports/.

    `icryptotrader run` does so at the turn of the German year and while the pack is a draft.
    """
    from icryptotrader.tax.yearend import year_end as make
    from shared.config import load

    place = home_of(context, home)
    raise typer.Exit(make(place, load(place), typer.echo))


@app.command("rates")
def read_rates(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="ECB rates: zip, csv, xml or SDMX csv.")
    ] = None,
    home: HomeOption = None,
    seed: Annotated[
        bool, typer.Option("--seed", help="Read in the history this program was installed with.")
    ] = False,
) -> None:
    """Say which of the ECB's reference rates are known, or read a file of them in and keep it.

    A running house fetches them by itself (tax.rates_fetch). Exit code 1 where it is refused.
    """
    from icryptotrader.tax.rates import import_file, import_rates, packaged, show_rates

    place = home_of(context, home)
    if seed and file is not None:
        raise typer.BadParameter("name a file, or say --seed")
    if seed:
        raise typer.Exit(import_rates(place, *packaged(), typer.echo))
    if file is not None:
        raise typer.Exit(import_file(place, file, typer.echo))
    raise typer.Exit(show_rates(place, typer.echo))


@app.command()
def room(
    context: typer.Context,
    home: HomeOption = None,
    price: Annotated[
        str, typer.Option(metavar="EUR", help="Of a coin today, to judge what is nearly free.")
    ] = "0",
    json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """The year so far, the room left below the limit, and what may be sold free of tax.

    Needs no running strategy.
    """
    from icryptotrader.tax.room import show_room
    from shared.config import load

    place = home_of(context, home)
    told = _by_year([f"0={price}"])[0]
    raise typer.Exit(show_room(place, load(place), told, json=json, tell=typer.echo))


def _by_year(told: list[str] | None) -> dict[int, Decimal]:
    """{2025: 300.00} of ["2025=300.00"]; a usage error where it is neither."""
    found = {}
    for text in told or []:
        year, _, amount = text.partition("=")
        try:
            found[int(year)] = Decimal(amount)
        except (ValueError, InvalidOperation):
            raise typer.BadParameter(f"{text!r} is not YEAR=EUR, such as 2025=300.00") from None
        if not found[int(year)].is_finite():
            raise typer.BadParameter(f"{text!r} is not an amount")
    return found
