"""`icryptotrader caps` and `icryptotrader drill`: what an operator does for safety's sake."""

from __future__ import annotations

from typing import Annotated

import typer

from icryptotrader.ledger import HomeOption, home_of


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

    place = home_of(context, home)
    if accept is None:
        code, lines = show_caps(place)
    elif accept == "accept" and reason:
        code, lines = accept_caps(place, reason)
    else:
        code, lines = 2, ["caps: say nothing more, or: accept REASON"]
    for line in lines:
        typer.echo(line, err=code != 0)
    raise typer.Exit(code)


def drill(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="feed-loss, switch, kill or restore.")],
    home: HomeOption = None,
) -> None:
    """Run an operator's drill against the paper house that runs in this home.

    Each step is told as passed or failed. Exit code 1 if one failed, 2 for an unknown drill.
    """
    from icryptotrader.drill import DRILLS
    from icryptotrader.drill import drill as run_drill

    if name not in DRILLS:
        typer.echo(f"no drill {name!r}: {', '.join(DRILLS)}", err=True)
        raise typer.Exit(2)
    raise typer.Exit(run_drill(home_of(context, home), name, typer.echo))
