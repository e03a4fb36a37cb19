"""`icryptotrader tax room`: the year so far, what may still be sold, and what that would cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from icryptotrader.lots import LEDGER, gone_in, house_wall
from shared.config import Config, Home
from shared.units import Ns, plain
from strategy.core.taxdesk import settings_of
from strategy.core.taxview import facts
from strategy.ledger.desk import INFINITE, Desk
from strategy.ledger.events import quantity_of
from strategy.ledger.evidence import Evidence, read_evidence
from strategy.ledger.plans import pace
from strategy.ledger.records import LedgerError
from strategy.ledger.tax import berlin_day

HORIZON_DAYS: Final = 365
LATELY_DAYS: Final = 14


class Room(Struct, frozen=True):
    """Quantities of the coin, EUR, and sentences; everything as text, for people and programs."""

    year: int
    net: str
    room: str
    taxed: str
    tax: str
    from_again: str
    free: str
    leaving: str
    per_day: str
    days_until_locked: str
    next_unlock: str
    notes: tuple[str, ...]


def desk_in(evidence: Evidence, config: Config) -> Desk:
    """The desk that the strategy would have with this ledger."""
    return Desk(evidence.events(), evidence.known_rates(), settings_of(config))


def known_desk(home: Home, config: Config) -> tuple[Desk, Ns] | None:
    """The desk and the moment, where this home has a ledger that can be read."""
    try:
        evidence = read_evidence(home.data / LEDGER)
    except LedgerError:
        return None
    return desk_in(evidence, config), house_wall(home)


def room_of(desk: Desk, config: Config, wall: Ns, price: Decimal, gone: int = 0) -> Room:
    """What the desk says at a moment, no sell resting. price: EUR a coin, 0 if not known.

    gone: Units that are kept for withdrawals.
    """
    found, tax = facts(desk, config, wall, price or None, gone), config.tax
    today, safety, stock = berlin_day(wall), tax.holding_safety_days, desk.queue()
    lately = desk.sold(today, LATELY_DAYS) // LATELY_DAYS
    lasts = pace(stock, today, HORIZON_DAYS, safety, lately, desk.sold(today)).days_left
    days = tax.pace_days or HORIZON_DAYS
    coming = found.next_unlock
    room = "" if found.room is None else plain(found.room)
    return Room(
        year=found.year,
        net=plain(found.net),
        room="unbounded" if found.room == INFINITE else room,
        taxed=plain(found.taxed),
        tax=plain(found.tax),
        from_again=plain(found.from_again),
        free=plain(quantity_of(found.free)),
        leaving=plain(quantity_of(gone)),
        per_day=plain(quantity_of(pace(stock, today, days, safety, 0, desk.sold(today)).per_day)),
        days_until_locked="" if lasts is None else str(lasts),
        next_unlock=f"{coming.day} {plain(quantity_of(coming.qty))} ({coming.lot})"
        if coming
        else "",
        notes=found.notes,
    )


def show_room(
    home: Home, config: Config, price: Decimal, *, json: bool, tell: Callable[[str], None]
) -> int:
    """Print it; 0, or 1 where there is no ledger that can be read."""
    try:
        evidence = read_evidence(home.data / LEDGER)
        gone = gone_in(home, config.pair.partition("/")[0])
    except LedgerError as error:
        tell(str(error))
        return 1
    room = room_of(desk_in(evidence, config), config, house_wall(home), price, gone)
    if json:
        tell(msgspec.json.format(msgspec.json.encode(room), indent=2).decode())
        return 0
    for name, value in msgspec.structs.asdict(room).items():
        if name != "notes":
            tell(f"{name.replace('_', ' '):18} {value}")
    for note in room.notes:
        tell(note)
    return 0
