"""`icryptotrader lots`: the open lots, their ages, and when each comes free; needs no strategy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import typer
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from icryptotrader import housetime
from icryptotrader.files import write_whole
from shared.clock import machine_wall
from shared.config import Home, load
from shared.units import SECOND, Ns, plain
from strategy.core.memory import OUTGOING_FACT
from strategy.core.outgoing import Outgoing
from strategy.core.taxdesk import PER_SAT, settings_of
from strategy.core.taxview import Facts, facts
from strategy.ledger.book import BookError, keep
from strategy.ledger.desk import INFINITE, Desk
from strategy.ledger.events import KRAKEN, euros, quantity_of, units_of
from strategy.ledger.evidence import Evidence, read_evidence, remembered
from strategy.ledger.lots import Lots
from strategy.ledger.parts import day_of
from strategy.ledger.records import LedgerError
from strategy.ledger.tax import free_from_wall
from strategy.ledger.trade import SATS_DECIMALS, trade_of

LEDGER: Final = "ledger.sqlite"
COLUMNS: Final = ("acquired", "left", "qty", "cost", "currency", "age_days", "free_from", "exec_id")
WIDEST: Final = 140
BAR: Final = 40
"""Characters of the longest bar of the histogram."""


class View(Struct, frozen=True):
    """One open lot. cost: of all of `qty`, in `currency`; cost_eur: of `left`, None if no rate."""

    exec_id: str
    wall: Ns
    qty: Decimal
    left: Decimal
    cost: Decimal
    currency: str
    cost_eur: Decimal | None


class Unlock(Struct, frozen=True):
    """What comes free on one German day."""

    day: date
    qty: Decimal


def show_lots(home: Home, *, json: bool, ics: Path | None = None) -> int:
    """Print them, oldest first; 0, or 1 where there is no ledger that can be read."""
    path = home.data / LEDGER
    if not path.exists():
        return _refuse(f"there is no ledger yet in {home.data}; start with: icryptotrader run")
    config = load(home)
    coin, wall = config.pair.partition("/")[0], house_wall(home)
    safety_days = config.tax.holding_safety_days
    try:
        evidence = read_evidence(path)
        lots = views(evidence, coin)
        desk = Desk(evidence.events(), evidence.known_rates(), settings_of(config))
        gone = gone_in(home, coin)
        year = facts(desk, config, wall, None, gone)
        if ics is not None:
            write_whole(ics, calendar(unlocks(lots, wall, safety_days), coin).encode())
    except (LedgerError, OSError) as error:
        return _refuse(str(error))
    total = sum((lot.left for lot in lots), Decimal(0))
    free = sum((lot.left for lot in lots if _is_free(lot, wall, safety_days)), Decimal(0))
    rows = [describe(lot, wall, safety_days) for lot in lots]
    coming = unlocks(lots, wall, safety_days)
    if json:
        answer = {
            "lots": rows,
            "total": _coins(total),
            "free": _coins(free),
            "leaving": _coins(quantity_of(gone)),
            "net": plain(year.net),
            "room": None if year.room is None else str(year.room),
            "notes": list(year.notes),
            "unlocks": [{"day": str(each.day), "qty": _coins(each.qty)} for each in coming],
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return 0
    _print(rows, coming)
    typer.echo(_why(lots, total, free, wall, safety_days))
    if gone:
        left = _coins(quantity_of(year.free))
        typer.echo(f"{_coins(quantity_of(gone))} of them are kept for withdrawals: {left} free")
    for line in _beyond(year):
        typer.echo(line)
    if ics is not None:
        typer.echo(f"{ics}: {len(coming)} days on which coins come free")
    return 0


def gone_in(home: Home, coin: str) -> int:
    """Units that leave or have left, of which the ledger does not know, as the bot knew last."""
    path = home.data / LEDGER
    outgoing = msgspec.json.decode(remembered(path, OUTGOING_FACT) or "{}", type=Outgoing)
    declared = int(remembered(path, f"external:{coin}") or 0)
    return (outgoing.kept() + max(0, -declared)) * PER_SAT


def views(evidence: Evidence, coin: str) -> list[View]:
    """The queue of the bot's account, first to be sold first, imported lots included."""
    try:
        book = keep(evidence.events(), evidence.known_rates(), track_currencies=False)
    except BookError:
        # Without a rate nothing has a cost in euros; what the bot bought is known all the same.
        return list(_by_fills(evidence, coin))
    return [
        View(
            lot.basis.id,
            lot.basis.wall,
            quantity_of(lot.basis.qty),
            quantity_of(lot.qty),
            lot.basis.money,
            lot.basis.currency,
            euros(lot.cost),
        )
        for lot in book.open_lots(KRAKEN, coin)
    ]


