"""Slots: what becomes of an order, and what is believed of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.orders import Verdict
from shared.units import Ns
from strategy.core import hear, kept, pipeline, slots
from strategy.core.slots import TRANSITIONS, Input, State
from strategy.session import wire as session_wire
from tests.simulation.bugs.patches import Patches, bug


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
    matched, before = kept.unsettled, pipeline.decide

    def unsettled(held: Any, *rest: Any) -> Any:
        return matched([each for each in held if each.state is not State.CANCEL_PENDING], *rest)

    def decide(side: Any, places: Any, *rest: Any) -> Any:
        bold = [
            slots._emptied(slot, Ns(0)) if slot.state is State.CANCEL_PENDING else slot
            for slot in places
        ]
        return before(side, bold, *rest)

    p.set(kept, "unsettled", unsettled)
    p.set(pipeline, "decide", decide)


@bug("what an order has filled is not taken off what it may still fill")
def fills_are_not_counted(p: Patches) -> None:
    p.set(hear, "filled", lambda slot, price, qty: slot)
