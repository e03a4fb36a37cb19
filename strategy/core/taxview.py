"""The lots and the tax year as people are shown them: bounded, however many lots there are.

Money is in EUR, each leg at the rate of its own day, as in the report of the year (docs/tax.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from shared.config import Config
from shared.units import SECOND, Ns, cents, fixed_text, plain
from strategy.core import withdrawals
from strategy.core.memory import Memory
from strategy.core.taxdesk import PER_SAT
from strategy.core.taxgate import look, mid_eur, paced, pending, sells
from strategy.ledger.desk import INFINITE, Desk
from strategy.ledger.events import euros, quantity_of
from strategy.ledger.parts import Days, OpenLot, day_of
from strategy.ledger.plans import cliff
from strategy.ledger.room import Stock, Unlock, near_threshold, worst_gain
from strategy.ledger.tax import anniversary, berlin_day, first_free_day, free_from_wall
from strategy.ledger.year import ZERO, reform_warning, rules_of, settle

COIN_DECIMALS: Final = 8
LOTS_SHOWN: Final = 60
UNLOCKS_SHOWN: Final = 60
AGES: Final = ((30, "0-29"), (90, "30-89"), (180, "90-179"), (330, "180-329"), (10**6, "330+"))
"""Days of age up to which a lot falls into the bar of this name."""


class Facts(Struct, frozen=True):
    """The year so far. Money in EUR, coins in Units.

    net: with the external results; room: what may still be gained before resting sells, None while
    a rate is missing; taxed: of the net, after the Freigrenze and carried losses; tax: on it, at
    the marginal rate; from_again: the net from which going beyond the limit pays.
    """

    year: int
    limit: Decimal
    net: Decimal
    external: Decimal
    carried: Decimal
    room: Decimal | None
    taxed: Decimal
    tax: Decimal
    from_again: Decimal
    free: int
    total: int
    next_unlock: Unlock | None
    notes: tuple[str, ...]


def facts(desk: Desk, config: Config, wall: Ns, price: Decimal | None, gone: int = 0) -> Facts:
    """What holds at a moment. price: EUR a coin, if known; gone: Units that have left unheard."""
    tax, today = config.tax, berlin_day(wall)
    said, rate = tax.of_year(today.year), Decimal(str(tax.marginal_rate))
    gate = desk.gate(wall, 1, gone)
    net = gate.net + said.external_s23_net_eur
    carried = said.loss_carryforward_eur
    waived = frozenset((today.year,)) if said.waive_carryback else frozenset[int]()
    result = settle({today.year: net}, {today.year: carried}, waived)[today.year]
    edge = cliff(today.year, net, rate, carried, beyond=tax.beyond_limit)
    notes = [edge.why, *_about_next(gate.locked, today, price, config)]
    if gate.room is None:
        notes.append("a rate is missing: only free coins are sold until it is known")
    if result.forward_out > carried:
        notes.append(_loss_goes(result.forward_out - carried, waived=bool(waived)))
    if warning := reform_warning(today, enacted=tax.reform_enacted):
        notes.append(warning)
    return Facts(
        year=today.year,
        limit=min(rules_of(today.year).freigrenze, tax.annual_exemption_eur),
        net=net,
        external=said.external_s23_net_eur,
        carried=carried,
        room=gate.room,
        taxed=result.taxable,
        tax=cents(result.taxable * rate),
        from_again=edge.from_again,
        free=gate.free,
        total=desk.total(),
        next_unlock=gate.next_unlock,
        notes=tuple(notes),
    )


def _about_next(
    locked: Sequence[Stock], today: date, price: Decimal | None, config: Config
) -> list[str]:
    """About the first locked lot: waiting for it pays, or its loss soon counts no more."""
    if price is None or not locked:
        return []
    tax, lot = config.tax, locked[0]
    days = max(0, 365 - tax.near_threshold_days)
    rate = Decimal(str(tax.marginal_rate))
    kept = near_threshold([lot], today, price, days, tax.holding_safety_days, rate)
    if kept is not None:
        return [f"{kept.why}; waiting saves about {kept.saves} EUR"]
    last = anniversary(lot.acquired)
    loss = cents(lot.cost - price * quantity_of(lot.qty))
    if loss > 0 and 0 <= (last - today).days <= days:
        return [
            f"lot {lot.lot} stands at a loss of about {loss} EUR, which counts only until {last}: "
            "sell it by then if the loss is of use"
        ]
    return []


def _loss_goes(loss: Decimal, *, waived: bool) -> str:
    back = "the carry-back is waived, so all of it goes" if waived else "first into the year before"
    return f"the year stands at a loss of {loss} EUR: {back}, then forward (declare it)"


def tax_data(memory: Memory) -> dict[str, Any]:
    """The answer to `tax`: lots by age, unlock calendar, the year, what is at risk, and why."""
    desk, config, today = memory.desk, memory.config, berlin_day(memory.wall)
    found = facts(desk, config, memory.wall, mid_eur(memory), pending(memory))
    so_far, days = desk.year(found.year), desk.days()
    resting = sells(memory, memory.all_slots())
    reserved = sum(order.qty for order in resting)
    worst = worst_gain(resting, desk.front(reserved + pending(memory)), found.free) or ZERO
    gain, spending = so_far.coins + so_far.free, look(memory).spending
    taxes, left = memory.taxes, paced(memory)
    return {
        "currency": "EUR",
        "year": found.year,
        "gain": plain(gain),
        "gain_free": plain(so_far.free),
        "gain_taxable": plain(so_far.coins),
        "gain_money": plain(so_far.money),
        "net": plain(found.net),
        "external": plain(found.external),
        "carried_loss": plain(found.carried),
        "freigrenze": plain(found.limit),
        "room": None if found.room is None else _room(found.room),
        "room_after_resting": None if found.room is None else _room(found.room - worst - spending),
        "worst_spending": plain(spending),
        "worst_resting": plain(worst),
        "taxed": plain(found.taxed),
        "tax": plain(found.tax),
        "gain_after_tax": plain(cents(gain - found.tax)),
        "beyond_pays_from": plain(found.from_again),
        "gain_all_years": plain(
            cents(sum((y.coins + y.free for y in desk.years().values()), ZERO))
        ),
        "lots": sum(each.lots for each in days),
        "cost": plain(desk.cost()),
        "total": _coins(found.total),
        "free": _coins(found.free),
        "leaving": _coins(pending(memory)),
        "withdrawals": withdrawals.shown(memory),
        "resting_sells": _coins(reserved),
        "taxable_at_risk": _coins(max(0, reserved - found.free)),
        "pace_per_day": None if taxes.per_day is None else _coins(taxes.per_day),
        "pace_left": None if left is None else fixed_text(left, COIN_DECIMALS),
        "days_until_locked": taxes.lasts,
        "notes": [*found.notes, *withdrawals.notes(memory), *_harvest_note(memory)],
        "ages": ages(days, today),
        "unlocks": unlocks(days, config.tax.holding_safety_days, today),
        "oldest": [
            _row(lot, config.tax.holding_safety_days, memory.wall)
            for lot in desk.oldest(LOTS_SHOWN)
        ],
    }


def room_of(memory: Memory) -> str:
    """EUR that may still be gained before anything is taxed, nothing resting."""
    room = look(memory).room
    return "none" if room is None else _room(room)


def in_short(memory: Memory) -> str:
    """The year and what may be sold, in a line, for the status."""
    gate, resting = look(memory), sells(memory, memory.all_slots())
    beyond = max(0, sum(order.qty for order in resting) - gate.free)
    year = berlin_day(memory.wall).year
    said = f"{year}: net {gate.net} EUR, room {room_of(memory)}"
    said += f", free {_coins(gate.free)} {memory.coin}"
    if gone := pending(memory):
        said += f", {_coins(gone)} kept for withdrawals"
    if beyond:
        said += f", {_coins(beyond)} of the resting sells would be taxable"
    if memory.taxes.lasts is not None:
        said += f", locked in {memory.taxes.lasts} days at what was sold of late"
    return said


def _harvest_note(memory: Memory) -> list[str]:
    found = memory.taxes.harvest
    return [] if found is None else [f"harvest: {found.why}"]


def _room(room: Decimal) -> str:
    return "unbounded" if room == INFINITE else plain(max(ZERO, room))


def _coins(units: int) -> str:
    return fixed_text(units // PER_SAT, COIN_DECIMALS)


def ages(days: Sequence[Days], today: date) -> list[tuple[str, int, str]]:
    """Days of age, number of lots, coins."""
    sums = {name: [0, 0] for _, name in AGES}
    for each in days:
        name = next(name for most, name in AGES if (today - each.day).days < most)
        sums[name][0] += each.lots
        sums[name][1] += each.qty
    return [(name, n, _coins(coins)) for name, (n, coins) in sums.items()]


def unlocks(days: Sequence[Days], safety: int, today: date) -> list[tuple[str, str]]:
    """Day from which coins are free, and how many; the next days first, what is free left out."""
    found: dict[date, int] = {}
    for each in days:
        # 28 and 29 February come free together.
        day = first_free_day(each.day) + timedelta(days=safety)
        if day > today:
            found[day] = found.get(day, 0) + each.qty
        if len(found) > UNLOCKS_SHOWN:
            break  # Lots are in order of time, so are their days.
    return [(day.isoformat(), _coins(coins)) for day, coins in found.items()][:UNLOCKS_SHOWN]


def _row(lot: OpenLot, safety: int, now_wall: int) -> dict[str, Any]:
    free_from = free_from_wall(lot.basis.wall, safety)
    days = timedelta(seconds=max(0, free_from - now_wall) // SECOND).days
    return {
        "acquired": day_of(lot.basis.wall).isoformat(),
        "left": _coins(lot.qty),
        "cost": plain(euros(lot.cost)),
        "currency": "EUR",
        "free_from": berlin_day(free_from).isoformat(),
        "days_to_go": days,
        "free": free_from <= now_wall,
    }
