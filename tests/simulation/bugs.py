"""Bugs that are put into the house on purpose, to see whether the simulator notices them.

Each is a small, plausible mistake in one place: a row of a table, a forgotten condition, a wrong
moment. `put` patches our own functions for as long as it is entered; the product knows nothing of
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from feed import book as feed_book
from feed import market as feed_market
from feed import session as feed_session
from feed import subscriptions as feed_subscriptions
from shared.kraken import private
from shared.orders import ArmDeadman, Verdict
from shared.units import MINUTE, SECOND, Ns
from strategy import trader
from strategy.core import (
    breaker,
    byrest,
    deadman,
    draining,
    gate,
    hear,
    inbox,
    killing,
    market,
    memory,
    permit,
    pipeline,
    reconcile,
    slots,
)
from strategy.core.out import Booked, Tell
from strategy.core.slots import TRANSITIONS, Input, State
from strategy.ledger import book, desk, lots
from strategy.ledger.entries import FillEntry, IntentDone, IntentEntry, Remember
from strategy.session import asks as session_asks
from strategy.session import desk as session_desk
from strategy.session import line as session_line
from strategy.session import mail as session_mail
from strategy.session import orders as session_orders
from strategy.session import session
from strategy.session import wire as session_wire

HOUR: Final = Ns(60 * MINUTE)


class Patches:
    """What was changed, so that it can be changed back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> Any:
        """Replace an attribute; returns what stood there."""
        before = getattr(owner, name)
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)
        return before

    def row(self, table: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        before = table[key]
        self._undo.append(lambda: table.__setitem__(key, before))
        table[key] = value

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


class Bug(Struct, frozen=True):
    """what: the mistake, in words."""

    what: str
    apply: Callable[[Patches], None]


BUGS: Final[dict[str, Bug]] = {}


def bug(what: str) -> Callable[[Callable[[Patches], None]], Callable[[Patches], None]]:
    def keep(apply: Callable[[Patches], None]) -> Callable[[Patches], None]:
        BUGS[apply.__name__] = Bug(what, apply)
        return apply

    return keep


@contextmanager
def put(name: str) -> Iterator[None]:
    patches = Patches()
    try:
        BUGS[name].apply(patches)
        yield
    finally:
        patches.undo()


# Slots.


@bug("an add that is not answered in time counts as failed")
def timeout_is_failure(p: Patches) -> None:
    p.row(TRANSITIONS, (State.PENDING_NEW, Input.TIMEOUT), State.EMPTY)


@bug("a cut line counts as the end of what was pending")
def cut_ends_orders(p: Patches) -> None:
    p.row(TRANSITIONS, (State.PENDING_NEW, Input.CUT), State.EMPTY)
    p.row(TRANSITIONS, (State.LIVE, Input.CUT), State.EMPTY)


@bug("an answer of unknown outcome counts as a refusal")
def unsure_is_refusal(p: Patches) -> None:
    before = session_wire.verdict_of

    def verdict(error: str) -> Verdict:
        found = before(error)
        return Verdict.NOT_DONE if found is Verdict.UNKNOWN else found

    p.set(session_wire, "verdict_of", verdict)


@bug("a cancel is believed when it is acknowledged")
def cancel_ack_is_the_end(p: Patches) -> None:
    p.row(TRANSITIONS, (State.CANCEL_PENDING, Input.ACK), State.EMPTY)


@bug("a refused cancel counts as the end of the order")
def refused_cancel_is_the_end(p: Patches) -> None:
    p.row(TRANSITIONS, (State.CANCEL_PENDING, Input.REJECT), State.EMPTY)
    p.row(TRANSITIONS, (State.CANCEL_PENDING, Input.UNSURE), State.EMPTY)


@bug("a refused amend is believed to have been carried out")
def refused_amend_stands(p: Patches) -> None:
    before = hear.move

    def move(slot: slots.Slot, what: Input, now: Ns) -> slots.Slot:
        moved = before(slot, what, now)
        if what is Input.REJECT and slot.state is State.AMEND_PENDING:
            return replace(moved, price=slot.price, qty=slot.qty)
        return moved

    p.set(hear, "move", move)


@bug("a refused slot does not rest")
def no_cool_down(p: Patches) -> None:
    p.set(hear, "cooled", lambda slot, now: slot)


@bug("a slot whose cancel is under way is used again")
def cancelled_is_free(p: Patches) -> None:
    before = pipeline.decide

    def decide(held: Any, *rest: Any) -> Any:
        bold = [
            slots._emptied(slot, Ns(0)) if slot.state is State.CANCEL_PENDING else slot
            for slot in held
        ]
        return before(bold, *rest)

    p.set(pipeline, "decide", decide)


# The gate and what stands before it.


@bug("orders leave although the switch does not cover them")
def no_cover_needed(p: Patches) -> None:
    p.set(deadman.Deadman, "covers", lambda self, now, cfg: True)


@bug("the cover counts from the answer, not from the request")
def cover_from_the_answer(p: Patches) -> None:
    before = inbox.deadman.answered

    def answered(switch: Any, armed: Any) -> Any:
        found = before(switch, armed)
        late = max(Ns(0), Ns(inbox_now[0] - armed.sent_at))
        return replace(found, until=Ns(found.until + late)) if found.until else found

    inbox_now = [Ns(0)]
    step = pipeline.Core.step

    def remembering(self: Any, now: Ns, mail: Any) -> Any:
        inbox_now[0] = now
        return step(self, now, mail)

    p.set(pipeline.Core, "step", remembering)
    p.set(inbox.deadman, "answered", answered)


@bug("a stale book is as good as a fresh one")
def stale_is_fresh(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        stale = found is market.Freshness.STALE and self.book is not None and self.book.valid
        return market.Freshness.FRESH if stale else found

    p.set(market.Tape, "freshness", freshness)


@bug("a feed that has died leaves our orders where they are")
def dead_is_stale(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        return market.Freshness.STALE if found is market.Freshness.DEAD else found

    p.set(market.Tape, "freshness", freshness)


@bug("an invalid book is traded on")
def invalid_is_tradable(p: Patches) -> None:
    before = market.Tape.hear_book

    def hear_book(self: Any, frame: Any, now: Ns, time: Any) -> None:
        if not frame.valid and self.book is not None:
            frame = replace(self.book, seq=frame.seq, heard_at=frame.heard_at)
        before(self, frame, now, time)

    p.set(market.Tape, "hear_book", hear_book)


@bug("a late frame of the bus replaces a newer one")
def old_frames_win(p: Patches) -> None:
    before = market.Tape.hear_book

    def hear_book(self: Any, frame: Any, now: Ns, time: Any) -> None:
        if self.book is not None and frame.boot == self.book.boot and frame.seq < self.book.seq:
            frame = replace(frame, seq=self.book.seq + 1)
        before(self, frame, now, time)

    p.set(market.Tape, "hear_book", hear_book)


@bug("the exchange's mode is not looked at")
def mode_is_ignored(p: Patches) -> None:
    p.set(hear, "system", lambda mem, event, now: setattr(mem, "system", "online") or [])


@bug("a hold does not take our orders out of the book, nor stop new ones")
def hold_is_ignored(p: Patches) -> None:
    _without(p, permit, "permit", "hold")
    _without(p, pipeline, "permit", "hold")
    _without(p, pipeline, "refuse", "hold")


@bug("a halt does not stop anything")
def halt_is_ignored(p: Patches) -> None:
    _without(p, permit, "permit", "halt")
    _without(p, pipeline, "permit", "halt")
    _without(p, pipeline, "refuse", "halt")


def _without(p: Patches, module: Any, name: str, attribute: str) -> None:
    """A function of memory that does not see one of its attributes."""
    before = getattr(module, name)

    def blind(mem: Any, *rest: Any) -> Any:
        kept = getattr(mem, attribute)
        setattr(mem, attribute, "")
        try:
            return before(mem, *rest)
        finally:
            setattr(mem, attribute, kept)

    p.set(module, name, blind)


@bug("orders are not post-only")
def not_post_only(p: Patches) -> None:
    before = private.add_order

    def add_order(*args: Any) -> bytes:
        return before(*args).replace(b'"post_only":true', b'"post_only":false')

    p.set(session.private, "add_order", add_order)
    p.set(gate, "_refuse_price", lambda *args: "")
    p.set(pipeline, "lay", _reckless(pipeline.lay))


def _reckless(lay: Any) -> Any:
    """Wishes as if the market stood a hundredth further away."""

    def reckless(plan: Any, anchor: Any, pair: Any, touch: Any, *rest: Any) -> Any:
        return lay(plan, anchor, pair, (touch[0] * 99 // 100, touch[1] * 101 // 100), *rest)

    return reckless


@bug("coins that are not free of tax may be sold")
def all_coins_are_free(p: Patches) -> None:
    p.set(book.Book, "free", lambda self, account, asset, *_: self.total(account, asset))


@bug("the gain of what rests may pass the Freigrenze")
def room_without_end(p: Patches) -> None:
    p.set(desk.Desk, "_room", lambda *_: desk.INFINITE)


@bug("the price may cross the book")
def crossing_is_fine(p: Patches) -> None:
    p.set(gate, "_refuse_price", lambda *args: "")
    p.set(pipeline, "lay", _reckless(pipeline.lay))


@bug("the rate counter is never charged, and what the exchange says of it is not heard")
def no_rate_limit(p: Patches) -> None:
    p.set(pipeline, "admit", lambda limiter, intents, now, cfg: list(intents))


@bug("by REST an order leaves while the outcome of another one is unknown")
def rest_is_reckless(p: Patches) -> None:
    p.set(byrest, "refuse", lambda mem, now: "")


@bug("a kill halts, and cancels nothing")
def kill_only_halts(p: Patches) -> None:
    p.set(killing, "_cancel", lambda mem, now: [])


# The switch.


@bug("the switch is armed once and not again")
def armed_once(p: Patches) -> None:
    p.set(pipeline.deadman, "due", lambda switch, now, cfg: not switch.asked_at)


@bug("draining disarms first and cancels then")
def disarms_first(p: Patches) -> None:
    def drain(mem: Any, now: Ns) -> Any:
        if mem.busy() and not mem.disarming:
            mem.disarming = now
            return [ArmDeadman(0)]
        return before(mem, now)

    before = p.set(pipeline, "drain", drain)


@bug("it has stopped before our orders are confirmed to be gone")
def stops_too_early(p: Patches) -> None:
    def drain(mem: Any, now: Ns) -> Any:
        return draining._disarm(mem, now)

    p.set(pipeline, "drain", drain)


# Reconciliation.


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


@bug("a list that was asked for before the line broke is believed")
def old_lists_are_believed(p: Patches) -> None:
    before = reconcile.listed

    def listed(mem: Any, event: Any, now: Ns) -> Any:
        return before(mem, replace(event, asked_at=max(event.asked_at, Ns(now - 1))), now)

    p.set(inbox.reconcile, "listed", listed)


@bug("a new life does not remember the orders it has sent before")
def intents_are_forgotten(p: Patches) -> None:
    p.set(memory.Memory, "_remember_intent", lambda self, intent: None)


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
    p.set(reconcile, "_due", lambda mem, asking, now: not asking.listed_at)


# The ledger.


@bug("an intent is never closed")
def intents_stay(p: Patches) -> None:
    _filtered(p, IntentDone)


@bug("fills are booked in memory and not on paper")
def fills_are_not_written(p: Patches) -> None:
    _filtered(p, FillEntry)


@bug("orders leave without an intent on paper")
def no_intents(p: Patches) -> None:
    _filtered(p, IntentEntry)


def _filtered(p: Patches, kind: Any) -> None:
    before = pipeline.Core.step

    def step(self: Any, now: Ns, mail: Any) -> Any:
        return [item for item in before(self, now, mail) if not isinstance(item, kind)]

    p.set(pipeline.Core, "step", step)


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


# The session.


@bug("a missing message of the private line goes unnoticed")
def sequence_is_ignored(p: Patches) -> None:
    p.set(session_line.Line, "follow", lambda self, channel, snapshot, sequence: "")


@bug("a silent line is taken for a quiet one")
def silence_is_golden(p: Patches) -> None:
    before = session_mail.settings_of

    def settings_of(config: Any) -> Any:
        return replace(before(config), silence=Ns(10 * MINUTE))

    p.set(session_mail, "settings_of", settings_of)


@bug("an answer is taken for that of the oldest request")
def answers_are_mixed_up(p: Patches) -> None:
    def answered(self: Any, req_id: int) -> Any:
        oldest = next(iter(self._pending), None)
        return self._pending.pop(oldest) if oldest is not None else None

    p.set(session_line.Line, "answered", answered)


@bug("the order id of a new life begins where the last one began")
def ids_repeat(p: Patches) -> None:
    before = memory.Memory.next_id

    def next_id(self: Any, pair: Any, side: Any) -> str:
        return before(self, pair, side).replace(self.stamp, "0000000")

    p.set(memory.Memory, "next_id", next_id)


@bug("the nonce does not rise")
def nonce_stands_still(p: Patches) -> None:
    before = session_desk.request_of
    p.set(session_desk, "request_of", lambda call, signer, nonce: before(call, signer, 1_000))


@bug("a line that was lost once is not opened again")
def no_reconnect(p: Patches) -> None:
    before = session_line.Reconnect.next_at

    def next_at(self: Any, now: Ns, chance: float, maintenance: bool) -> Ns:
        return Ns(before(self, now, chance, maintenance) + HOUR)

    p.set(session_line.Reconnect, "next_at", next_at)


# The feed.


@bug("the checksum of a book is not checked")
def checksum_is_ignored(p: Patches) -> None:
    before = feed_market.Market._judge

    def judge(self: Any, result: Any, *rest: Any) -> Any:
        wrong = isinstance(result, feed_book.Mismatch)
        return before(self, feed_book.APPLIED if wrong else result, *rest)

    p.set(feed_market.Market, "_judge", judge)


@bug("a crossed or one-sided book is shown because its checksum is right")
def crossed_is_shown(p: Patches) -> None:
    before = feed_market.Market._judge

    def judge(self: Any, result: Any, *rest: Any) -> Any:
        odd = isinstance(result, feed_book.Crossed | feed_book.OneSided)
        return before(self, feed_book.APPLIED if odd else result, *rest)

    p.set(feed_market.Market, "_judge", judge)


@bug("a book whose checksum was wrong is shown until the next snapshot")
def desync_is_shown(p: Patches) -> None:
    before = feed_market.Market.fail

    def fail(self: Any, why: str, fault: str) -> Any:
        found = before(self, why, fault)
        self.in_sync, self.why = True, ""
        return found

    p.set(feed_market.Market, "fail", fail)


@bug("the feed does not connect again")
def feed_stays_away(p: Patches) -> None:
    before = feed_session.Line.lost

    def lost(self: Any, now: Ns, *rest: Any) -> None:
        before(self, now, *rest)
        self.due = Ns(now + HOUR)

    p.set(feed_session.Line, "lost", lost)


@bug("a subscription that fell silent is waited for")
def silent_book_is_quiet(p: Patches) -> None:
    before = feed_subscriptions.Subscriptions.heard

    def heard(self: Any, channel: str, symbol: str, now: Ns, snapshot: bool) -> None:
        before(self, channel, symbol, now, snapshot)
        sub = self._subs.get((channel, symbol))
        if sub is not None and sub.state is feed_subscriptions.SubState.LIVE:
            sub.due = Ns(now + HOUR)

    p.set(feed_subscriptions.Subscriptions, "heard", heard)


# What people are told, and what the ledger keeps for the next life.


@bug("a fill is booked, and nobody is told")
def fills_are_not_told(p: Patches) -> None:
    _filtered(p, Booked)


@bug("it halts by itself, and nobody is told")
def halts_in_silence(p: Patches) -> None:
    _dropped(p, lambda item: isinstance(item, Tell) and item.key == "halt")


@bug("orders that are refused are not counted: it never halts for them")
def refusals_never_halt(p: Patches) -> None:
    before = hear.refused

    def uncounted(mem: Any, event: Any, now: Any) -> Any:
        kept = mem.rejects_in_a_row
        out = before(mem, event, now)
        mem.rejects_in_a_row = kept
        return out

    p.set(hear, "refused", uncounted)


@bug("the switch runs out, and nobody is told")
def switch_fires_in_silence(p: Patches) -> None:
    _dropped(p, lambda item: isinstance(item, Tell) and item.key == "switch")


@bug("a halt is not written down: the next life trades")
def halt_is_not_kept(p: Patches) -> None:
    _dropped(p, lambda item: isinstance(item, Remember) and item.key == "halt")


@bug("what the owner has declared as his own is forgotten with this life")
def external_is_not_kept(p: Patches) -> None:
    _dropped(p, lambda item: isinstance(item, Remember) and item.key.startswith("external:"))


@bug("the buys that no sell has answered yet are forgotten with this life")
def unmatched_is_not_kept(p: Patches) -> None:
    _dropped(p, lambda item: isinstance(item, Remember) and item.key.startswith("unmatched:"))


def _dropped(p: Patches, drop: Callable[[Any], bool]) -> None:
    before = pipeline.Core.step

    def step(self: Any, now: Ns, mail: Any) -> Any:
        return [item for item in before(self, now, mail) if not drop(item)]

    p.set(pipeline.Core, "step", step)


@bug("what a fill cost is rounded to cents")
def cost_is_rounded(p: Patches) -> None:
    before = session_orders.Orders._fill

    def fill(self: Any, row: Any) -> Any:
        return [replace(each, cost=round(each.cost, 1)) for each in before(self, row)]

    p.set(session_orders.Orders, "_fill", fill)


@bug("the letter says another quantity than the paper")
def letter_is_not_the_paper(p: Patches) -> None:
    before = private.add_order

    def add_order(order: Any, *rest: Any) -> bytes:
        return before(replace(order, qty=order.qty + 1_000), *rest)

    p.set(session.private, "add_order", add_order)


# Limits, and what must rest or wait.


@bug("an order may be larger than limits.order_quote")
def size_has_no_cap(p: Patches) -> None:
    before = gate._refuse_price

    def refuse_price(*args: Any) -> str:
        why = before(*args)
        return "" if why == "larger than limits.order_quote" else why

    p.set(gate, "_refuse_price", refuse_price)


@bug("there may be more orders than limits.open_orders")
def orders_have_no_cap(p: Patches) -> None:
    before = gate._refuse_state

    def refuse_state(*args: Any) -> str:
        why = before(*args)
        return "" if why == "limits.open_orders is reached" else why

    p.set(gate, "_refuse_state", refuse_state)


@bug("coins may pass limits.btc_max_pct if all buys fill")
def share_has_no_cap(p: Patches) -> None:
    p.set(gate, "_most", lambda memory, pair: 1.0)


@bug("a difference between balance and ledger holds no sell")
def drift_holds_nothing(p: Patches) -> None:
    for module, name in ((permit, "permit"), (pipeline, "permit"), (pipeline, "refuse")):
        _calm(p, module, name)


def _calm(p: Patches, module: Any, name: str) -> None:
    """A function of memory that does not see that sells are held."""
    before = getattr(module, name)

    def blind(mem: Any, *rest: Any) -> Any:
        kept = mem.audit
        mem.audit = replace(kept, held=False)
        try:
            return before(mem, *rest)
        finally:
            mem.audit = kept

    p.set(module, name, blind)


@bug("a feed that has just come back is trusted at once")
def feed_need_not_settle(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        return market.Freshness.FRESH if found is market.Freshness.SETTLING else found

    p.set(market.Tape, "freshness", freshness)


@bug("a price that runs freezes nothing")
def breaker_is_ignored(p: Patches) -> None:
    p.set(breaker.Breaker, "frozen", property(lambda self: False))


@bug("the switch is armed anew only when it has nearly run out")
def armed_late(p: Patches) -> None:
    p.set(deadman, "due_at", lambda switch, cfg: Ns(switch.asked_at + 40 * SECOND))


# What is believed, and how often is asked.


@bug("a list does not tell how much of an order has filled")
def filled_is_not_adopted(p: Patches) -> None:
    before = reconcile.adopt

    def adopt(mem: Any, slot: Any, order: Any, asked_at: Ns) -> Any:
        return before(mem, slot, replace(order, filled=slot.filled), asked_at)

    p.set(reconcile, "adopt", adopt)


@bug("orders of somebody else are not counted")
def foreign_is_forgotten(p: Patches) -> None:
    before = inbox.reconcile.listed

    def listed(mem: Any, event: Any, now: Ns) -> Any:
        found = before(mem, event, now)
        mem.foreign = ()
        return found

    p.set(inbox.reconcile, "listed", listed)


@bug("the nonce follows the wall clock, wherever it leaps")
def nonce_follows_the_clock(p: Patches) -> None:
    before = session_desk.Desk._sign

    def sign(self: Any, errand: Any, now: Ns, wall: Ns) -> Any:
        self.nonce = min(self.nonce, wall // 1_000 - 1)
        return before(self, errand, now, wall)

    p.set(session_desk.Desk, "_sign", sign)


@bug("what REST allows is not counted")
def rest_is_not_counted(p: Patches) -> None:
    p.set(session_desk.Desk, "_decayed", lambda self, now: 0.0)


@bug("a line that was lost is opened again without any wait")
def reconnects_in_a_storm(p: Patches) -> None:
    p.set(session_line.Reconnect, "next_at", lambda self, now, *rest: Ns(now + SECOND // 20))
    p.set(session_line.Reconnect, "tried", lambda self, now: self)


@bug("amends are sent without a deadline")
def no_deadline_of_amends(p: Patches) -> None:
    before = private.amend_order

    def amend_order(order: Any, *rest: Any) -> bytes:
        return before(replace(order, deadline=Ns(order.deadline + 50 * SECOND)), *rest)

    p.set(session.private, "amend_order", amend_order)


@bug("the tape says other quantities than were traded")
def tape_is_wrong(p: Patches) -> None:
    before = feed_market.trade_of

    def trade_of(*args: Any) -> Any:
        found = before(*args)
        return found if found is None else replace(found, qty=found.qty + 1)

    p.set(feed_market, "trade_of", trade_of)
