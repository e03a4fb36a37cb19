"""Exits: the only orders that may take. One extra slot per pair, limit, immediate-or-cancel.

Rule 1: `flatten` sells what is free of tax, piece by piece inside the collar, and leaves the bot
on hold.
Rule 2: an emergency sells what the regime does not allow to be held, after 30 s in the band and
only while a second source agrees about the price: one wick sells nothing. A halt for the day's loss
does not stop it, every other halt, a hold and a frozen breaker do.
Rule 3: both sell coins of the free front of the queue alone, and none below `grid.base_reserve`;
from tax.emergency_dd_override_pct on an emergency sells taxable ones too, and it is recorded.
Rule 4: a harvest sells as many as it needs of the front of the queue (harvesting.py).
"""

from __future__ import annotations

from typing import Final

from shared.units import SECOND, Ns, Sats, Side, Ticks, float_price, plain, price_text, qty_text
from strategy.core import harvesting
from strategy.core.account import money_units, worth_at
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.out import Out, Tell
from strategy.core.reference import SECOND_PRICE_AGE
from strategy.core.regime import values_of
from strategy.core.risk import Pause
from strategy.core.slots import Add, Intent, Wish
from strategy.core.taxgate import euro_price, overrides, units
from strategy.ledger.entries import AuditEntry
from strategy.ledger.room import preview
from strategy.ledger.tax import berlin_day

EXIT_DEPTH: Final = 0.005
"""How far below the bid an exit may sell, a ratio; far inside the collar."""

BAND_FOR: Final = Ns(30 * SECOND)
_ROUNDING: Final = 1e-9

AGREES_WITHIN: Final = 0.01
"""How far apart the book and the second price may be, a ratio."""


def decide(memory: Memory, pair: PairMemory, now: Ns) -> list[Intent]:
    """The next piece of an exit; none while other sells may still fill."""
    view = pair.view
    if view is None or not view.fresh:
        return []
    most, _ = _wanted(memory, pair, now)
    slot = pair.slots[pair.place(EXIT_SLOT)]
    resting = any(each.open.sells for each in memory.pairs.values())
    if resting or slot.not_before > now:
        return []
    spec = view.pair
    price = int(view.bid * (1.0 - EXIT_DEPTH))
    price -= price % spec.price_step
    piece = int(
        memory.config.limits.order_quote.scaleb(spec.price_decimals + spec.qty_decimals)
    ) // max(view.bid, 1)
    qty = min(most, piece)
    qty -= qty % spec.qty_step
    if qty < spec.qty_min:
        memory.flatten = False
        return []
    return [Add(slot, Wish(Side.SELL, Ticks(price), Sats(qty), 0))]


def why_not(memory: Memory, pair: PairMemory, now: Ns) -> str:
    """What an exit waits for, for people; "" where none is called for."""
    return _wanted(memory, pair, now)[1]


def _wanted(memory: Memory, pair: PairMemory, now: Ns) -> tuple[int, str]:
    """How many Sats an exit is to sell in all, and what it waits for."""
    view = pair.view
    assert view is not None
    reserve = int(memory.config.grid.base_reserve.scaleb(view.pair.qty_decimals))
    most = max(0, memory.base_total(pair) - memory.going() - reserve)
    free = min(memory.free(), most)
    if memory.flatten:
        return free, "flatten: sells what is free of tax"
    harvest = harvesting.under_way(memory)
    if harvest is not None and memory.pause is not Pause.EMERGENCY_SELL:
        ours = pair is memory.first and pair.permit.change
        return (min(most, harvesting.wanted_sats(harvest)) if ours else 0), harvest.why
    if memory.pause is not Pause.EMERGENCY_SELL:
        return 0, ""
    if not pair.permit.exits:
        return 0, f"emergency: waits for the end of: {', '.join(pair.permit.why)}"
    since = memory.risk.emergency_since
    if not since or now - since < BAND_FOR:
        return 0, "emergency: waits until the drawdown has stood for 30 s"
    second = pair.reference.second
    if second <= 0.0 or now - pair.reference.second_at > SECOND_PRICE_AGE:
        return 0, "emergency: waits for a second price"
    if abs(view.mid / second - 1.0) > AGREES_WITHIN:
        return 0, f"emergency: the book and the ticker are {abs(view.mid / second - 1):.1%} apart"
    share = values_of(pair.regime, memory.config.regime).btc_max_pct
    beyond = _beyond(memory, pair, view.mid, share)
    if beyond < view.pair.qty_min:
        return 0, f"emergency: coins are within {share:.0%}, which the regime allows"
    most = most if overrides(memory) else free
    return min(most, max(0, beyond)), f"emergency: sells down to {share:.0%}"


def _beyond(memory: Memory, pair: PairMemory, mid: float, share: float) -> int:
    """The Sats beyond this part of the account, with the coin at this mid."""
    held = memory.base_total(pair)
    return held - int(share * (held + money_units(memory, pair) / mid))


def rests(memory: Memory, pair: PairMemory, mids: tuple[float, float], share: float) -> bool:
    """Whether an emergency has nothing to sell at any mid between two, as long as it is as deep.

    share: the largest part of coins that the regime allows. What an emergency waits for besides is
    not asked: that may come with any tick.
    """
    view = pair.view
    if view is None or not memory.risk.emergency_since:
        return view is not None
    totals = memory.books.expected or memory.balances
    price = float_price(view.pair, min(mids)) * memory.rates[view.pair.quote]
    worst = 1.0 - worth_at(memory, totals, price) / memory.risk.peak
    reserve = int(memory.config.grid.base_reserve.scaleb(view.pair.qty_decimals))
    most = max(0, memory.base_total(pair) - memory.going() - reserve)
    if worst < memory.config.tax.emergency_dd_override_pct - _ROUNDING:
        most = min(memory.free(), most)
    return min(most, _beyond(memory, pair, max(mids), share)) < view.pair.qty_min


def announce(memory: Memory, pair: PairMemory, add: Add) -> list[Out]:
    """What an exit is about to sell: how much, which lots, the gain to expect, and why."""
    view = pair.view
    assert view is not None
    wish, spec = add.wish, view.pair
    harvest = None if memory.flatten else harvesting.under_way(memory)
    reason = "flatten" if memory.flatten else f"drawdown {memory.risk.drawdown:.1%}"
    if harvest is not None and memory.pause is not Pause.EMERGENCY_SELL:
        reason = f"harvest: {harvest.why}"
    price = euro_price(memory, pair, wish.price)
    text = (
        f"exit ({reason}): sells {qty_text(spec, wish.qty)} {spec.base} down to "
        f"{price_text(spec, wish.price)}"
    )
    sold = units(wish.qty)
    stock = memory.desk.front(sold)
    text += f", from {len(stock)} lots, gain about "
    if price is None:
        names = ", ".join(lot.lot for lot in stock)
        text += f"unknown in EUR, no rate for {spec.quote}: {names}"
    else:
        taken = preview(stock, sold, price, berlin_day(memory.wall))
        text += f"{plain(taken.free_gain + taken.taxable_gain)} EUR; {taken.told()}"
    told: list[Out] = [AuditEntry(memory.wall, "bot", "exit", text)]
    told.append(Tell("critical", "exit", text))
    if reason.startswith("harvest"):
        told.append(harvesting.sent(memory))
    return told
