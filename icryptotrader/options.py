"""Options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from shared.config import Home, find_home

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


def home_of(context: typer.Context, given: str | None) -> Home:
    """--home after the command, else before it, else the default."""
    said: Any = context.find_root().obj
    return find_home(given or said)


def refuse(faults: list[str], code: int) -> NoReturn:
    for fault in faults:
        typer.echo(fault, err=True)
    sys.exit(code)
