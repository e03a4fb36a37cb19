"""The ledger: what is written, in what order, and what the lots make of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.kraken import private
from shared.units import Ns
from strategy import trader
from strategy.core import hear
from strategy.core.grid import bought, sold
from strategy.ledger import lots, records, store
from strategy.ledger.entries import FillEntry, IntentDone, IntentEntry, Remember
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
    before = lots.Lots.enter

    def enter(self: Any, fill: Any) -> Any:
        known = self._known.pop(fill.exec_id, None)
        if known is not None:
            self._trades = [trade for trade in self._trades if trade is not known]
        return before(self, fill)

    p.set(lots.Lots, "enter", enter)


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


@bug("a fill that comes after its order's end belongs to no slot")
def late_fills_are_nobodys(p: Patches) -> None:
    p.set(hear, "RECENT", 0)


@bug("what was bought is taken from the grid's book, what was sold is put into it")
def grid_is_matched_backwards(p: Patches) -> None:
    p.set(hear, "bought", lambda unmatched, price, qty: sold(unmatched, qty))
    p.set(hear, "sold", lambda unmatched, qty: bought(unmatched, 1_000, qty))


@bug("the file keeps the first value of a fact")
def facts_are_written_once(p: Patches) -> None:
    before = store.Store._write

    def write(self: Any, entry: Any) -> None:
        known = (
            isinstance(entry, Remember)
            and self._db.execute("SELECT 1 FROM fact WHERE key = ?", (entry.key,)).fetchone()
        )
        if not known:
            before(self, entry)

    p.set(store.Store, "_write", write)


@bug("the file does not learn that an order is over")
def file_keeps_intents(p: Patches) -> None:
    before = store.Store._write

    def write(self: Any, entry: Any) -> None:
        if not isinstance(entry, IntentDone):
            before(self, entry)

    p.set(store.Store, "_write", write)


@bug("the file rounds what a fill cost")
def file_rounds_costs(p: Patches) -> None:
    before = records.fill_row

    def fill_row(seq: int, entry: Any) -> Any:
        fill = replace(entry.fill, cost=round(entry.fill.cost, 2))
        return before(seq, replace(entry, fill=fill))

    p.set(store, "fill_row", fill_row)


@bug("the fee of a fill is booked in coins")
def fees_are_coins(p: Patches) -> None:
    before = session_orders.Orders._fill

    def fill(self: Any, row: Any) -> Any:
        found = before(self, row)
        return [replace(each, fees=tuple(("BTC", fee) for _, fee in each.fees)) for each in found]

    p.set(session_orders.Orders, "_fill", fill)