def _by_fills(evidence: Evidence, coin: str) -> Iterator[View]:
    trades = [trade_of(entry.fill) for entry in evidence.fills]
    queue = Lots.of(coin, (each for each in trades if each and each.pair.startswith(f"{coin}/")))
    for lot in queue.open_lots():
        qty, left = (Decimal(each).scaleb(-SATS_DECIMALS) for each in (lot.qty, lot.left))
        yield View(lot.exec_id, lot.wall, qty, left, lot.cost, lot.currency, None)


def describe(lot: View, wall: Ns, safety_days: int) -> dict[str, str]:
    """One lot in the same keys as `strategy-ctl lots --json`, and some more."""
    return {
        "acquired": _time(lot.wall),
        "left": _coins(lot.left),
        "qty": _coins(lot.qty),
        "cost": plain(lot.cost),
        "currency": lot.currency,
        "free_from": _time(free_from_wall(lot.wall, safety_days)),
        "exec_id": lot.exec_id,
        "cost_eur": "" if lot.cost_eur is None else plain(lot.cost_eur),
        "age_days": str((day_of(wall) - day_of(lot.wall)).days),
    }


def unlocks(lots: list[View], wall: Ns, safety_days: int) -> list[Unlock]:
    """What comes free on which day, earliest first; what is free already is left out."""
    found: dict[date, Decimal] = {}
    for lot in lots:
        if not _is_free(lot, wall, safety_days):
            day = day_of(free_from_wall(lot.wall, safety_days))
            found[day] = found.get(day, Decimal(0)) + lot.left
    return [Unlock(day, qty) for day, qty in sorted(found.items())]


def calendar(coming: list[Unlock], coin: str) -> str:
    """The days as an iCalendar file (RFC 5545); the same lots give the same file."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//iCryptoTrader//lots//EN"]
    for each in coming:
        after = each.day + timedelta(days=1)
        lines += [
            "BEGIN:VEVENT",
            f"UID:{each.day:%Y%m%d}-{coin.lower()}@icryptotrader",
            f"DTSTAMP:{each.day:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{each.day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{after:%Y%m%d}",
            f"SUMMARY:{_coins(each.qty)} {coin} free of tax (§ 23 EStG)",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def house_wall(home: Home) -> Ns:
    """The wall time of the house, which may be ahead of the machine's after a fast run."""
    last = housetime.load(home.data / "clock.toml")
    return Ns(max(machine_wall(), last.wall if last else 0))


def _print(rows: list[dict[str, str]], coming: list[Unlock]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in COLUMNS))
    console = Console(highlight=False)
    if console.width < WIDEST:
        # An id cut short is of no use: rather let a narrow terminal wrap.
        console = Console(highlight=False, width=WIDEST)
    console.print(table)
    for line in histogram(coming):
        console.print(line)


def histogram(coming: list[Unlock]) -> list[str]:
    """How much comes free in each month, as bars."""
    months: dict[str, Decimal] = {}
    for each in coming:
        month = f"{each.day:%Y-%m}"
        months[month] = months.get(month, Decimal(0)) + each.qty
    most = max(months.values(), default=Decimal(1))
    return [
        f"{month}  {'#' * max(1, int(qty * BAR / most)):{BAR}}  {_coins(qty)}"
        for month, qty in months.items()
    ]


def _why(lots: list[View], total: Decimal, free: Decimal, wall: Ns, safety_days: int) -> str:
    """What may be sold free of tax now, and what stands behind it in the queue."""
    said = f"total {_coins(total)}, free of tax now {_coins(free)}"
    locked = next((lot for lot in lots if not _is_free(lot, wall, safety_days)), None)
    if locked is None:
        return said
    day = day_of(free_from_wall(locked.wall, safety_days))
    return (
        f"{said}: then comes lot {locked.exec_id}, acquired {day_of(locked.wall)}, free from {day} "
        f"({(day - day_of(wall)).days} days, {safety_days} of them for safety)"
    )


def _beyond(year: Facts) -> list[str]:
    """What may be sold beyond the free coins, while no sell rests, and why."""
    if year.room is None or year.room <= 0:
        return [*year.notes, "beyond the free coins nothing is sold"]
    room = "any gain" if year.room == INFINITE else f"gains up to {year.room} EUR"
    told = f"beyond the free coins {room} may be made in {year.year} (net so far {year.net} EUR)"
    return [f"{told}; what rests already takes of it: strategy-ctl tax", *year.notes]


def _is_free(lot: View, wall: Ns, safety_days: int) -> bool:
    return wall >= free_from_wall(lot.wall, safety_days)


def _coins(quantity: Decimal) -> str:
    units = units_of(quantity)
    return plain(quantity_of(units))


def _time(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _refuse(text: str) -> int:
    typer.echo(text, err=True)
    return 1
