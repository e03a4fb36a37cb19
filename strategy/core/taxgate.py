"""Stage 7, withhold: what may be sold free of tax, and within the room of the year (§ 23 EStG).

A sale takes the oldest coins first (FIFO per account and coin), so what may be sold is the free
*front* of the queue: a free lot behind a locked one cannot be reached. Beyond the front a set of
sells may rest only if its worst course, however it fills, stays below the Freigrenze.
Rule 1: a lot that is nearly free, and at a gain, is not sold for the sake of a rung.
Rule 2: the pace caps what is sold a day, so that the free coins last.
Rule 3: only an emergency may break this, from tax.emergency_dd_override_pct on, and is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import Sats, Side, fixed_text
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.plan import Laid, Plan
from strategy.core.risk import Pause
from strategy.core.slots import Slot, Wish
from strategy.core.taxdesk import PER_SAT, Taxes
from strategy.ledger.desk import INFINITE, Gate
from strategy.ledger.events import UNITS_DECIMALS, Units
from strategy.ledger.plans import pace
from strategy.ledger.rates import CURRENCIES, EURO
from strategy.ledger.room import Guarded, Resting, near_threshold
from strategy.ledger.tax import berlin_date, berlin_day

LATELY_DAYS: Final = 14
"""Over how many days what was sold says how long the free coins last."""

NO_FREE: Final = "tax: no free coins at the front of the queue"
BEYOND_ROOM: Final = "tax: beyond the free coins its gain might pass the room of the year"
_YEAR: Final = 365
_COIN: Final = 10**8
_MONEY_STEP: Final = 50 * 10**UNITS_DECIMALS
"""50 dollars: what may be spent changes in such steps."""

_STEP: Final = 5 * 10**6 * PER_SAT
"""0.05 coins: how far one looks into the queue changes in such steps."""


class Leave(Struct, frozen=True):
    """What the tax allows to sell now. left: Sats of `a_day` by the pace, None for no cap."""

    gate: Gate
    left: Sats | None
    a_day: int
    locked: bool


def leave(memory: Memory, pair: PairMemory) -> Leave:
    """What the tax allows this pair at this moment, whatever is planned."""
    spec = pair.tape.pair
    assert spec is not None
    gate, a_day = look(memory), (memory.taxes.per_day or 0) // PER_SAT
    few = gate.free // PER_SAT < spec.qty_min
    return Leave(gate, paced(memory), a_day, few and is_locked(memory, spec.qty_min))


def withhold(plan: Plan, leave: Leave) -> Plan:
    """The plan with sells inside the free stock, or where there is room in reach of it."""
    gate, left = leave.gate, leave.left
    free = Sats(gate.free // PER_SAT)
    if left is not None and left < free:
        plan = plan.budgeted(
            f"free of tax today: {_coins(free)}; the pace leaves {_coins(left)} of "
            f"{_coins(leave.a_day)} a day",
            sell_sats=left,
        )
        return plan.capped("tax: the pace of the day is spent", sell=0) if left <= 0 else plan
    if why := closed(gate):
        plan = plan.budgeted(lambda: f"free of tax today: {_coins(free)}; {why}", sell_sats=free)
    elif plan.sell_sats > free:
        plan = plan.noted(lambda: _beyond(free, gate.room))
    return plan.capped(NO_FREE, sell=0) if leave.locked else plan


def _beyond(free: Sats, room: Decimal | None) -> str:
    much = "any" if room == INFINITE else f"{room} EUR of"
    return f"free of tax today: {_coins(free)}; beyond it there is room for {much} gain"


def _coins(sats: int) -> str:
    return fixed_text(sats, 8)


def trimmed(
    laid: Laid,
    memory: Memory,
    pair: PairMemory,
    filled: Mapping[tuple[Side, int], int],
    gate: Gate,
) -> Laid:
    """The wishes that may all rest at once, nearest rung first; the last that fits is made smaller.

    filled: as for `lay`. gate: `look` of this moment.
    """
    spec = pair.tape.pair
    assert spec is not None
    if len(memory.pairs) == 1 and laid.sell_sats * PER_SAT <= gate.free:
        return laid
    if filled:
        open_qtys = [max(0, w.qty - filled.get((Side.SELL, w.price), 0)) for w in laid.sells]
    else:
        open_qtys = [int(wish.qty) for wish in laid.sells]
    others = [each.open for name, each in memory.pairs.items() if name != pair.name]
    wanted = sum(open_qtys) + sum(each.sell_sats for each in others)
    if wanted * PER_SAT <= gate.free:
        return laid
    reserved = sells(memory, [slot for each in others for slot in each.sells])
    # The rate of a currency and the German date come by the calendar, whatever else stays.
    today = euro_price(memory, pair, _COIN), berlin_day(memory.wall)
    key = (laid, open_qtys, reserved, gate, today)
    if pair.trimmed is not None and pair.trimmed[0] == key:
        return pair.trimmed[1]
    kept: list[Wish] = []
    missing = list(laid.missing)
    for wish, open_qty in zip(laid.sells, open_qtys, strict=True):
        price = euro_price(memory, pair, wish.price)
        guard = guarded(memory, gate, price)
        here = replace(gate, room=None) if guard is not None or price is None else gate
        each = Decimal(0) if price is None else price
        most = open_qty
        if not here.fits([*reserved, Resting(each, units(open_qty))]):
            coarse = max(1, open_qty // 64 // spec.qty_step) * spec.qty_step
            most = here.most_at(each, units(open_qty), reserved, units(coarse)) // PER_SAT
        if most < open_qty and most < spec.qty_min:
            missing.append((Side.SELL, wish.rung, guard.why if guard else BEYOND_ROOM))
            continue
        reserved = [*reserved, Resting(each, units(most))]
        kept.append(replace(wish, qty=Sats(wish.qty - open_qty + most)))
    found = Laid(laid.buys, tuple(kept), tuple(missing))
    pair.trimmed = (key, found)
    return found


def refuse_sale(
    memory: Memory, pair: PairMemory, slot: Slot, price: int, others: int, qty: int
) -> str:
    """Why a sell of so many Sats in this slot must not rest beside the other sells.

    "" if all may fill. others: what these may still hand over, Sats. An exit may be sent beyond
    the room by an emergency and by a harvest.
    """
    if slot.name == EXIT_SLOT and (overrides(memory) or _is_harvest(memory, qty)):
        return ""
    if units(others + qty) <= memory.desk.free(memory.wall, pending(memory)):
        return ""
    gate, each = look(memory), euro_price(memory, pair, price)
    if each is None or closed(gate):
        return "more than the coins that may be sold free of tax"
    if guard := guarded(memory, gate, each):
        return guard.why
    own = slot.pair, slot.name
    resting = sells(memory, (rest for rest in memory.all_slots() if (rest.pair, rest.name) != own))
    if not gate.fits([*resting, Resting(each, units(qty))]):
        return "more than the coins that may be sold: the worst course passes the room of the year"
    return ""


def look(memory: Memory) -> Gate:
    """The desk's gate of this moment."""
    reach, spent = 0, list[tuple[str, int]]()
    for pair in memory.pairs.values():
        sats, money = _meant(pair)
        reach += sats
        if money:
            spent.append((pair.quote, money))
    # In coarse steps, so that it seldom changes.
    reach = (reach * PER_SAT // _STEP + 2) * _STEP
    return memory.desk.gate(memory.wall, reach, pending(memory), tuple(spent))


def _meant(pair: PairMemory) -> tuple[int, int]:
    """What its sells may reach (Sats), and what its buys may spend, resting and laid.

    The second in Units of foreign money, in coarse steps, rounded up; 0 where it is not foreign.
    Worked out anew where orders or wishes have changed: it is asked several times a tick.
    """
    orders, laid, (known, meant) = pair.open, pair.laid, pair.meant
    if known[0] is not orders or known[1] is not laid or known[2] != pair.maker:
        reach, most = orders.sell_sats, orders.buy_units
        if laid is not None:
            if pair.wished[0] is not laid:
                pair.wished = laid, laid.sell_sats, laid.buy_units
            reach += pair.wished[1]
            most = max(most, pair.wished[2])
        steps = -(-_money(pair, most) // _MONEY_STEP) if pair.quote in CURRENCIES and most else 0
        meant = reach, steps * _MONEY_STEP
        pair.meant = (orders, laid, pair.maker), meant
    return meant


def _money(pair: PairMemory, cost: int) -> int:
    """A cost in units of the pair (Ticks x Sats) as Units of its currency, with the maker fee."""
    spec = pair.tape.pair
    assert spec is not None
    drop = UNITS_DECIMALS - spec.price_decimals - spec.qty_decimals
    return _with_fee(cost, pair.maker or 0, drop)


@lru_cache(maxsize=64)
def _with_fee(cost: int, maker: float, drop: int) -> int:
    """Kept: buys cost the same until one of them changes."""
    return int((Decimal(cost) * (1 + Decimal(str(maker)))).scaleb(drop))


def refuse_spending(memory: Memory, pair: PairMemory, cost: int) -> str:
    """Why buys that may cost so much in all (Ticks x Sats) must not rest; "" if they may.

    Their dollars' gain and the sells' worst course together stay within the room: a buy that would
    carry the year over its limit waits. A year that is over it already is not made worse by much.
    """
    if pair.quote not in CURRENCIES:
        return ""
    room = memory.desk.room(memory.wall)
    if room is None or room < 0:
        return ""
    spent = [(pair.quote, _money(pair, cost))]
    for other in memory.pairs.values():
        if other.quote != pair.quote and (money := _meant(other)[1]):
            spent.append((other.quote, money))
    gain = memory.desk.spending(memory.wall, tuple(spent))
    if gain > 0 and gain + look(memory).worst(sells(memory, memory.all_slots())) > room:
        return f"the gain of the {pair.quote} it spends might pass the room of the year"
    return ""


def pending(memory: Memory) -> int:
    """Units that leave or have left, of which the ledger does not know: the oldest coins."""
    return int(memory.gone()) * PER_SAT


def closed(gate: Gate) -> str:
    """Why nothing taxable may be sold, in a few words; "" where there is room."""
    if gate.room is None:
        return "a rate is missing: nothing taxable is sold until it is known"
    if gate.room <= 0:
        return "the year has no room left for taxable gains"
    return ""


def guarded(memory: Memory, gate: Gate, price: Decimal | None) -> Guarded | None:
    """Rule 1: the first locked lot, where a sale at this price (EUR) is worth putting off."""
    if price is None:
        return None
    tax = memory.config.tax
    return near_threshold(
        gate.locked[:1],
        berlin_day(memory.wall),
        price,
        _YEAR - tax.near_threshold_days,
        tax.holding_safety_days,
        Decimal(str(tax.marginal_rate)),
    )


def is_locked(memory: Memory, qty_min: Sats) -> bool:
    """Tax-locked: free coins and what the room allows are below the least quantity of a pair."""
    if memory.free() >= qty_min:
        return False
    price = next(
        (
            price
            for pair in memory.pairs.values()
            if pair.view and (price := euro_price(memory, pair, pair.view.bid)) is not None
        ),
        None,
    )
    return locked_at(memory, qty_min, price)


def locked_at(memory: Memory, qty_min: Sats, price: Decimal | None) -> bool:
    """Whether none of the locked coins may be sold at this price (EUR); the higher, the sooner."""
    gate = look(memory)
    if price is None or closed(gate) or guarded(memory, gate, price):
        return True
    return not gate.fits([Resting(price, units(qty_min))])


def saleable_at(memory: Memory, pair: PairMemory, price: int) -> Sats:
    """What might be sold at a price if nothing rested: free coins, and what the room allows."""
    held, each = units(memory.base_total(pair) - memory.going()), euro_price(memory, pair, price)
    gate = memory.desk.gate(memory.wall, held, pending(memory))
    if each is None or closed(gate) or guarded(memory, gate, each):
        return Sats(min(gate.free, held) // PER_SAT)
    return Sats(gate.most_at(each, held, [], max(1, held // 256)) // PER_SAT)


def paced(memory: Memory) -> Sats | None:
    """What the pace leaves for the rest of the German day; None where nothing caps it."""
    if memory.taxes.per_day is None:
        return None
    sold = memory.desk.sold(berlin_day(memory.wall))
    return Sats(max(0, memory.taxes.per_day - sold) // PER_SAT)


def overrides(memory: Memory) -> bool:
    """Whether an emergency may sell taxable coins too (tax.emergency_dd_override_pct)."""
    deep = memory.risk.drawdown >= memory.config.tax.emergency_dd_override_pct
    return deep and memory.pause is Pause.EMERGENCY_SELL


def _is_harvest(memory: Memory, qty: int) -> bool:
    wanted = memory.taxes.harvest
    return wanted is not None and units(qty) <= wanted.qty + units(1)


# Prices and orders as the desk takes them.


def units(sats: int) -> Units:
    return Units(int(sats) * PER_SAT)


def euro_price(memory: Memory, pair: PairMemory, ticks: int) -> Decimal | None:
    """A price in EUR a coin, at the last published rate; None while there is none."""
    spec = pair.tape.pair
    if spec is None:
        return None
    rate = memory.desk.rate(spec.quote, memory.wall)
    if rate is None:
        return None
    price = Decimal(int(ticks)).scaleb(-spec.price_decimals)
    return price if spec.quote == EURO else price / rate


def sells(memory: Memory, slots: Iterable[Slot]) -> list[Resting]:
    """What these orders may still sell, whichever amend stands; at any price if it is unknown."""
    found = []
    for slot in slots:
        if slot.side is Side.SELL and slot.open_qty > 0:
            price = euro_price(memory, memory.pairs[slot.pair], slot.high_price)
            found.append(Resting(Decimal(10**12) if price is None else price, units(slot.open_qty)))
    return found


# Once a German day.


def assess_taxes(memory: Memory) -> None:
    """Set the pace of a new day."""
    if memory.taxes.day != berlin_date(memory.wall):
        memory.taxes = _set_pace(memory, memory.taxes, berlin_day(memory.wall))


def mid_eur(memory: Memory) -> Decimal | None:
    """EUR a coin, of the first pair with a fresh book; None while none is."""
    for pair in memory.pairs.values():
        if pair.view is not None and pair.view.fresh:
            return euro_price(memory, pair, int(pair.view.mid))
    return None


def _set_pace(memory: Memory, taxes: Taxes, today: date) -> Taxes:
    """Rule 2: the free stock and what unlocks, spread over the days of the horizon."""
    tax, desk, price = memory.config.tax, memory.desk, mid_eur(memory)
    if price is None:
        return taxes  # a rung's quantity is not known yet
    sold, stock, safety = desk.sold(today), desk.by_day(), tax.holding_safety_days
    lately = desk.sold(today, LATELY_DAYS) // LATELY_DAYS
    lasts = pace(stock, today, _YEAR, safety, lately, sold).days_left
    per_day: int | None = None
    if tax.pace_days:
        # Never less than a ladder: a pace too small for the grid would leave it one-sided for ever.
        grid = memory.config.grid
        ladder = int(grid.order_size_quote * grid.levels / price * units(_COIN))
        per_day = max(int(pace(stock, today, tax.pace_days, safety, 0, sold).per_day), ladder)
    return replace(taxes, day=today.isoformat(), per_day=per_day, lasts=lasts)
