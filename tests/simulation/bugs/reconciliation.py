"""Reconciliation: what the exchange lists, and what an earlier life has left."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.kraken import private
from shared.orders import Listed
from shared.units import SECOND, Ns
from strategy.core import inbox, memory, pipeline, reconcile, slots
from strategy.core.slots import State
from strategy.session import asks as session_asks
from strategy.session import session
from tests.simulation.bugs.patches import HOUR, Patches, bug


@bug("an order that one list omits is gone")
def one_miss_is_gone(p: Patches) -> None:
    def missed(mem: Any, slot: Any, asked_at: Ns, now: Ns) -> Any:
        if slot.state in (State.LOST, State.LIVE) and slot.since < asked_at:
            mem.index.pop(slot.cl_ord_id, None)
            return slots._emptied(slot, now)
        return slot

    p.set(reconcile, "_missed", missed)


@bug("an order is given up before its deadline has passed")
def deadline_is_ignored(p: Patches) -> None:
    p.set(reconcile, "_may_act", lambda *args: False)


@bug("orders are sent without a deadline")
def no_deadline(p: Patches) -> None:
    before = private.add_order

    def add_order(order: Any, *rest: Any) -> bytes:
        return before(replace(order, deadline=Ns(order.deadline + 55 * SECOND)), *rest)

    p.set(session.private, "add_order", add_order)


@bug("amends are sent without a deadline")
def no_deadline_of_amends(p: Patches) -> None:
    before = private.amend_order

    def amend_order(order: Any, *rest: Any) -> bytes:
        return before(replace(order, deadline=Ns(order.deadline + 50 * SECOND)), *rest)

    p.set(session.private, "amend_order", amend_order)


@bug("orders of ours that no slot owns stay")
def orphans_stay(p: Patches) -> None:
    before = reconcile.ask

    def ask(mem: Any, now: Ns) -> Any:
        mem.orphans = {}
        return before(mem, now)

    p.set(pipeline.reconcile, "ask", ask)


@bug("orders of somebody else are cancelled as orphans")
def foreign_is_ours(p: Patches) -> None:
    p.set(reconcile, "is_ours", lambda cl_ord_id: True)
    before = reconcile._found

    def found(mem: Any, order: Any, *rest: Any) -> None:
        before(mem, replace(order, cl_ord_id=order.cl_ord_id or order.order_id), *rest)

    p.set(reconcile, "_found", found)
    cancel = private.cancel_order

    def cancel_order(order: Any, *rest: Any) -> bytes:
        if order.cl_ord_id.startswith("O"):
            order = replace(order, cl_ord_id="", order_id=order.cl_ord_id)
        return cancel(order, *rest)

    p.set(session.private, "cancel_order", cancel_order)


@bug("orders of somebody else are not counted")
def foreign_is_forgotten(p: Patches) -> None:
    before = reconcile.listed

    def listed(mem: Any, event: Any, now: Ns) -> Any:
        found = before(mem, event, now)
        mem.foreign = ()
        return found

    p.row(inbox.HEARD_BY, Listed, listed)


@bug("a list that was asked for before the line broke is believed")
def old_lists_are_believed(p: Patches) -> None:
    before = reconcile.listed

    def listed(mem: Any, event: Any, now: Ns) -> Any:
        return before(mem, replace(event, asked_at=max(event.asked_at, Ns(now - 1))), now)

    p.row(inbox.HEARD_BY, Listed, listed)


@bug("a new life does not remember the orders it has sent before")
def intents_are_forgotten(p: Patches) -> None:
    p.set(memory.Memory, "_remember_intent", lambda self, intent, booked: None)


@bug("after a list an order counts as not filled at all")
def filled_is_not_adopted(p: Patches) -> None:
    before = reconcile.adopt

    def adopt(mem: Any, slot: Any, order: Any, asked_at: Ns) -> Any:
        return replace(before(mem, slot, order, asked_at), filled=0)

    p.set(reconcile, "adopt", adopt)


@bug("the history is not asked for")
def no_history(p: Patches) -> None:
    def history(since: Ns, known: Any) -> Any:
        return [], (), since
        yield

    p.set(session_asks, "_history", history)


@bug("only the first page of the history is read")
def one_page_of_history(p: Patches) -> None:
    p.set(session_asks, "_is_last", lambda page, read: True)


@bug("the cursor of the history follows our own clock without any overlap")
def cursor_runs_ahead(p: Patches) -> None:
    p.set(reconcile, "CURSOR_OVERLAP", Ns(-HOUR))


@bug("what rests is not asked for again after the first time")
def asks_once(p: Patches) -> None:
    p.set(reconcile, "_due", lambda mem, asking, lost, now: not asking.listed_at)


@bug("it trades before its orders were listed")
def trades_unlisted(p: Patches) -> None:
    before = pipeline.syncing_for

    def syncing_for(mem: Any) -> Any:
        return [what for what in before(mem) if not what.endswith("list of our orders")]

    p.set(pipeline, "syncing_for", syncing_for)
