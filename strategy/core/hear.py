"""Hearing: what an event changes in what we know. Acting is the tick's business.

Rule 1: money moves on Filled and nowhere else; booked once by its exec_id.
Rule 2: an answer is matched to what it answers (add, amend, cancel), never to the state alone: a
late word about an add must not pass for the word about an amend.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from shared.orders import (
    Accepted,
    Amended,
    Filled,
    Gone,
    LineDown,
    LineUp,
    Refused,
    System,
    Verdict,
)
from shared.units import SECOND, Ns, Side
from strategy.core import books, deadman
from strategy.core.grid import bought, moved_to, sold
from strategy.core.lifecycle import Turn, turn
from strategy.core.memory import EXIT_SLOT, Asking, Memory, PairMemory, is_ours
from strategy.core.out import Booked, Out, Tell
from strategy.core.owed import bring, owe
from strategy.core.slots import Input, Slot, State, filled, move
from strategy.core.view import fill_view
from strategy.ledger.entries import FillEntry, IntentDone, Remember
from strategy.ledger.lots import Ignored, Reason

LONGEST_COOL_DOWN_S: Final = 60
RECENT: Final = 500
NEVER: Final = "never"
"""The outcome of an order of which the exchange has never heard."""

# Bound once: an enum's members are slow to look up, and each tick needs these.
_AMENDING, _LIVE, _LOST = State.AMEND_PENDING, State.LIVE, State.LOST
_ACK, _UNSURE, _PART, _GONE = Input.ACK, Input.UNSURE, Input.PART, Input.GONE
_BUY: Final = Side.BUY

ANSWERED_IN: Final[dict[str, tuple[State, ...]]] = {
    # Which states an answer to each method may still concern.
    "add": (State.PENDING_NEW, State.LIVE, State.LOST),
    "amend": (State.AMEND_PENDING, State.LIVE, State.LOST),
    "cancel": (State.CANCEL_PENDING, State.LOST),
}


def line_up(memory: Memory, event: LineUp, now: Ns) -> list[Out]:
    """The line speaks again: arm first, then ask for everything (RELIABILITY 5.1)."""
    memory.line = "up"
    memory.line_up_at = now
    memory.phase = turn(memory.phase, Turn.LINE_UP)
    memory.switch = replace(memory.switch, asked_at=Ns(0))
    memory.asking = Asking()
    # What was said between two lines nobody heard.
    lose_all(memory, now)
    for order in event.orders:
        found = memory.slot_of(order.cl_ord_id)
        if found is not None:
            # It exists: a list that omits it now is not believed so soon.
            pair, place = found
            pair.slots[place] = replace(pair.slots[place], order_id=order.order_id, doubts=0)
    return []


def line_down(memory: Memory, event: LineDown, now: Ns) -> list[Out]:
    memory.line, memory.line_down_at = "down", now
    memory.phase = turn(memory.phase, Turn.LINE_DOWN)
    memory.asking = Asking()
    lose_all(memory, now)
    memory.count("line_downs")
    return [Tell("warning", "line", f"private line down: {event.why}")]


def lose_all(memory: Memory, now: Ns) -> None:
    """Nothing we believe about our orders can be trusted until the exchange lists them."""
    for pair in memory.pairs.values():
        pair.slots = [move(slot, Input.CUT, now) for slot in pair.slots]


def accepted(memory: Memory, event: Accepted, now: Ns) -> list[Out]:
    found = memory.slot_of(event.cl_ord_id)
    if found is None:
        alive = event.cl_ord_id not in memory.gone_at
        if event.method == "add" and alive and is_ours(event.cl_ord_id):
            # It came to life after we gave it up: nobody owns it, so it is cancelled.
            memory.orphans.setdefault(event.cl_ord_id, Ns(0))
        return []
    pair, place = found
    slot = pair.slots[place]
    if slot.state not in ANSWERED_IN.get(event.method, ()):
        return []
    if event.method == "add":
        memory.rejects_in_a_row = 0
    if event.order_id and event.order_id != slot.order_id:
        slot = replace(slot, order_id=event.order_id)
    # By REST no event tells the end of a cancelled order: it is looked up.
    unseen = event.method == "cancel" and memory.line == "rest"
    pair.slots[place] = move(slot, _UNSURE if unseen else _ACK, now)
    return []


def amended(memory: Memory, event: Amended, now: Ns) -> list[Out]:
    found = memory.slot_of(event.cl_ord_id)
    if found is None:
        return []
    pair, place = found
    slot = pair.slots[place]
    as_known = (event.price, event.qty) == (slot.price, slot.qty)
    if slot.state is _AMENDING and as_known:
        pair.slots[place] = move(slot, _ACK, now)
    elif slot.state is _AMENDING or slot.state is _LOST:
        pair.slots[place] = replace(slot, was_price=event.price, was_qty=event.qty)
    elif not as_known:
        pair.slots[place] = replace(slot, price=event.price, qty=event.qty)
    return []


def refused(memory: Memory, event: Refused, now: Ns) -> list[Out]:
    memory.count(f"refused_{event.method}")
    text = f"{event.method} refused: {event.error}"
    if event.verdict is Verdict.LIMIT:
        for pair in memory.pairs.values():
            most = pair.limiter.threshold or memory.config.rate_limit.max_counter
            pair.limiter = replace(pair.limiter, counter=float(most), at=now)
    found = memory.slot_of(event.cl_ord_id)
    if found is None or event.method not in ANSWERED_IN:
        if event.verdict is Verdict.GONE and event.cl_ord_id in memory.orphans:
            # The orphan is over; if it was filled, the history says so.
            del memory.orphans[event.cl_ord_id]
            memory.asking = replace(memory.asking, wanted=True)
        return [Tell("warning", f"refused_{event.method}", text)]
    pair, place = found
    slot = pair.slots[place]
    if slot.state not in ANSWERED_IN[event.method]:
        return []
    unsure = event.verdict in (Verdict.UNKNOWN, Verdict.GONE)
    if unsure or slot.state is _LIVE:
        # Refused after all what we believe to stand: the list knows better than either.
        memory.asking = replace(memory.asking, wanted=True)
    slot = cooled(move(slot, _UNSURE if unsure else Input.REJECT, now), now)
    pair.slots[place] = slot
    out: list[Out] = [Tell("info", f"refused_{event.method}", f"{slot.name}: {text}")]
    if slot.state is State.EMPTY:
        out += _forget(memory, event.cl_ord_id, "refused")
        ours = event.verdict is Verdict.NOT_DONE and "post only" not in event.error.lower()
        memory.rejects_in_a_row += ours
    return out


def cooled(slot: Slot, now: Ns) -> Slot:
    """A slot that was refused rests, longer each time: no tight loop of rejects."""
    rejects = slot.rejects + 1
    wait = min(LONGEST_COOL_DOWN_S, 2 ** min(rejects, 10))
    return replace(slot, rejects=rejects, not_before=Ns(now + wait * SECOND))


def gone(memory: Memory, event: Gone, now: Ns) -> list[Out]:
    orphan = memory.orphans.pop(event.cl_ord_id, None)
    found = memory.slot_of(event.cl_ord_id)
    if found is None:
        if not is_ours(event.cl_ord_id):
            return []
        _note_end(memory, event.cl_ord_id)
        return [] if orphan is None else [IntentDone(event.cl_ord_id, event.status, memory.wall)]
    pair, place = found
    before = pair.slots[place]
    if event.filled > before.filled:
        # Its fills are still on their way, or were lost with a line: the history has them.
        owe(memory, event.cl_ord_id, event.filled - before.heard, now)
    slot = move(before, _GONE, now)
    if "post only" in event.reason.lower():
        slot = cooled(slot, now)
        memory.count("post_only")
    else:
        slot = replace(slot, rejects=0)
    pair.slots[place] = slot
    out = _forget(memory, event.cl_ord_id, event.status)
    complete = event.status == "filled" or (before.qty > 0 and event.filled >= before.qty)
    if complete and before.name != EXIT_SLOT:
        # A fill may overtake our amend: what counts is the rung at which it was filled.
        pair.hung = moved_to(pair.hung, before.traded or before.price)
        out.append(anchor_fact(pair))
    return out


def anchor_fact(pair: PairMemory) -> Remember:
    return Remember(f"anchor:{pair.name}", msgspec.json.encode(pair.hung.anchor).decode())


def booked(memory: Memory, event: Filled, now: Ns) -> list[Out]:
    """Book a fill, wherever we heard of it: stream, snapshot or history."""
    entered = memory.lots.enter(event)
    if isinstance(entered, Ignored):
        if entered.reason is Reason.KNOWN:
            return []
        level = "error" if entered.reason is Reason.CONFLICT else "warning"
        text = f"fill {event.exec_id} of {event.pair} not booked: {entered.reason}"
        return [Tell(level, f"fill_{entered.reason}", text)]
    memory.desk.hear(entered.trade)
    bring(memory, event.cl_ord_id, event.qty)
    name = ""
    out: list[Out] = []
    found = memory.slot_of(event.cl_ord_id) if event.cl_ord_id else None
    if found is None and event.cl_ord_id in memory.recent:
        pair_name, name = memory.recent[event.cl_ord_id]
        pair = memory.pairs[pair_name]
    elif found is not None:
        pair, place = found
        slot = pair.slots[place]
        # Of an order of an earlier life its first fill may be what tells the exchange's id.
        if not slot.order_id:
            slot = replace(slot, order_id=event.order_id)
        name = slot.name
        pair.slots[place] = move(filled(slot, event.price, event.qty), _PART, now)
    out.append(FillEntry(event, name))
    if name and name != EXIT_SLOT:
        _match_grid(pair, event)
        if memory.kept:
            out.append(unmatched_fact(pair))
    if name:
        # The history of an earlier life is no sign of a grid that runs wild.
        memory.fill_times.append(now)
    if entered.unknown_qty:
        text = f"{event.exec_id} sold {entered.unknown_qty} sats of which no purchase is known"
        out.append(Tell("error", "unknown_coins", text))
    if memory.books.expected:
        memory.books = books.entered(memory.books, event)
        if memory.kept:
            out.append(Remember("books", msgspec.json.encode(memory.books.expected).decode()))
    memory.fills += 1
    if memory.kept:
        shown = fill_view(event)
        memory.last_fills.append(shown)
        out.append(Booked(shown))
    return out


def _match_grid(pair: PairMemory, fill: Filled) -> None:
    """Keep the book of buys that no sell has answered yet."""
    if fill.side is _BUY:
        pair.unmatched = bought(pair.unmatched, fill.price, fill.qty)
    else:
        pair.unmatched = sold(pair.unmatched, fill.qty)


def unmatched_fact(pair: PairMemory) -> Remember:
    return Remember(f"unmatched:{pair.name}", msgspec.json.encode(pair.unmatched).decode())


def _forget(memory: Memory, cl_ord_id: str, outcome: str) -> list[Out]:
    """The order is over; remember for a while whose it was, for fills that come late."""
    pair_name, place = memory.index.pop(cl_ord_id)
    memory.recent[cl_ord_id] = (pair_name, memory.pairs[pair_name].slots[place].name)
    while len(memory.recent) > RECENT:
        memory.recent.pop(next(iter(memory.recent)))
    if outcome != NEVER:
        _note_end(memory, cl_ord_id)
    return [IntentDone(cl_ord_id, outcome, memory.wall)]


def _note_end(memory: Memory, cl_ord_id: str) -> None:
    """A list that was asked for before this moment may still name the order."""
    memory.gone_at[cl_ord_id] = memory.now
    while len(memory.gone_at) > RECENT:
        memory.gone_at.pop(next(iter(memory.gone_at)))


def emptied(memory: Memory, pair: PairMemory, place: int, now: Ns) -> list[Out]:
    """A lost order of which the exchange knows nothing: it never came to be."""
    slot = pair.slots[place]
    pair.slots[place] = move(slot, Input.ABSENT, now)
    return _forget(memory, slot.cl_ord_id, NEVER)


def system(memory: Memory, event: System, now: Ns) -> list[Out]:
    if event.status == memory.system:
        return []
    before, memory.system = memory.system, event.status
    # Around a change of mode the engine may have cancelled anything (RELIABILITY F85, F88).
    memory.asking = replace(memory.asking, wanted=True)
    level = "info" if event.status == "online" else "warning"
    return [Tell(level, "system", f"exchange: {before or 'unknown'} -> {event.status}")]


def switch_fired(memory: Memory, now: Ns) -> list[Out]:
    """The switch has cancelled everything, as far as we can know, and is off now."""
    memory.switch = deadman.Deadman()
    memory.phase = turn(memory.phase, Turn.DOUBT)
    memory.asking = replace(memory.asking, wanted=True)
    lose_all(memory, now)
    memory.count("switch_fired")
    if memory.kill.stage:
        return [Tell("info", "switch", "the dead man's switch has run out, as a kill leaves it")]
    return [Tell("critical", "switch", "the dead man's switch has run out: syncing anew")]
