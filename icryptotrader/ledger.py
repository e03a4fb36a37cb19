"""`icryptotrader ledger`: the past into the ledger, the ledger out of it, copies and checks.

Rule: what writes takes the strategy's lock; what reads needs no running strategy and no stop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from shared.config import Home, find_home

app = typer.Typer(help="The tax book: import, export, copies, checks.", no_args_is_help=True)

HomeOption = Annotated[
    str | None, typer.Option("--home", metavar="DIR", help="Folder of this installation's state.")
]


@app.command("import")
def bring_in(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Kraken's ledgers.csv and trades.csv, what --rest has kept, a table of manual "
            "lots, or with --json one document that `ledger export` wrote."
        ),
    ] = None,
    home: HomeOption = None,
    rest: Annotated[
        bool, typer.Option("--rest", help="Ask the account's exchange for its whole past.")
    ] = False,
    tier: Annotated[
        Literal["starter", "intermediate", "pro"],
        typer.Option(help="The account's verification level: how fast --rest may ask."),
    ] = "intermediate",
    apply: Annotated[bool, typer.Option("--apply", help="Write; else only say.")] = False,
    why: Annotated[str, typer.Option(help="A reason for the record.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Restore a whole ledger.")] = False,
) -> None:
    """Read the past in: first a dry run, then the same with --apply. Twice is once.

    Everything of one call is written together or not at all. Exit code 1 where it is refused.
    """
    place = home_of(context, home)
    named = files or []
    if json:
        raise typer.Exit(_restore(place, named))
    from icryptotrader.ledger_import import import_history

    fetched = _fetched(place, tier) if rest else []
    if not (named or fetched):
        raise typer.BadParameter("name a file, or say --rest")
    code = import_history(place, [*named, *fetched], apply=apply, tell=typer.echo, why=why)
    if fetched and (code or not apply):
        kept = " ".join(str(path) for path in fetched)
        typer.echo(f"to write what was fetched: icryptotrader ledger import --apply {kept}")
    raise typer.Exit(code)


@app.command()
def export(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Where to; without it, to standard output.")
    ] = None,
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="As a document (the only form).")] = True,
) -> None:
    """Write the whole ledger as one JSON document; a file appears only when it is complete."""
    from icryptotrader.files import write_whole
    from strategy.ledger.document import dump
    from strategy.ledger.records import LedgerError

    assert json, "the flag can only be set"
    try:
        data = dump(_ledger(home_of(context, home)))
        if file is not None:
            write_whole(file, data)
    except (LedgerError, OSError) as error:
        _refuse(str(error))
    typer.echo(data.decode().rstrip("\n") if file is None else f"{file}: {len(data):,} bytes")


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[
        Path | None,
        typer.Argument(help="A file that is not there yet. Default: the home's backups/."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write a complete, verified copy beside a running strategy.

    `icryptotrader run` does so each hour; backups/ is thinned out (docs/operations.md).
    """
    if target is None:
        from icryptotrader.backup import BackupError, take

        try:
            target = take(home_of(context, home))
        except BackupError as error:
            _refuse(str(error))
        typer.echo(f"{target}: sound")
        return
    from strategy.ledger.evidence import check
    from strategy.ledger.records import LedgerError
    from strategy.ledger.records import backup as copy

    try:
        head = copy(_ledger(home_of(context, home)), target)
        found = check(target)
    except (LedgerError, OSError) as error:
        _refuse(str(error))
    if found:
        target.unlink()
        _refuse(f"the copy would not be sound: {found[0]}")
    typer.echo(f"{target}: sound, fills {head[:16]}")


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A backup, or `latest`.")],
    home: HomeOption = None,
) -> None:
    """Put a backup in the place of the ledger; the strategy must not run.

    Refused where the exchange's history cannot tell what it lacks. What it replaces is kept.
    """
    from icryptotrader.backup import BackupError
    from icryptotrader.backup import restore as put_back

    try:
        said = put_back(home_of(context, home), file)
    except BackupError as error:
        _refuse(str(error))
    typer.echo(said)


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Default: this home's ledger.")] = None,
    home: HomeOption = None,
) -> None:
    """Check pages, chains, lots, parts and raw files; say everything that is wrong.

    Exit code 1 if anything is.
    """
    from strategy.ledger.evidence import check
    from strategy.ledger.records import LedgerError

    try:
        found = check(file or _ledger(home_of(context, home)))
    except LedgerError as error:
        found = [str(error)]
    for fault in found:
        typer.echo(fault, err=True)
    if found:
        raise typer.Exit(1)
    typer.echo("The ledger is sound.")


def _fetched(home: Home, tier: str) -> list[Path]:
    from icryptotrader.ledger_fetch import FetchError, fetch
    from shared.config import load
    from strategy.ledger.kraken_csv import CsvError

    try:
        return fetch(home, load(home), tier, typer.echo)
    except (FetchError, CsvError, OSError) as error:
        _refuse(f"nothing was read in: {error}")


def home_of(context: typer.Context, given: str | None) -> Home:
    """--home after the command, else before it, else the default."""
    said = context.find_root().obj
    return find_home(given or (said if isinstance(said, str) else None))


def _ledger(home: Home) -> Path:
    from icryptotrader.lots import LEDGER

    return home.data / LEDGER


def _restore(home: Home, files: list[Path]) -> int:
    from icryptotrader.ledger_import import STRATEGY_LOCK
    from shared.process import LockHeld, lock
    from strategy.ledger.document import restore
    from strategy.ledger.records import LedgerError

    if len(files) != 1:
        _refuse("name one document")
    home.make()
    try:
        held = lock(home.run / STRATEGY_LOCK)
    except LockHeld:
        _refuse("the strategy runs: stop it first, then try again")
    try:
        head = restore(files[0].read_bytes(), _ledger(home))
    except (LedgerError, OSError) as error:
        _refuse(str(error))
    finally:
        held.release()
    typer.echo(f"The ledger was restored, fills {head[:16]}.")
    return 0


def _refuse(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)
