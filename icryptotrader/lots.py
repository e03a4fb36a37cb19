"""`icryptotrader lots`: the open lots as the ledger's file has them; needs no running strategy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from icryptotrader import housetime
from shared.clock import machine_wall
from shared.config import Home, load
from shared.units import SECOND, Ns, Sats, fixed_text
from strategy.ledger.lots import Lot, Lots
from strategy.ledger.records import LedgerError, open_readonly
from strategy.ledger.tax import free_from_wall

LEDGER: Final = "ledger.sqlite"
BTC_DECIMALS: Final = 8
COLUMNS: Final = ("acquired", "left", "qty", "cost", "currency", "free_from", "exec_id")


def show_lots(home: Home, *, json: bool) -> int:
    """Print them, oldest first; 0, or 1 where there is no ledger that can be read."""
    path = home.data / LEDGER
    if not path.exists():
        return _refuse(f"there is no ledger yet in {home.data}; start with: icryptotrader run")
    try:
        lots = open_readonly(path).lots
    except LedgerError as error:
        return _refuse(str(error))
    safety_days = load(home).tax.holding_safety_days
    rows = [describe(lot, safety_days) for lot in lots.open_lots()]
    total, free = _quantities(lots, house_wall(home), safety_days)
    if json:
        answer = {"lots": rows, "total": total, "free": free}
        typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in COLUMNS))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"total {total}, free of tax now {free}")
    return 0


def describe(lot: Lot, safety_days: int) -> dict[str, str]:
    """One lot in the same keys as `strategy-ctl lots --json`."""
    return {
        "acquired": _time(lot.wall),
        "left": _btc(lot.left),
        "qty": _btc(lot.qty),
        "cost": f"{lot.cost:f}",
        "currency": lot.currency,
        "free_from": _time(free_from_wall(lot.wall, safety_days)),
        "exec_id": lot.exec_id,
    }


def house_wall(home: Home) -> Ns:
    """The wall time of the house, which may be ahead of the machine's after a fast run."""
    last = housetime.load(home.data / "clock.toml")
    return Ns(max(machine_wall(), last.wall if last else 0))


def _quantities(lots: Lots, wall: Ns, safety_days: int) -> tuple[str, str]:
    return _btc(lots.total()), _btc(lots.free_prefix(wall, safety_days))


def _btc(qty: Sats) -> str:
    return fixed_text(qty, BTC_DECIMALS)


def _time(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _refuse(text: str) -> int:
    typer.echo(text, err=True)
    return 1
