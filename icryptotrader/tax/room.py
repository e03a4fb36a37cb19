"""`icryptotrader tax room`: the year so far, what may still be sold, and what that would cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec import Struct

from icryptotrader.lots import LEDGER, house_wall
from shared.config import Config, Home
from shared.units import Ns, plain
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.events import UNITS_DECIMALS, quantity_of
from strategy.ledger.evidence import read_evidence
from strategy.ledger.plans import Pace, cliff, pace
from strategy.ledger.records import LedgerError
from strategy.ledger.room import near_threshold
from strategy.ledger.tax import berlin_day, utc_day
from strategy.ledger.year import reform_warning

EVERYTHING = 10**9 * 10**UNITS_DECIMALS
"""Units: more than any account holds."""

HORIZON_DAYS = 365


class Room(Struct, frozen=True):
    """Quantities of the coin, EUR, and sentences; everything as text, for people and programs."""

    year: int
    net: str
    room: str
    from_again: str
    free: str
    per_day: str
    next_unlock: str
    notes: tuple[str, ...]


def room_of(desk: Desk, config: Config, wall: Ns, price: Decimal) -> Room:
    """What the desk says at a moment. price: EUR a coin, 0 if not known."""
    tax, gate = config.tax, desk.gate(wall, EVERYTHING)
    year, rate = berlin_day(wall).year, Decimal(str(tax.marginal_rate))
    said = tax.of_year(year)
    net = gate.net + said.external_s23_net_eur
    edge = cliff(year, net, rate, said.loss_carryforward_eur, beyond=False)
    days = max(0, HORIZON_DAYS - tax.near_threshold_days)
    today, safety = utc_day(wall), tax.holding_safety_days
    guarded = near_threshold(gate.stock, today, price, days, safety, rate)
    spread: Pace = pace(gate.stock, today, HORIZON_DAYS, safety, 0)
    coming = gate.free.next_unlock
    notes = [edge.why]
    if gate.room is None:
        notes.append("a rate is missing: only free coins may be sold until it is read in")
    if guarded is not None:
        notes.append(f"{guarded.why}; waiting saves about {guarded.saves} EUR")
    if warning := reform_warning(berlin_day(wall), enacted=tax.reform_enacted):
        notes.append(warning)
    return Room(
        year=year,
        net=plain(net),
        room="" if gate.room is None else plain(gate.room),
        from_again=plain(edge.from_again),
        free=plain(quantity_of(gate.free.qty)),
        per_day=plain(quantity_of(spread.per_day)),
        next_unlock=f"{coming.day} {plain(quantity_of(coming.qty))} ({coming.lot})"
        if coming
        else "",
        notes=tuple(notes),
    )


def show_room(
    home: Home, config: Config, price: Decimal, *, json: bool, tell: Callable[[str], None]
) -> int:
    """Print it; 0, or 1 where there is no ledger that can be read."""
    try:
        evidence = read_evidence(home.data / LEDGER)
    except LedgerError as error:
        tell(str(error))
        return 1
    tax, wall = config.tax, house_wall(home)
    settings = DeskSettings(
        coin=config.pair.partition("/")[0],
        safety_days=tax.holding_safety_days,
        own_limit=tax.annual_exemption_eur,
        external=tax.of_year(berlin_day(wall).year).external_s23_net_eur,
        buffer=Decimal(0),
        track_currencies=tax.usd_leg != "off",
    )
    desk = Desk(evidence.events(), evidence.known_rates(), settings)
    room = room_of(desk, config, wall, price)
    if json:
        tell(msgspec.json.format(msgspec.json.encode(room), indent=2).decode())
        return 0
    for name, value in msgspec.structs.asdict(room).items():
        if name != "notes":
            tell(f"{name.replace('_', ' '):12} {value}")
    for note in room.notes:
        tell(note)
    return 0
