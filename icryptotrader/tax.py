"""`icryptotrader tax`: golden cases, rates, the year so far, the report and its check.

Rule: a subcommand imports what it needs when it runs, as in cli.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from icryptotrader.tax_cases import check_cases as check

    raise typer.Exit(check(file, rates, typer.echo))
