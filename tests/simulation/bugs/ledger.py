"""The ledger: what is written, in what order, and what the lots make of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.kraken import private
from shared.units import Ns
from strategy import trader
from strategy.ledger import lots
from strategy.ledger.entries import FillEntry, IntentDone, IntentEntry
from strategy.session import orders as session_orders
from strategy.session import session
from tests.simulation.bugs.patches import Patches, bug, filtered


@bug("an intent is never closed")
def intents_stay(p: Patches) -> None:
    filtered(p, IntentDone)


@bug("fills are booked in memory and not on paper")
def fills_are_not_written(p: Patches) -> None:
    filtered(p, FillEntry)


@bug("orders leave without an intent on paper")
def no_intents(p: Patches) -> None:
    filtered(p, IntentEntry)


@bug("letters leave before the commit")
def letters_first(p: Patches) -> None:
    before = trader.Trader.step

    def step(self: Any, now: Ns, mail: Any) -> Any:
        out = before(self, now, mail)
        return [*out[1:], out[0]] if out and isinstance(out[0], trader.Commit) else out

    p.set(trader.Trader, "step", step)


@bug("a fill that is told twice is booked twice")
def booked_twice(p: Patches) -> None:
    p.set(session_orders.Orders, "is_new", lambda self, exec_id: True)
    before = lots.Lots.book

    def book(self: Any, fill: Any) -> Any:
        known = self._known.pop(fill.exec_id, None)
        if known is not None:
            self._trades = [trade for trade in self._trades if trade is not known]
        return before(self, fill)

    p.set(lots.Lots, "book", book)


@bug("the fee of a fill is dropped")
def fees_are_dropped(p: Patches) -> None:
    before = session_orders.Orders._fill

    def fill(self: Any, row: Any) -> Any:
        return [replace(each, fees=()) for each in before(self, row)]

    p.set(session_orders.Orders, "_fill", fill)


@bug("what a fill cost is rounded to cents")
def cost_is_rounded(p: Patches) -> None:
    before = session_orders.Orders._fill

    def fill(self: Any, row: Any) -> Any:
        return [replace(each, cost=round(each.cost, 1)) for each in before(self, row)]

    p.set(session_orders.Orders, "_fill", fill)


@bug("the newest coins are sold first")
def last_in_first_out(p: Patches) -> None:
    before = lots.Lots.open_lots

    def open_lots(self: Any) -> Any:
        found = before(self)
        gone = sum(buy.moved for buy in self._buys) - self.total()
        if not gone or not found:
            return found
        return tuple(reversed(found))

    p.set(lots.Lots, "open_lots", open_lots)


@bug("the letter says another quantity than the paper")
def letter_is_not_the_paper(p: Patches) -> None:
    before = private.add_order

    def add_order(order: Any, *rest: Any) -> bytes:
        return before(replace(order, qty=order.qty + 1_000), *rest)

    p.set(session.private, "add_order", add_order)
